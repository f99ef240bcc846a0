"""What can be said of all schedules and firings at once: asked in batches, for a page that people look at.

No call looks at more than its batch, so whoever wants all of a table goes on from where the last one ended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ports.firings import FiringRecord, FiringState
from ports.jobs import Job, Position, UnreadableRow
from ports.triggers import Trigger

LAG_STEPS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
"""Seconds between a due time and its first dispatch: step n is below `LAG_STEPS[n]`, the last one has no end."""


@dataclass(frozen=True, slots=True)
class ScheduledTriggers:
    """Schedules of one batch that share a trigger and a next run; `next_run_at` is None for paused ones."""

    trigger: Trigger
    next_run_at: datetime | None
    count: int


@dataclass(frozen=True, slots=True)
class ScheduledBatch:
    """A batch of schedules; `end` is where the next begins, None after the last."""

    groups: Sequence[ScheduledTriggers]
    end: str | None


@dataclass(frozen=True, slots=True)
class Mentions:
    """Jobs whose rows mention a text; `end` is where to go on looking, None after the last job."""

    jobs: Sequence[Job]
    end: Position | None


@dataclass(frozen=True, slots=True)
class FiringTally:
    """Firings of one batch that were claimed in the same minute, by the same replica, and came to the same.

    `lag_step` is None where the first attempt is not known to have been the last (`LAG_STEPS`).
    """

    minute: datetime
    state: FiringState
    owner: str | None
    lag_step: int | None
    count: int


@dataclass(frozen=True, slots=True)
class FiringBatch:
    """A batch of firings, newest first; `end` is where the next begins, None after the oldest."""

    tallies: Sequence[FiringTally]
    end: int | None


@dataclass(frozen=True, slots=True)
class ReplicaSeen:
    """A living replica, and when it was last seen by its own clock."""

    name: str
    seen_at: datetime


class Overview(Protocol):
    """Figures over whole tables. Any method may raise StoreUnavailable."""

    async def scheduled(self, *, after: str = "", limit: int) -> ScheduledBatch:
        """Return the triggers of up to `limit` graph execution jobs, in an order of the store's own."""
        ...

    async def mentioning(self, text: str, *, after: Position | None = None, limit: int, most: int = 50) -> Mentions:
        """Return, of the next `limit` jobs, the graph executions whose name or arguments mention `text`.

        In the order of `JobStore.list`, paused ones last; none is looked at once `most` are found. ASCII letters
        match in either case. There may be others among them: a row is not decoded to find out.
        """
        ...

    async def firings(self, *, before_id: int | None = None, limit: int) -> FiringBatch:
        """Tally up to `limit` firings below `before_id`, the newest first: ids are in the order of claims."""
        ...

    async def latest(self, job_ids: Sequence[str]) -> Mapping[str, FiringRecord]:
        """Return the firing with the latest due time of each of these execution jobs that has one."""
        ...

    async def replicas(self) -> Sequence[ReplicaSeen]:
        """Return the living replicas, by name."""
        ...

    async def left_alone(self, *, limit: int) -> Sequence[UnreadableRow]:
        """Return up to `limit` rows that claims met and stepped around, and that are still as they were met."""
        ...
