"""Stock APScheduler 3.11 with SQLAlchemyJobStore, run as a process: `python -m benchmarks.stock URL default|none`.

`none` lifts the rows' misfire_grace_time of one second. Prints a line when it runs; SIGTERM ends it.
"""

import signal
import sys
import threading

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from benchmarks.receivers import notebook
from benchmarks.rows import STAND_IN, sqlalchemy_url

THREADS = 10


def main() -> None:
    """Run until told to end."""
    url, grace = sys.argv[1:]
    sys.path.insert(0, STAND_IN)
    store = SQLAlchemyJobStore(url=sqlalchemy_url(url))
    scheduler = BackgroundScheduler(
        jobstores={"default": store}, executors={"default": ThreadPoolExecutor(THREADS)}, timezone="UTC"
    )
    if grace == "none":
        # The row's own misfire_grace_time decides, so it is lifted as each row is restored.
        restore = store._reconstitute_job  # noqa: SLF001

        def lenient(job_state: bytes) -> object:
            job = restore(job_state)
            job.misfire_grace_time = None
            return job

        store._reconstitute_job = lenient  # noqa: SLF001
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    notebook()  # before there are threads, of which two would open it at once, and one the other's away
    scheduler.start()
    print("running", flush=True)
    ended.wait()
    scheduler.shutdown(wait=False)


if __name__ == "__main__":
    main()
