"""Rows in the original's format, written by its own library, many at a time."""

import pickle
import sys
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg2
from apscheduler.job import Job
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from adapters.apscheduler.moments import moment_bytes

STAND_IN = str(Path(__file__).parent / "stand_in")
TRIGGERS = 50
USERS = 100
_PLACEHOLDER = datetime(2111, 11, 11, 11, 11, 11, 111111, tzinfo=UTC)
_PER_COPY = 20_000


def sqlalchemy_url(url: str) -> str:
    """Return the URL as SQLAlchemy wants it."""
    return url.replace("postgresql://", "postgresql+psycopg2://")


def create_tables(url: str) -> None:
    """Create the original's table, through the original's library."""
    store = SQLAlchemyJobStore(url=sqlalchemy_url(url))
    store.start(BackgroundScheduler(timezone="UTC"), "execution")
    store.shutdown()


def yearly_triggers() -> Sequence[Any]:
    """Return `TRIGGERS` distinct triggers that don't come due again during a run."""
    return [CronTrigger.from_crontab(f"{minute} 4 1 1 *", timezone="UTC") for minute in range(TRIGGERS)]


def every(first: datetime, seconds: int) -> Any:
    """Return a trigger that comes due every `seconds`, from `first` on."""
    return IntervalTrigger(seconds=seconds, start_date=first, timezone="UTC")


def job_state(
    number: int, trigger: Any, due: datetime, scheduler: Any, *, user: str | None = None
) -> tuple[str, bytes]:
    """Return the id and pickle of one schedule, as the original writes it."""
    job = stock_job(number, trigger, due, scheduler, user=user)
    return job.id, pickle.dumps(job.__getstate__(), pickle.HIGHEST_PROTOCOL)


def stock_job(number: int, trigger: Any, due: datetime, scheduler: Any, *, user: str | None = None) -> Any:
    """Return one schedule as the original's library has it."""
    return Job(
        scheduler,
        id=uuid.uuid4().hex,
        func="backend.executor.scheduler:execute_graph",
        trigger=trigger,
        executor="default",
        args=(),
        kwargs={
            "user_id": user or f"user-{number % USERS}",
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
        next_run_time=due,
    )


@lru_cache(maxsize=1)
def _prepared(count: int) -> list[tuple[str, bytes]]:
    """Return yearly schedules, due at a moment that `fill` replaces: making them is most of the work."""
    scheduler = original_scheduler()
    triggers = yearly_triggers()
    return [job_state(number, triggers[number % TRIGGERS], _PLACEHOLDER, scheduler) for number in range(count)]


def original_scheduler() -> Any:
    """Return a scheduler of stock APScheduler's, with what the original's rows refer to."""
    if STAND_IN not in sys.path:
        sys.path.insert(0, STAND_IN)
    return BackgroundScheduler(timezone="UTC")


def prepare(count: int) -> None:
    """Make `count` schedules ahead of `fill`."""
    _prepared(count)


def fill(url: str, count: int, due: datetime) -> None:
    """Store `count` yearly schedules that are due at `due`."""
    old, new = moment_bytes(_PLACEHOLDER), moment_bytes(due.astimezone(UTC))
    copy(url, ((job_id, state.replace(old, new), due) for job_id, state in _prepared(count)))


def schedules_of(user: str, count: int, due: datetime) -> list[tuple[str, bytes, datetime]]:
    """Return rows of one user."""
    scheduler, triggers = original_scheduler(), yearly_triggers()
    return [(*job_state(n, triggers[n % TRIGGERS], due, scheduler, user=user), due) for n in range(count)]


def stock_jobs(count: int, due: datetime) -> list[Any]:
    """Return schedules as the original's library has them."""
    scheduler, triggers = original_scheduler(), yearly_triggers()
    return [stock_job(n, triggers[n % TRIGGERS], due, scheduler) for n in range(count)]


def fill_many(url: str, count: int, due: datetime) -> None:
    """Store `count` schedules, up to millions: most are copies of twenty thousand, under ids of their own."""
    base = min(count, _PER_COPY)
    fill(url, base, due)
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE base AS SELECT * FROM apscheduler_jobs")
        for left in range(count - base, 0, -base):
            cursor.execute(_COPY, (min(left, base),))
        cursor.execute("VACUUM ANALYZE apscheduler_jobs")
    connection.close()


# An id stands once in its pickle, as 32 digits like any other's.
_COPY = """
    INSERT INTO apscheduler_jobs (id, next_run_time, job_state)
    SELECT b.new_id, b.next_run_time, overlay(
        b.job_state PLACING convert_to(b.new_id, 'UTF8') FROM position(convert_to(b.id, 'UTF8') IN b.job_state)
    ) FROM (SELECT *, md5(id || random()::text) AS new_id FROM base LIMIT %s) AS b
"""


def make_due(url: str, count: int) -> None:
    """Make `count` of the stored schedules due now."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SET agpt_scheduler.writer = 'own'")  # else each row would be marked as somebody else's
        cursor.execute(
            "UPDATE apscheduler_jobs SET next_run_time = extract(epoch FROM now()) WHERE id = ANY (ARRAY("
            "SELECT id FROM apscheduler_jobs WHERE id > md5(random()::text) ORDER BY id LIMIT %s))",
            (count,),
        )
    connection.close()


def fill_every_second(url: str, count: int, first: datetime) -> None:
    """Store `count` schedules of which one comes due each second, from `first` on, each once in a run."""
    scheduler = original_scheduler()
    rows = []
    for number in range(count):
        due = datetime.fromtimestamp(first.timestamp() + number, UTC)
        job_id, state = job_state(number, every(due, 10 * count), due, scheduler)
        rows.append((job_id, state, due))
    copy(url, rows)


def copy(url: str, rows: Iterator[tuple[str, bytes, datetime]] | Sequence[tuple[str, bytes, datetime]]) -> None:
    """Store rows of (id, state, due time)."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        lines = StringIO()
        for number, (job_id, state, due) in enumerate(rows, 1):
            lines.write(f"{job_id}\t{due.timestamp()!r}\t\\\\x{state.hex()}\n")
            if number % _PER_COPY == 0:
                _copy(cursor, lines)
                lines = StringIO()
        _copy(cursor, lines)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE apscheduler_jobs")
    connection.close()


def _copy(cursor: Any, lines: StringIO) -> None:
    lines.seek(0)
    cursor.copy_expert("COPY apscheduler_jobs (id, next_run_time, job_state) FROM STDIN", lines)
