"""Where jobs live: the three job stores of the specification, one Protocol."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from ports.firings import Firing, NewFiring
from ports.triggers import Trigger


class JobKind(StrEnum):
    """What a job does; store adapters translate between these and function references."""

    EXECUTE_GRAPH = "execute_graph"
    PROCESS_EXISTING_BATCHES = "process_existing_batches"
    PROCESS_WEEKLY_SUMMARY = "process_weekly_summary"
    REPORT_LATE_EXECUTIONS = "report_late_executions"
    REPORT_BLOCK_ERROR_RATES = "report_block_error_rates"
    CLEANUP_EXPIRED_FILES = "cleanup_expired_files"


class StoreName(StrEnum):
    """The job stores that the specification names."""

    EXECUTION = "execution"
    BATCHED_NOTIFICATIONS = "batched_notifications"
    WEEKLY_NOTIFICATIONS = "weekly_notifications"


@dataclass(frozen=True, slots=True)
class StockOptions:
    """APScheduler's own job options: carried through unchanged, never acted upon (design.md section 4)."""

    executor: str = "default"
    misfire_grace_time: int | None = None
    coalesce: bool = True
    max_instances: int = 1
    args: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """One row of a job store.

    `kwargs` hold plain JSON types only, keys that nobody knows included.
    `next_run_at` is aware and in the trigger's zone; None means paused.
    """

    id: str
    kind: JobKind
    name: str
    trigger: Trigger
    kwargs: Mapping[str, Any]
    next_run_at: datetime | None
    options: StockOptions = field(default_factory=StockOptions)


@dataclass(frozen=True, slots=True)
class Advance:
    """What one claim does to a due job.

    `scheduled_at` is the due time that fires, `coalesced` how many earlier ones are folded into it.
    `dropped` records the firing as DROPPED instead of leasing it for dispatch.
    `next_run_at` is the job's next due time, None when it has run out and is deleted.
    """

    scheduled_at: datetime
    next_run_at: datetime | None
    coalesced: int = 0
    dropped: bool = False


FiringPlan = Callable[[Trigger, datetime, datetime], Advance]
"""The domain's rule: (trigger, stored due time, now) to what happens.

Pure, so that a store may call it once for all jobs that share a trigger and a due time. Raises OverflowError for
times that no calendar reaches; a store leaves such a row alone."""


class UnreadableReason(StrEnum):
    """Why a row is left alone."""

    QUARANTINED = "quarantined"  # its bytes don't parse, or hold what no such row holds
    FOREIGN = "foreign"  # it parses, but its function is not ours


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that is neither fired nor changed. `detail` is safe to show: it holds nothing of the payload."""

    id: str
    reason: UnreadableReason
    detail: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What one call of `claim_due` took.

    `firings` are new and leased to the caller. `taken` counts the due rows that were handled, so a caller that
    gets as many as it asked for should ask again. `unreadable` are due rows that were stepped around.
    """

    firings: Sequence[Firing]
    taken: int
    unreadable: Sequence[UnreadableRow] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a list of jobs: after the job that is due then (None: paused) and has this id."""

    next_run_at: datetime | None
    id: str


class JobStore(Protocol):
    """Jobs by id and by due time. Any method may raise StoreUnavailable.

    Rows that can't be read, or belong to somebody else, are as if absent for every method but `unreadable`,
    `put` (which does not overwrite them) and `claim_due` (which reports them), and stay as they are.
    """

    @property
    def name(self) -> StoreName:
        """Which of the specification's stores this is."""
        ...

    async def put(self, job: Job, *, replacing: Callable[[Job], Job] | None = None) -> bool:
        """Store `job`, replacing a readable one of the same id.

        Where there is one, `replacing` is asked in the same transaction what to store instead of it, which it
        may refuse: what it raises comes out and nothing is changed. It may be called more than once.
        Wakes replicas that would sleep past the job. False, and nothing changed, when the id belongs to a row
        that is unreadable.
        """
        ...

    async def get(self, job_id: str) -> Job | None:
        """Return the job, or None."""
        ...

    async def change(self, job_id: str, *, change: Callable[[Job], Job | None]) -> Job | None:
        """Replace a job by what `change` makes of it, in one transaction, and return the result.

        None without calling `change` when there is no such job; what `change` raises comes out and nothing is
        changed; when it returns None the job stays as it is and is returned. A change that makes `next_run_at`
        None where it was not (pause) cancels the job's firings that wait for dispatch.
        """
        ...

    async def remove(self, job_id: str, *, allow: Callable[[Job], None]) -> Job | None:
        """Delete a job that `allow` doesn't raise for, in one transaction, and return it as it was.

        None when there is no such job. Cancels its firings that wait for dispatch.
        """
        ...

    async def enqueue(
        self, job_id: str, *, firings: Callable[[Job], Sequence[NewFiring]]
    ) -> tuple[Job, frozenset[datetime]] | None:
        """Record firings of a job outside its cadence, in one transaction, to be dispatched at once.

        `firings` says which, given the job; what it raises comes out and nothing is recorded. It may be called
        more than once. Returns the job, which stays as it is, and the due times that the ledger did not have yet
        (as `FiringLedger.enqueue`); None when there is no such job. Paused jobs have firings like others, and a
        job that is removed or paused at the same moment has none that outlive it.
        """
        ...

    def list(
        self,
        *,
        user_id: str | None = None,
        graph_id: str | None = None,
        include_paused: bool = False,
        after: Position | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Job]:
        """Yield the graph execution jobs that match, ordered by (next_run_at, id), paused ones last.

        Up to `limit` of them, from the first behind `after` on. The list may be long and its reader slow: it holds
        neither memory nor a connection for what is yet to come.
        """
        ...

    async def next_due(self) -> datetime | None:
        """Return the earliest due time, rows known to be unreadable left out; None when nothing is due ever."""
        ...

    async def claim_due(self, *, now: datetime, limit: int, owner: str, plan: FiringPlan) -> Claim:
        """Take up to `limit` jobs due at `now`, soonest first, in one transaction.

        Each is advanced as `plan` says; its firing carries the job's kwargs as payload and is leased to `owner`.
        Two callers never get the same row. A firing that the ledger already has (same store, job and scheduled
        time) is not recorded again, while its job still moves on. A job that has run out is deleted.
        Raises LeaseLost when `owner` is not a living replica.
        """
        ...

    def unreadable(self) -> AsyncIterator[UnreadableRow]:
        """Yield every row that this store leaves alone, by a full scan; for reports, not for hot paths."""
        ...
