"""Adapters of the storage ports that belong together, in memory and on PostgreSQL, for one suite over both."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2

from adapters.apscheduler.job_state import encode
from adapters.memory.clock import SettableClock
from adapters.memory.firings import MemoryFiringLedger
from adapters.memory.jobs import MemoryJobStore
from adapters.memory.leases import MemoryLeases
from adapters.memory.overview import MemoryOverview
from adapters.postgres.database import Database
from adapters.postgres.firings import PostgresFiringLedger
from adapters.postgres.jobs import PostgresJobStore
from adapters.postgres.leases import PostgresLeases
from adapters.postgres.overview import PostgresOverview
from ports.firings import Firing, FiringLedger, FiringRecord, FiringState, NewFiring, Outcome
from ports.jobs import Advance, Job, JobKind, JobStore, StoreName, UnreadableReason, UnreadableRow
from ports.leases import Leases
from ports.overview import Overview
from ports.triggers import IntervalTrigger, Trigger
from tests.postgres import SCHEMA, Server, plain

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class World(ABC):
    """What a contract test may know: the ports over one store, and a clock that it sets."""

    clock: SettableClock
    jobs: JobStore
    ledger: FiringLedger
    leases: Leases
    overview: Overview

    @abstractmethod
    def leave_row(self, row_id: str, *, due: datetime, reason: UnreadableReason) -> None:
        """Put a row into the store that can't be read, or belongs to somebody else."""

    @abstractmethod
    def row_is_there(self, row_id: str) -> bool:
        """Return whether that row is still as it was left."""


class MemoryWorld(World):
    """The fakes."""

    def __init__(self) -> None:
        self.clock = SettableClock(NOW)
        ledger = MemoryFiringLedger(self.clock)
        self._store = MemoryJobStore(StoreName.EXECUTION, ledger=ledger)
        self.jobs, self.ledger, self.leases = self._store, ledger, MemoryLeases(ledger)
        self.overview = MemoryOverview(self._store, ledger=ledger, clock=self.clock)

    def leave_row(self, row_id: str, *, due: datetime, reason: UnreadableReason) -> None:
        """Stand for such a row."""
        self._store.rows_left_alone[row_id] = UnreadableRow(row_id, reason, "is odd")
        self._store.unmet[row_id] = due

    def row_is_there(self, row_id: str) -> bool:
        """Return whether it is there."""
        return row_id in self._store.rows_left_alone


class PostgresWorld(World):
    """The real thing, in a database of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = SettableClock(NOW)
        self.database = Database(url, schema=SCHEMA)
        self.ledger = PostgresFiringLedger(self.database, clock=self.clock)
        self.jobs = PostgresJobStore(StoreName.EXECUTION, database=self.database, clock=self.clock)
        self.leases = PostgresLeases(self.database, clock=self.clock)
        self.overview = PostgresOverview(self.database)
        self._left: dict[str, bytes] = {}

    def leave_row(self, row_id: str, *, due: datetime, reason: UnreadableReason) -> None:
        """Insert garbage, or a job of somebody else's function."""
        state = b"not a pickle"
        if reason is UnreadableReason.FOREIGN:
            state = encode(a_job(row_id)).replace(b"scheduler:execute_graph", b"scheduler:another_graph")
        self.write_row(row_id, due.timestamp(), state)
        self._left[row_id] = state

    def row_is_there(self, row_id: str) -> bool:
        """Return whether it is there, byte for byte."""
        query = f"SELECT job_state FROM {SCHEMA}.apscheduler_jobs WHERE id = %s"
        return [bytes(row[0]) for row in self.sql(query, (row_id,))] == [self._left[row_id]]

    def write_row(self, row_id: str, next_run_time: float | None, job_state: bytes) -> None:
        """Write a row as an operator might."""
        self.sql(
            f"INSERT INTO {SCHEMA}.apscheduler_jobs VALUES (%s, %s, %s) ON CONFLICT (id) DO UPDATE SET"
            " next_run_time = excluded.next_run_time, job_state = excluded.job_state RETURNING 1",
            (row_id, next_run_time, job_state),
        )

    def sql(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement as somebody else; return its rows."""
        connection = psycopg2.connect(plain(self.url))
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    async def aclose(self) -> None:
        """Check that every connection was given back, and close them."""
        checked_out = self.database.engine.pool.status()
        await self.database.aclose()
        assert "Current Checked out connections: 0" in checked_out, checked_out


async def postgres_world(server: Server) -> AsyncIterator[PostgresWorld]:
    """Yield a world in a fresh database, and take it down."""
    world = PostgresWorld(server.new_database())
    try:
        yield world
    finally:
        await world.aclose()
        server.drop(world.url)


def a_job(job_id: str = "job", *, due: datetime | None = NOW, **kwargs: Any) -> Job:
    """Return an hourly schedule."""
    return Job(
        id=job_id,
        kind=JobKind.EXECUTE_GRAPH,
        name="a schedule",
        trigger=IntervalTrigger(interval=HOUR, start_at=NOW, timezone="UTC"),
        kwargs={"user_id": "user", "graph_id": "graph", "input_data": {}, **kwargs},
        next_run_at=due,
    )


def hourly(trigger: Trigger, due: datetime, now: datetime) -> Advance:
    """Plan: the due time fires, and the next one is an hour after now."""
    del trigger
    return Advance(scheduled_at=due, next_run_at=now + HOUR)


def new_firing(job_id: str = "job", *, at: datetime = NOW, **changes: Any) -> NewFiring:
    """Return a firing about to be recorded."""
    fields: dict[str, Any] = {"payload": {"user_id": "user", "graph_id": "graph"}, **changes}
    return NewFiring(job_id=job_id, kind="execute_graph", scheduled_at=at, **fields)


def outcome(firing: Firing, state: FiringState, **changes: Any) -> Outcome:
    """Return what an attempt at `firing`, made now, came to."""
    fields: dict[str, Any] = {"attempts": firing.attempts + 1, **changes}
    return Outcome(firing_id=firing.id, state=state, dispatched_at=NOW, finished_at=NOW, **fields)


@dataclass
class Replica:
    """A living replica's name, with the two calls that most tests begin with."""

    world: World
    name: str

    async def record(self, *firings: NewFiring) -> list[Firing]:
        """Record firings as this replica."""
        store = StoreName.EXECUTION.value
        return list(await self.world.ledger.record(firings, store=store, owner=self.name))

    async def settle(self, *outcomes: Outcome) -> frozenset[int]:
        """Settle outcomes as this replica."""
        return await self.world.ledger.settle(outcomes, owner=self.name)


async def replica(world: World, name: str = "one") -> Replica:
    """Register a replica."""
    await world.leases.register(name)
    return Replica(world, name)


async def only_record(world: World) -> FiringRecord:
    """Return the single firing there is."""
    (record,) = await world.ledger.history()
    return record
