"""Whether the ledger adds up, and agrees with what the receiver got."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg2

from tests.chaos.receiver import ChaosReceiver
from tests.chaos.schedules import Planned
from tests.postgres import SCHEMA, plain

_FIRINGS = f"""
    SELECT job_id, scheduled_at, state, attempts, coalesced, execution_id, finished_at
    FROM {SCHEMA}.scheduler_firings WHERE kind = 'execute_graph' ORDER BY id
"""
_OPEN = f"""
    SELECT (SELECT count(*) FROM {SCHEMA}.apscheduler_jobs WHERE next_run_time <= extract(epoch FROM now()) + 3600)
        + (SELECT count(*) FROM {SCHEMA}.scheduler_firings WHERE state IN ('leased', 'waiting', 'held'))
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A firing as the ledger has it."""

    job_id: str
    scheduled_at: datetime
    state: str
    attempts: int
    coalesced: int
    execution_id: str | None
    finished_at: datetime | None

    @property
    def key(self) -> str:
        """Return the idempotency key that its dispatches carry."""
        return f"{self.job_id}:{self.scheduled_at.astimezone(UTC).isoformat().replace('+00:00', 'Z')}"


@dataclass(frozen=True, slots=True)
class Tally:
    """What `add_up` found: dispatches that nobody recorded an attempt for are `unrecorded`."""

    firings: int
    coalesced: int
    unrecorded: int


@contextmanager
def cursor_on(url: str) -> Iterator[Any]:
    """Return a cursor in a transaction of its own."""
    connection = psycopg2.connect(plain(url))
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def execute(url: str, statement: str) -> None:
    """Execute a statement."""
    with cursor_on(url) as cursor:
        cursor.execute(statement)


def firings(url: str) -> list[Row]:
    """Return every firing of a schedule."""
    with cursor_on(url) as cursor:
        cursor.execute(_FIRINGS)
        return [Row(*values) for values in cursor.fetchall()]


def eventually(condition: Callable[[], bool], seconds: float = 30, *, about: Callable[[], Any] = str) -> None:
    """Return once `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, about()
        time.sleep(0.02)


def await_settled(url: str, seconds: float = 40) -> None:
    """Return once nothing is due within the hour and every firing has come to its end."""

    def settled() -> bool:
        with cursor_on(url) as cursor:
            cursor.execute(_OPEN)
            return bool(cursor.fetchone() == (0,))

    eventually(settled, seconds, about=lambda: Counter((row.state, row.attempts) for row in firings(url)))


def add_up(url: str, planned: Planned, receiver: ChaosReceiver, *, unrecorded: int = 0) -> Tally:
    """Check that each due time is one firing or folded into one, each delivered as its record says.

    A delivery that no recorded attempt stands for happens only where a process or its lease ended between call
    and record: at most `unrecorded` of them, each with its firing's own key.
    """
    rows = firings(url)
    counted: Counter[str] = Counter()
    for row in rows:
        counted[row.job_id] += 1 + row.coalesced
    assert counted == Counter(planned.due_times)
    assert {row.state for row in rows} == {"succeeded"}
    deliveries = receiver.deliveries()
    assert deliveries.keys() == {row.key for row in rows}
    answered = {call.execution_id for call in receiver.calls}
    assert {row.execution_id for row in rows} <= answered
    beyond = sum(max(0, deliveries[row.key] - row.attempts) for row in rows)
    assert beyond <= unrecorded
    return Tally(firings=len(rows), coalesced=sum(row.coalesced for row in rows), unrecorded=beyond)
