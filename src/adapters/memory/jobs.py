"""A job store in memory: the specification's `weekly_notifications`, and the fake for the others."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from adapters.memory.faults import FailsOnDemand
from adapters.memory.firings import MemoryFiringLedger
from ports.firings import FiringLedger, NewFiring
from ports.jobs import Advance, Claim, FiringPlan, Job, JobKind, Position, StoreName, UnreadableRow


def in_order(job: Job | Position) -> tuple[bool, datetime, str]:
    """Return by what lists are ordered: next run, then id, paused ones last."""
    paused = job.next_run_at is None
    return paused, datetime.min.replace(tzinfo=UTC) if job.next_run_at is None else job.next_run_at, job.id


def _now_due(job: Job, now: datetime) -> bool:
    return job.next_run_at is not None and job.next_run_at <= now


class MemoryJobStore(FailsOnDemand):
    """Jobs in a dict, `jobs` by id; `rows_left_alone` by id stand for rows that can't be read.

    `unmet` are the due times of those rows that no claim has met yet; met ones are not reported again.

    The ledger may be any: recording a firing there is the claim, so that replicas with a memory store each
    still run every due time once between them.
    """

    def __init__(self, name: StoreName, *, ledger: FiringLedger, woken: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.name = name
        self.jobs: dict[str, Job] = {}
        self.rows_left_alone: dict[str, UnreadableRow] = {}
        self.unmet: dict[str, datetime] = {}
        self._ledger = ledger
        self._woken = woken

    async def put(self, job: Job, *, replacing: Callable[[Job], Job] | None = None) -> bool:
        """Store `job`, replacing one of the same id by what `replacing` says."""
        self._raise_if_failing()
        if job.id in self.rows_left_alone:
            return False
        stored = self.jobs.get(job.id)
        self.jobs[job.id] = job if stored is None or replacing is None else replacing(stored)
        self._woken()
        return True

    async def get(self, job_id: str) -> Job | None:
        """Return the job, or None."""
        self._raise_if_failing()
        return self.jobs.get(job_id)

    async def change(self, job_id: str, *, change: Callable[[Job], Job | None]) -> Job | None:
        """Replace a job by what `change` makes of it."""
        self._raise_if_failing()
        job = self.jobs.get(job_id)
        if job is None:
            return None
        changed = change(job)
        if changed is None:
            return job
        self.jobs[job_id] = changed
        if changed.next_run_at is None and job.next_run_at is not None:
            self._cancel(job_id)
        self._woken()
        return changed

    async def remove(self, job_id: str, *, allow: Callable[[Job], None]) -> Job | None:
        """Delete a job that `allow` lets go."""
        self._raise_if_failing()
        job = self.jobs.get(job_id)
        if job is None:
            return None
        allow(job)
        del self.jobs[job_id]
        self._cancel(job_id)
        return job

    async def enqueue(
        self, job_id: str, *, firings: Callable[[Job], Sequence[NewFiring]]
    ) -> tuple[Job, frozenset[datetime]] | None:
        """Record firings of a job outside its cadence."""
        self._raise_if_failing()
        job = self.jobs.get(job_id)
        if job is None:
            return None
        return job, await self._ledger.enqueue(firings(job), store=self.name)

    def _cancel(self, job_id: str) -> None:
        if isinstance(self._ledger, MemoryFiringLedger):
            self._ledger.cancel(self.name, job_id)

    async def list(
        self,
        *,
        user_id: str | None = None,
        graph_id: str | None = None,
        include_paused: bool = False,
        after: Position | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Job]:
        """Yield the graph execution jobs that match, in order."""
        self._raise_if_failing()
        matching = (
            job
            for job in sorted(self.jobs.values(), key=in_order)
            if job.kind is JobKind.EXECUTE_GRAPH
            and (include_paused or job.next_run_at is not None)
            and user_id in (None, job.kwargs.get("user_id"))
            and graph_id in (None, job.kwargs.get("graph_id"))
            and (after is None or in_order(job) > in_order(after))
        )
        for job in islice(matching, limit):
            yield job

    async def next_due(self) -> datetime | None:
        """Return the earliest due time."""
        self._raise_if_failing()
        return min((job.next_run_at for job in self.jobs.values() if job.next_run_at is not None), default=None)

    async def claim_due(self, *, now: datetime, limit: int, owner: str, plan: FiringPlan) -> Claim:
        """Advance due jobs and record their firings, soonest first."""
        self._raise_if_failing()
        due = sorted((job for job in self.jobs.values() if _now_due(job, now)), key=in_order)[:limit]
        advances = [(job, plan(job.trigger, job.next_run_at or now, now)) for job in due]
        firings = await self._ledger.record(
            [_new_firing(job, advance) for job, advance in advances], store=self.name, owner=owner
        )
        for job, advance in advances:
            if advance.next_run_at is None:
                self.jobs.pop(job.id, None)
            else:
                self.jobs[job.id] = replace(job, next_run_at=advance.next_run_at)
        met = [row_id for row_id, due_at in self.unmet.items() if due_at <= now][: limit - len(due)]
        for row_id in met:
            del self.unmet[row_id]
        unreadable = [self.rows_left_alone[row_id] for row_id in met]
        return Claim(firings=firings, taken=len(due) + len(met), unreadable=unreadable)

    async def unreadable(self) -> AsyncIterator[UnreadableRow]:
        """Yield the rows left alone."""
        self._raise_if_failing()
        for row in self.rows_left_alone.values():
            yield row


def _new_firing(job: Job, advance: Advance) -> NewFiring:
    return NewFiring(
        job_id=job.id,
        kind=job.kind,
        scheduled_at=advance.scheduled_at.astimezone(UTC),
        payload=job.kwargs,
        coalesced=advance.coalesced,
        dropped=advance.dropped,
    )
