"""The ledger of firings and the replicas that lease them, in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from adapters.memory.faults import FailsOnDemand
from ports.clock import Clock
from ports.errors import LeaseLost
from ports.firings import (
    FINAL_STATES,
    Firing,
    FiringRecord,
    FiringState,
    NewFiring,
    Outcome,
    Retention,
)

_OPEN = frozenset({FiringState.WAITING, FiringState.HELD})
_RESENDABLE = frozenset({FiringState.FAILED, FiringState.DEAD, FiringState.HELD})
_FAR = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Entry:
    """A firing and what became of it.

    `cancelled` marks a leased one whose schedule is gone, `again` one that was leased after it had waited.
    """

    firing: Firing
    record: FiringRecord
    owner: str | None
    cancelled: bool = False
    again: bool = False


class MemoryFiringLedger(FailsOnDemand):
    """State in plain fields: `entries` by id, `replicas` (name to beat) for the leases that fence claims.

    `holds_from` (name to id) is where a replica's first leases begin, as it said: what it holds is looked for
    there only, as in PostgreSQL, so that the simulation finds out a replica that says too much.
    """

    def __init__(self, clock: Clock, *, woken: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.entries: dict[int, Entry] = {}
        self.replicas: dict[str, int] = {}
        self.holds_from: dict[str, int] = {}
        self._clock = clock
        self._woken = woken
        self._known: dict[tuple[str, str, datetime], int] = {}
        self._last_id = 0

    async def record(self, firings: Sequence[NewFiring], *, store: str, owner: str) -> Sequence[Firing]:
        """Record firings, leased to `owner`; return those not recorded before."""
        self._raise_if_failing()
        return self.insert(firings, store=store, owner=owner)

    def insert(self, firings: Sequence[NewFiring], *, store: str, owner: str) -> list[Firing]:
        """Do what `record` does at once, for stores that claim in the same breath."""
        self.require_alive(owner)
        fresh = [f for f in (self._insert_one(new, store, owner) for new in firings) if f is not None]
        return [firing for firing in fresh if self.entries[firing.id].owner == owner]

    def _insert_one(self, new: NewFiring, store: str, owner: str | None) -> Firing | None:
        identity = (store, new.job_id, new.scheduled_at)
        if identity in self._known:
            return None
        self._last_id += 1
        now = self._clock.now()
        firing = Firing(
            id=self._last_id,
            store=store,
            job_id=new.job_id,
            kind=new.kind,
            scheduled_at=new.scheduled_at,
            claimed_at=now,
            payload={} if new.dropped else dict(new.payload),
            coalesced=new.coalesced,
        )
        record = FiringRecord(
            id=firing.id,
            store=store,
            job_id=new.job_id,
            kind=new.kind,
            user_id=_text(new.payload.get("user_id")),
            graph_id=_text(new.payload.get("graph_id")),
            scheduled_at=new.scheduled_at,
            claimed_at=now,
            dispatched_at=None,
            finished_at=now if new.dropped else None,
            state=FiringState.DROPPED if new.dropped else FiringState.LEASED,
            attempts=0,
            coalesced=new.coalesced,
            execution_id=None,
            code=None,
            error=None,
            attempt_at=None,
        )
        self._known[identity] = firing.id
        self.entries[firing.id] = Entry(firing, record, None if new.dropped else owner)
        return firing

    async def enqueue(self, firings: Sequence[NewFiring], *, store: str) -> frozenset[datetime]:
        """Record firings that wait for whoever picks them up."""
        self._raise_if_failing()
        fresh = [f for f in (self._insert_one(new, store, owner=None) for new in firings) if f is not None]
        for firing in fresh:
            entry = self.entries[firing.id]
            entry.record = replace(entry.record, state=FiringState.WAITING, attempt_at=firing.claimed_at)
        self._woken()
        return frozenset(firing.scheduled_at for firing in fresh)

    async def pick_up(self, *, now: datetime, limit: int, owner: str) -> Sequence[Firing]:
        """Lease waiting and held firings whose time has come, soonest first."""
        self._raise_if_failing()
        self.require_alive(owner)
        due = [e for e in self.entries.values() if e.record.state in _OPEN and _attempt_at(e) <= now]
        due.sort(key=lambda entry: (_attempt_at(entry), entry.firing.id))
        for entry in due[:limit]:
            entry.owner, entry.again = owner, True
            entry.record = replace(entry.record, state=FiringState.LEASED, attempt_at=None)
        return [replace(entry.firing, attempts=entry.record.attempts) for entry in due[:limit]]

    async def stranded(self, *, owner: str, holding: frozenset[int]) -> Sequence[Firing]:
        """Return the firings leased to `owner` that it doesn't know of."""
        self._raise_if_failing()
        self.require_alive(owner)
        return [
            replace(entry.firing, attempts=entry.record.attempts)
            for entry in self._held_by(owner)
            if entry.firing.id not in holding
        ]

    async def next_attempt(self) -> datetime | None:
        """Return the earliest `attempt_at` of the waiting and held firings."""
        self._raise_if_failing()
        return min((_attempt_at(e) for e in self.entries.values() if e.record.state in _OPEN), default=None)

    async def settle(self, outcomes: Sequence[Outcome], *, owner: str) -> frozenset[int]:
        """Write outcomes of firings that `owner` leases."""
        self._raise_if_failing()
        return frozenset(outcome.firing_id for outcome in outcomes if self._settle_one(outcome, owner))

    def _settle_one(self, outcome: Outcome, owner: str) -> bool:
        entry = self.entries.get(outcome.firing_id)
        if entry is None or entry.owner != owner or outcome.attempts != entry.record.attempts + 1:
            return False
        state = FiringState.CANCELLED if entry.cancelled and outcome.state in _OPEN else outcome.state
        entry.owner = None
        entry.record = replace(
            entry.record,
            state=state,
            dispatched_at=outcome.dispatched_at or entry.record.dispatched_at,
            finished_at=outcome.finished_at if state in FINAL_STATES else None,
            attempts=outcome.attempts,
            execution_id=outcome.execution_id,
            code=outcome.code,
            error=outcome.error,
            attempt_at=outcome.attempt_at if state in _OPEN else None,
        )
        if state in FINAL_STATES and state not in _RESENDABLE:
            entry.firing = replace(entry.firing, payload={})
        return True

    def cancel(self, store: str, job_id: str) -> None:
        """Cancel a job's firings that wait, and mark the leased ones, as removing or pausing it does."""
        for entry in self.entries.values():
            if (entry.firing.store, entry.firing.job_id) != (store, job_id):
                continue
            if entry.record.state in _OPEN:
                entry.record = replace(
                    entry.record, state=FiringState.CANCELLED, finished_at=self._clock.now(), attempt_at=None
                )
                entry.firing = replace(entry.firing, payload={})
            elif entry.record.state is FiringState.LEASED:
                entry.cancelled = True

    async def history(
        self,
        *,
        job_id: str | None = None,
        user_id: str | None = None,
        states: frozenset[FiringState] | None = None,
        limit: int = 100,
        before_id: int | None = None,
    ) -> Sequence[FiringRecord]:
        """Return firings that match, newest first."""
        self._raise_if_failing()
        found = [
            entry.record
            for firing_id, entry in sorted(self.entries.items(), reverse=True)
            if (before_id is None or firing_id < before_id)
            and (job_id is None or entry.record.job_id == job_id)
            and (user_id is None or entry.record.user_id == user_id)
            and (states is None or entry.record.state in states)
        ]
        return found[:limit]

    async def resend(self, firing_id: int, *, now: datetime) -> bool:
        """Make a failed, dead or held firing wait for dispatch at once."""
        self._raise_if_failing()
        entry = self.entries.get(firing_id)
        if entry is None or entry.record.state not in _RESENDABLE:
            return False
        entry.cancelled = False
        entry.record = replace(entry.record, state=FiringState.WAITING, finished_at=None, attempt_at=now)
        return True

    async def counts(self) -> Mapping[FiringState, int]:
        """Count firings by state, leased and succeeded ones left out."""
        self._raise_if_failing()
        counts = dict.fromkeys(frozenset(FiringState) - {FiringState.LEASED, FiringState.SUCCEEDED}, 0)
        for entry in self.entries.values():
            if entry.record.state in counts:
                counts[entry.record.state] += 1
        return counts

    async def prune(self, *, now: datetime, keep: Retention, limit: int) -> int:
        """Delete finished firings that are old enough."""
        self._raise_if_failing()
        old = [firing_id for firing_id, entry in self.entries.items() if _expired(entry.record, now, keep)][:limit]
        for firing_id in old:
            firing = self.entries.pop(firing_id).firing
            del self._known[firing.store, firing.job_id, firing.scheduled_at]
        return len(old)

    def require_alive(self, owner: str) -> None:
        """Raise LeaseLost when `owner` is not a living replica."""
        if owner not in self.replicas:
            raise LeaseLost(owner)

    def free(self, owner: str) -> int:
        """Make `owner`'s leased firings wait for pick-up at once; return how many."""
        freed = self._held_by(owner)
        for entry in freed:
            entry.owner = None
            gone = entry.cancelled
            entry.record = replace(
                entry.record,
                state=FiringState.CANCELLED if gone else FiringState.WAITING,
                finished_at=self._clock.now() if gone else None,
                attempt_at=None if gone else self._clock.now(),
            )
        return len(freed)

    def _held_by(self, owner: str) -> list[Entry]:
        since = self.holds_from.get(owner, 0)
        mine = (entry for entry in self.entries.values() if entry.owner == owner)
        return [entry for entry in mine if entry.again or entry.firing.id >= since]


def _attempt_at(entry: Entry) -> datetime:
    return entry.record.attempt_at or _FAR


def _expired(record: FiringRecord, now: datetime, keep: Retention) -> bool:
    if record.finished_at is None or record.state not in FINAL_STATES:
        return False
    kept = keep.successes if record.state is FiringState.SUCCEEDED else keep.failures
    return record.finished_at < now - kept


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
