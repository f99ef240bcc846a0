"""Stock APScheduler 3.11 with SQLAlchemyJobStore, run as a process: `python -m benchmarks.stock URL SECONDS GRACE`.

Prints one JSON line: when each schedule ran.
"""

import json
import sys
import time

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from benchmarks.rows import STAND_IN

sys.path.insert(0, STAND_IN)


def main() -> None:
    """Run until everything ran or the time is up."""
    url, seconds, expected, grace = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    from backend.executor import scheduler as original  # noqa: PLC0415  found through the stand-in's path

    store = SQLAlchemyJobStore(url=url.replace("postgresql://", "postgresql+psycopg2://"))
    scheduler = BackgroundScheduler(
        jobstores={"default": store}, executors={"default": ThreadPoolExecutor(10)}, timezone="UTC"
    )
    if grace == "none":
        # The row's own misfire_grace_time decides, so it is lifted as each row is restored.
        restore = store._reconstitute_job  # noqa: SLF001

        def lenient(job_state: bytes) -> object:
            job = restore(job_state)
            job.misfire_grace_time = None
            return job

        store._reconstitute_job = lenient  # noqa: SLF001
    scheduler.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end and len(original.RAN) < expected:
        time.sleep(0.05)
    print(json.dumps([at for _, at in original.RAN]))
    scheduler.shutdown(wait=False)


if __name__ == "__main__":
    main()
