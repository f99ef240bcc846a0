"""Figures over the fakes."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from adapters.memory.faults import FailsOnDemand
from adapters.memory.firings import Entry, MemoryFiringLedger
from adapters.memory.jobs import MemoryJobStore, in_order
from ports.clock import Clock
from ports.firings import FiringRecord, FiringState
from ports.jobs import Job, JobKind, Position, UnreadableRow
from ports.overview import (
    LAG_STEPS,
    FiringBatch,
    FiringTally,
    Mentions,
    ReplicaSeen,
    ScheduledBatch,
    ScheduledTriggers,
)


class MemoryOverview(FailsOnDemand):
    """Looks into a memory store and its ledger."""

    def __init__(self, jobs: MemoryJobStore, *, ledger: MemoryFiringLedger, clock: Clock) -> None:
        super().__init__()
        self._jobs = jobs
        self._ledger = ledger
        self._clock = clock

    async def scheduled(self, *, after: str = "", limit: int) -> ScheduledBatch:
        """Return the triggers of some jobs, by id."""
        self._raise_if_failing()
        jobs = sorted((job for job in self._jobs.jobs.values() if job.id > after), key=lambda job: job.id)[:limit]
        found = Counter((job.trigger, job.next_run_at) for job in jobs if job.kind is JobKind.EXECUTE_GRAPH)
        groups = [ScheduledTriggers(trigger, due, count) for (trigger, due), count in found.items()]
        return ScheduledBatch(groups, jobs[-1].id if len(jobs) == limit else None)

    async def mentioning(self, text: str, *, after: Position | None = None, limit: int, most: int = 50) -> Mentions:
        """Return jobs that mention a text, in order."""
        self._raise_if_failing()
        jobs = sorted((job for job in self._jobs.jobs.values() if _behind(job, after)), key=in_order)[:limit]
        found = [job for job in jobs if job.kind is JobKind.EXECUTE_GRAPH and _mentions(job, text.lower())]
        if len(found) >= most:
            found = found[:most]
            return Mentions(found, Position(found[-1].next_run_at, found[-1].id))
        return Mentions(found, Position(jobs[-1].next_run_at, jobs[-1].id) if len(jobs) == limit else None)

    async def firings(self, *, before_id: int | None = None, limit: int) -> FiringBatch:
        """Tally some firings."""
        self._raise_if_failing()
        ids = sorted((i for i in self._ledger.entries if before_id is None or i < before_id), reverse=True)[:limit]
        found = Counter(_tallied(self._ledger.entries[firing_id]) for firing_id in ids)
        tallies = [FiringTally(*key, count=count) for key, count in found.items()]
        return FiringBatch(tallies, ids[-1] if len(ids) == limit else None)

    async def latest(self, job_ids: Sequence[str]) -> Mapping[str, FiringRecord]:
        """Return the latest firings of some jobs."""
        self._raise_if_failing()
        found: dict[str, FiringRecord] = {}
        for entry in sorted(self._ledger.entries.values(), key=lambda entry: entry.record.scheduled_at):
            if entry.record.store == self._jobs.name and entry.record.job_id in job_ids:
                found[entry.record.job_id] = entry.record
        return found

    async def replicas(self) -> Sequence[ReplicaSeen]:
        """Return the living replicas."""
        self._raise_if_failing()
        return [ReplicaSeen(name, self._clock.now()) for name in sorted(self._ledger.replicas)]

    async def left_alone(self, *, limit: int) -> Sequence[UnreadableRow]:
        """Return the rows left alone that a claim has met."""
        self._raise_if_failing()
        met = [row for row_id, row in self._jobs.rows_left_alone.items() if row_id not in self._jobs.unmet]
        return sorted(met, key=lambda row: row.id)[:limit]


def _behind(job: Job, after: Position | None) -> bool:
    return after is None or in_order(job) > in_order(after)


def _mentions(job: Job, text: str) -> bool:
    return text in job.name.lower() or text in str(job.kwargs).lower()


def _tallied(entry: Entry) -> tuple[datetime, FiringState, str | None, int | None]:
    record = entry.record
    lag_step = None
    if record.dispatched_at is not None and record.attempts <= 1:
        lag_step = bisect_right(LAG_STEPS, (record.dispatched_at - record.scheduled_at).total_seconds())
    return record.claimed_at.replace(second=0, microsecond=0), record.state, entry.owner, lag_step
