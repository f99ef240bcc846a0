"""What became of due times: the ledger of firings, and the leases under which they are dispatched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol


class FiringState(StrEnum):
    """Where a firing stands. Everything but the first three is final."""

    LEASED = "leased"  # a replica is at it
    WAITING = "waiting"  # nobody's: to be picked up when its `attempt_at` has come
    HELD = "held"  # as waiting, but because the deployment is wrong
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # refused for good
    DEAD = "dead"  # retried until the deadline
    CANCELLED = "cancelled"  # its schedule was deleted or paused before dispatch
    DROPPED = "dropped"  # later than the operator's misfire grace


FINAL_STATES = frozenset(FiringState) - {FiringState.LEASED, FiringState.WAITING, FiringState.HELD}


@dataclass(frozen=True, slots=True)
class NewFiring:
    """A firing about to be recorded.

    `scheduled_at` is the due time that fires, `coalesced` how many earlier ones it stands for besides.
    `dropped` marks one that is recorded as DROPPED and not dispatched.
    """

    job_id: str
    kind: str
    scheduled_at: datetime
    payload: Mapping[str, Any]
    coalesced: int = 0
    dropped: bool = False


@dataclass(slots=True)
class Firing:
    """One due time of one job, leased to whoever holds this record.

    `attempts` counts the dispatches begun so far, `claimed_at` when it was recorded. Nobody changes it; it is not
    frozen, since that makes it twice as long in the making, and a rush makes very many.
    """

    id: int
    store: str
    job_id: str
    kind: str
    scheduled_at: datetime
    claimed_at: datetime
    payload: Mapping[str, Any]
    attempts: int = 0
    coalesced: int = 0

    @property
    def idempotency_key(self) -> str:
        """`{job id}:{scheduled time, UTC, RFC 3339}`, the same on every attempt (design.md section 6)."""
        return idempotency_key(self.job_id, self.scheduled_at)


def idempotency_key(job_id: str, scheduled_at: datetime) -> str:
    """Return the key of a firing."""
    return f"{job_id}:{_text(scheduled_at.astimezone(UTC))}"


@lru_cache  # in a rush many firings have the same due time; in UTC, since others compare without their fold
def _text(utc: datetime) -> str:
    return utc.isoformat().replace("+00:00", "Z")


@dataclass(slots=True)  # not frozen, as Firing
class Outcome:
    """What an attempt came to. For WAITING and HELD `attempt_at` says when to try again.

    `error` is text for a person, without payload or secrets; `code` a stable word.
    `gone` names the job whose target is gone, where that is why the firing FAILED; it is not stored.
    """

    firing_id: int
    state: FiringState
    dispatched_at: datetime | None
    finished_at: datetime
    attempts: int
    execution_id: str | None = None
    code: str | None = None
    error: str | None = None
    attempt_at: datetime | None = None
    gone: str | None = None


@dataclass(frozen=True, slots=True)
class FiringRecord:
    """A firing as history shows it. `result` of a system task is not kept; payloads are not shown."""

    id: int
    store: str
    job_id: str
    kind: str
    user_id: str | None
    graph_id: str | None
    scheduled_at: datetime
    claimed_at: datetime
    dispatched_at: datetime | None
    finished_at: datetime | None
    state: FiringState
    attempts: int
    coalesced: int
    execution_id: str | None
    code: str | None
    error: str | None
    attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long finished firings are kept."""

    successes: timedelta
    failures: timedelta


class FiringLedger(Protocol):
    """Every due time that was claimed, once. Any method may raise StoreUnavailable.

    Methods that lease firings to `owner` raise LeaseLost when that replica is not a living one.
    """

    async def record(self, firings: Sequence[NewFiring], *, store: str, owner: str) -> Sequence[Firing]:
        """Record firings outside a job store's claim, leased to `owner`; return those not recorded before.

        For the in-memory store: inserting is the claim, so that N replicas run each due time once.
        """
        ...

    async def enqueue(self, firings: Sequence[NewFiring], *, store: str) -> frozenset[datetime]:
        """Record firings that nobody leases, WAITING to be picked up at once, and wake the replicas.

        Return the due times of those that are new. One that is recorded already, in whatever state, stays as it
        is. `dropped` is not for these.
        """
        ...

    async def pick_up(self, *, now: datetime, limit: int, owner: str) -> Sequence[Firing]:
        """Lease up to `limit` waiting or held firings whose `attempt_at` has come, soonest first."""
        ...

    async def stranded(self, *, owner: str, holding: frozenset[int]) -> Sequence[Firing]:
        """Return the firings leased to `owner` whose ids are not in `holding`.

        They come from a claim whose answer was lost after its commit (StoreUnavailable).
        """
        ...

    async def next_attempt(self) -> datetime | None:
        """Return the earliest `attempt_at` of the waiting and held firings, or None."""
        ...

    async def settle(self, outcomes: Sequence[Outcome], *, owner: str) -> frozenset[int]:
        """Write outcomes in one transaction; return the ids that were accepted.

        Fenced: an outcome counts only while `owner` leases the firing and `attempts` is one more than what is
        recorded, so that neither a replica that lost its lease nor a repeated call whose first answer was lost
        overwrites what came later. WAITING and HELD for a
        firing whose schedule was removed or paused meanwhile become CANCELLED. Final states but FAILED and DEAD
        drop the payload.
        """
        ...

    async def history(
        self,
        *,
        job_id: str | None = None,
        user_id: str | None = None,
        states: frozenset[FiringState] | None = None,
        limit: int = 100,
        before_id: int | None = None,
    ) -> Sequence[FiringRecord]:
        """Return firings, newest first by id, below `before_id` where it is given."""
        ...

    async def resend(self, firing_id: int, *, now: datetime) -> bool:
        """Make a FAILED, DEAD or HELD firing wait for dispatch at once, attempts kept; False for any other."""
        ...

    async def counts(self) -> Mapping[FiringState, int]:
        """Return how many firings are in each state but LEASED and SUCCEEDED: those come and go too fast."""
        ...

    async def prune(self, *, now: datetime, keep: Retention, limit: int) -> int:
        """Delete up to `limit` finished firings that are older than `keep` allows; return how many."""
        ...
