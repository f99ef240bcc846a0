"""Many schedules written at once, as rows in the original's format, and what is to become of them."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg2
from psycopg2.extras import execute_values

from adapters.apscheduler.job_state import encode
from adapters.postgres.connections import channel
from ports.jobs import Job, JobKind
from ports.triggers import CronTrigger, IntervalTrigger, Trigger
from tests.postgres import SCHEMA, plain

_TICK = timedelta(seconds=1)
USERS = 10


@dataclass(frozen=True)
class Planned:
    """How often each schedule comes due, by its id."""

    due_times: dict[str, int]

    @property
    def firings(self) -> int:
        """How many due times there are in all."""
        return sum(self.due_times.values())

    def __or__(self, other: "Planned") -> "Planned":
        """Return both."""
        return Planned(self.due_times | other.due_times)


def rush(url: str, count: int, *, user: str | None = None) -> Planned:
    """Write `count` yearly schedules that are due now, one user's or several users', and wake whoever sleeps."""
    due = datetime.fromtimestamp(int(time.time()), UTC)
    far_month = (due.month + 5) % 12 + 1
    trigger = CronTrigger(timezone="UTC", minute="0", hour="4", day="1", month=str(far_month))
    jobs = [_job(number, trigger, due, user or f"user-{number % USERS}") for number in range(count)]
    _write(url, jobs)
    return Planned({job.id: 1 for job in jobs})


def ticking(url: str, count: int, *, ticks: int) -> Planned:
    """Write `count` schedules that come due every second, `ticks` times in all, from the next second on."""
    first = datetime.fromtimestamp(int(time.time()) + 1, UTC)
    end = first + (ticks - 1) * _TICK
    trigger = IntervalTrigger(interval=_TICK, start_at=first, timezone="UTC", end_at=end)
    jobs = [_job(number, trigger, first, f"user-{number % USERS}") for number in range(count)]
    _write(url, jobs)
    return Planned({job.id: ticks for job in jobs})


def _job(number: int, trigger: Trigger, due: datetime, user: str) -> Job:
    kwargs = {
        "user_id": user,
        "graph_id": f"graph-{number}",
        "graph_version": 1,
        "cron": "0 4 1 1 *",
        "input_data": {"number": number},
        "input_credentials": {},
    }
    return Job(
        id=uuid.uuid4().hex,
        kind=JobKind.EXECUTE_GRAPH,
        name=f"schedule {number}",
        trigger=trigger,
        kwargs=kwargs,
        next_run_at=due,
    )


def _write(url: str, jobs: list[Job]) -> None:
    connection = psycopg2.connect(plain(url))
    with connection, connection.cursor() as cursor:
        execute_values(cursor, f"INSERT INTO {SCHEMA}.apscheduler_jobs VALUES %s", list(_rows(jobs)))
        cursor.execute("SELECT pg_notify(%s, '')", (channel(SCHEMA),))
    connection.close()


def _rows(jobs: list[Job]) -> Iterator[tuple[str, float, bytes]]:
    for job in jobs:
        assert job.next_run_at is not None
        yield job.id, job.next_run_at.timestamp(), encode(job)
