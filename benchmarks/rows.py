"""Rows in the original's format, as the original writes them, many at a time."""

import pickle
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import psycopg2
from apscheduler.job import Job
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

STAND_IN = str(Path(__file__).parent / "stand_in")
TRIGGERS = 50


def create_tables(url: str) -> None:
    """Create the original's table, through the original's library."""
    store = SQLAlchemyJobStore(url=url.replace("postgresql://", "postgresql+psycopg2://"))
    store.start(BackgroundScheduler(timezone="UTC"), "execution")
    store.shutdown()


def job_states(count: int, due: datetime, *, users: int) -> Iterator[tuple[str, bytes]]:
    """Yield ids and pickles of hourly schedules, all due at `due`, with `TRIGGERS` distinct triggers."""
    if STAND_IN not in sys.path:
        sys.path.insert(0, STAND_IN)
    scheduler = BackgroundScheduler(timezone="UTC")
    triggers = [CronTrigger.from_crontab(f"{minute} 4 1 1 *", timezone="UTC") for minute in range(TRIGGERS)]
    for number in range(count):
        job_id = uuid.uuid4().hex
        job = Job(
            scheduler,
            id=job_id,
            func="backend.executor.scheduler:execute_graph",
            trigger=triggers[number % TRIGGERS],
            executor="default",
            args=(),
            kwargs={
                "user_id": f"user-{number % users}",
                "graph_id": f"graph-{number}",
                "graph_version": 1,
                "cron": f"{number % TRIGGERS} 4 1 1 *",
                "input_data": {"question": "what is new?", "count": 3},
                "input_credentials": {},
            },
            name=f"schedule {number}",
            misfire_grace_time=1,
            coalesce=True,
            max_instances=1,
            next_run_time=due.astimezone(triggers[number % TRIGGERS].timezone),  # as APScheduler computes it
        )
        yield job_id, pickle.dumps(job.__getstate__(), pickle.HIGHEST_PROTOCOL)


def fill(url: str, count: int, due: datetime, *, users: int = 100) -> None:
    """Store `count` schedules that are due at `due`."""
    create_tables(url)
    moment = due.astimezone(UTC).timestamp()
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        lines = StringIO()
        for number, (job_id, state) in enumerate(job_states(count, due, users=users), 1):
            lines.write(f"{job_id}\t{moment!r}\t\\\\x{state.hex()}\n")
            if number % 20_000 == 0 or number == count:
                lines.seek(0)
                cursor.copy_expert("COPY apscheduler_jobs (id, next_run_time, job_state) FROM STDIN", lines)
                lines = StringIO()
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE apscheduler_jobs")
    connection.close()
