"""APScheduler's job tables as job stores."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from adapters.postgres.claims import ClaimTransaction
from adapters.postgres.combined import Combined
from adapters.postgres.database import Database, Lane
from adapters.postgres.firing_rows import cancel_firings, enqueue_firings
from adapters.postgres.job_index import payload_bytes
from adapters.postgres.job_listing import JobListing
from adapters.postgres.job_rows import JobRows, due_moment
from adapters.postgres.job_writes import InsertJobs, NewRow, RemoveJobs
from adapters.postgres.quarantine import NOT_QUARANTINED, RECHECK_AFTER
from ports.clock import Clock
from ports.firings import NewFiring
from ports.jobs import Claim, FiringPlan, Job, JobKind, Position, StoreName, UnreadableRow

_NEXT_DUE = f"""
    SELECT j.next_run_time FROM {{jobs}} AS j WHERE j.next_run_time IS NOT NULL AND {NOT_QUARANTINED}
    ORDER BY j.next_run_time LIMIT 1
"""  # noqa: S608  texts of ours
_SMALL_BYTES = 4 * 1024
_MAY_MOVE_WITHIN = timedelta(hours=1)  # what is due later is not expected to move while a list is read


class PostgresJobStore:
    """One of APScheduler's tables. Ours beside it hold the firings and what is known of unreadable rows.

    Calls of users go through the RPC lane, those of the engine through its own.
    """

    def __init__(
        self, name: StoreName, *, database: Database, clock: Clock, notify_within_secs: float = 60.0
    ) -> None:
        self.name = name
        self._database = database
        self._clock = clock
        names = database.names
        wake: dict[str, Any] = {"channel": database.channel, "notify_within_secs": notify_within_secs}
        self._rows = JobRows(names, name, **wake)
        self._insert = InsertJobs(names, name, **wake)
        self._insert_soon = Combined(database, self._insert, single_statement=True)
        self._remove_soon = Combined(database, RemoveJobs(names, name, clock=clock))
        self._listing = JobListing(database, name)
        self._claim = ClaimTransaction(names, name)
        self._next_due = names.sql(_NEXT_DUE, store=name)

    async def put(self, job: Job, *, replacing: Callable[[Job], Job] | None = None) -> bool:
        """Store `job`, replacing a readable one of the same id by what `replacing` says."""
        # To change threads costs more than to write a small row.
        row = self._insert.row(job) if _is_small(job) else await asyncio.to_thread(self._insert.row, job)
        if await self._insert_soon(row):
            return True
        return await self._database.run(Lane.RPC, lambda connection: self._replace(connection, job, row, replacing))

    def _replace(
        self, connection: Connection, job: Job, row: NewRow, replacing: Callable[[Job], Job] | None
    ) -> bool:
        found = self._rows.read(connection, job.id, lock=True)
        if isinstance(found, UnreadableRow):
            return False
        if found is None:
            # Deleted since the insert failed. Whoever inserts between these two wins over us.
            return self._insert(connection, [row])[0] or self._replace(connection, job, row, replacing)
        return self._rows.update(connection, job if replacing is None else replacing(found))

    async def get(self, job_id: str) -> Job | None:
        """Return the job, or None."""
        found = await self._database.run_statement(Lane.RPC, lambda connection: self._rows.read(connection, job_id))
        return found if isinstance(found, Job) else None

    async def change(self, job_id: str, *, change: Callable[[Job], Job | None]) -> Job | None:
        """Replace a job by what `change` makes of it; a database conflict may call `change` again."""

        def work(connection: Connection) -> Job | None:
            job = self._rows.read(connection, job_id, lock=True)
            if not isinstance(job, Job):
                return None
            changed = change(job)
            if changed is None:
                return job
            self._rows.update(connection, changed)
            if changed.next_run_at is None and job.next_run_at is not None:
                self._cancel_firings(connection, job_id)
            return changed

        return await self._database.run(Lane.RPC, work)

    async def remove(self, job_id: str, *, allow: Callable[[Job], None]) -> Job | None:
        """Delete a job that `allow` lets go."""
        return await self._remove_soon((job_id, allow))

    async def enqueue(
        self, job_id: str, *, firings: Callable[[Job], Sequence[NewFiring]]
    ) -> tuple[Job, frozenset[datetime]] | None:
        """Record firings of a job outside its cadence; a database conflict may call `firings` again."""
        now = self._clock.now()

        def work(connection: Connection) -> tuple[Job, frozenset[datetime]] | None:
            job = self._rows.read(connection, job_id, lock=True)
            if not isinstance(job, Job):
                return None
            names, channel = self._database.names, self._database.channel
            fresh = enqueue_firings(
                connection, names, firings(job), store=self.name.value, now=now, channel=channel
            )
            return job, fresh

        return await self._database.run(Lane.RPC, work)

    def _cancel_firings(self, connection: Connection, job_id: str) -> None:
        cancel_firings(
            connection, self._database.names, store=self.name.value, job_ids=[job_id], now=self._clock.now()
        )

    async def list(
        self,
        *,
        user_id: str | None = None,
        graph_id: str | None = None,
        include_paused: bool = False,
        after: Position | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Job]:
        """Yield the graph execution jobs that match, in order.

        A job that fires meanwhile moves down the order and is yielded once all the same.
        """
        if limit == 0:
            return
        movable_until = self._clock.now() + _MAY_MOVE_WITHIN
        yielded: set[str] = set()
        count = 0
        pages = self._listing.pages(
            user_id=user_id, graph_id=graph_id, paused=include_paused, after=after, limit=limit
        )
        async with aclosing(pages):
            async for page in pages:
                for job in page:
                    if isinstance(job, UnreadableRow) or not _behind(job, after, include_paused=include_paused):
                        continue
                    if not isinstance(job, Job) or job.id in yielded or not _matches(job, user_id, graph_id):
                        continue
                    if job.next_run_at is not None and job.next_run_at < movable_until:
                        yielded.add(job.id)
                    yield job
                    count += 1
                    if count == limit:
                        return

    async def next_due(self) -> datetime | None:
        """Return the earliest due time."""
        parameters = {"store": self.name.value, "checked_after": self._clock.now() - RECHECK_AFTER}

        def read(connection: Connection) -> datetime | None:
            seconds = connection.exec_driver_sql(self._next_due, parameters).scalar()
            return None if seconds is None else due_moment(seconds)

        return await self._database.run_statement(Lane.ENGINE, read)

    async def claim_due(self, *, now: datetime, limit: int, owner: str, plan: FiringPlan) -> Claim:
        """Advance due jobs and record their firings, soonest first."""
        claimed_at = self._clock.now()
        return await self._database.run(
            Lane.ENGINE,
            lambda connection: self._claim(
                connection, now=now, limit=limit, owner=owner, plan=plan, claimed_at=claimed_at
            ),
        )

    async def unreadable(self) -> AsyncIterator[UnreadableRow]:
        """Yield every row that is left alone."""
        async for page in self._listing.pages(paused=True, after=None):
            for found in page:
                if isinstance(found, UnreadableRow):
                    yield found


def _behind(job: Job, after: Position | None, *, include_paused: bool) -> bool:
    """Whether a job belongs into a list that begins behind `after`.

    Columns may be finer than a Position's microseconds, and a job may have been paused since its page was found.
    """
    if job.next_run_at is None:
        return include_paused and (after is None or after.next_run_at is not None or job.id > after.id)
    if after is None:
        return True
    if after.next_run_at is None:
        return False
    return (job.next_run_at.astimezone(UTC), job.id) > (after.next_run_at.astimezone(UTC), after.id)


def _matches(job: Job, user_id: str | None, graph_id: str | None) -> bool:
    return (
        job.kind is JobKind.EXECUTE_GRAPH
        and user_id in (None, job.kwargs.get("user_id"))
        and graph_id in (None, job.kwargs.get("graph_id"))
    )


def _is_small(job: Job) -> bool:
    try:
        return len(job.name) + len(payload_bytes(job.kwargs)) <= _SMALL_BYTES
    except (ValueError, TypeError, RecursionError):
        return False
