"""The engine: claims due jobs from the job stores, dispatches their firings, and keeps on through faults."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from domain.firing.dispatching import Dispatching, Handlers
from domain.firing.gone import GoneTargets
from domain.firing.membership import Membership
from domain.firing.plan import firing_plan
from domain.firing.recorder import Recorder
from domain.firing.settings import FiringSettings
from ports.clock import Clock
from ports.errors import LeaseLost, PortError, StoreUnavailable
from ports.firings import Firing, FiringLedger, Outcome
from ports.jobs import JobStore, StoreName
from ports.leases import Leases
from ports.wakeups import WakeUps

logger = logging.getLogger(__name__)

_SLICE_SECS = 1.0  # the longest sleep between two looks at the wall clock, which may step
_RESOLUTION_SECS = 1e-6  # less than this can't be slept
_FIRST_BACKOFF_SECS = 0.1
_LONGEST_BACKOFF_SECS = 2.0
_FIRST_FRUITLESS_SECS = 0.002
_WORTHWHILE = 8  # a claim waits for room for this part of what may be left: many small ones cost more
_QUIET_SECS = 0.2  # in a rush of one store, how long those that had nothing due are left alone
_PRUNE_EVERY_SECS = 60.0
_PRUNE_BATCH = 2000


@dataclass(slots=True)
class EngineState:
    """What the outside may know of a running engine."""

    ticked_at: float = 0.0
    ticks: int = 0
    claimed: int = 0
    taken_over: int = 0
    leases_taken_over: int = 0
    unreadable_due: int = 0
    store_error: str | None = None
    next_due: datetime | None = None


def _unobserved(firing: Firing, outcome: Outcome) -> None:
    """Look at nothing."""


class FiringEngine:
    """One replica's engine. `run` goes on until `stop`; nothing but cancellation makes it end otherwise.

    Everything it does is decided by transactions of the ports, so it may be killed at any point
    (design.md section 6). `jitter` makes retries of replicas differ; seeded, a simulation repeats exactly.
    """

    def __init__(
        self,
        *,
        stores: Sequence[JobStore],
        ledger: FiringLedger,
        leases: Leases,
        wakeups: WakeUps,
        handlers: Handlers,
        clock: Clock,
        settings: FiringSettings,
        new_replica_id: Callable[[], str],
        jitter: random.Random,
        alert: Callable[[str], Awaitable[None]],
        observe: Callable[[Firing, Outcome], None] = _unobserved,
    ) -> None:
        self._stores = stores
        self._ledger = ledger
        self._wakeups = wakeups
        self._clock = clock
        self._settings = settings
        self._plan = firing_plan(settings.misfire_grace)
        self.state = EngineState()
        self._gone = GoneTargets(
            next((store for store in stores if store.name is StoreName.EXECUTION), stores[0]),
            ledger=ledger,
            clock=clock,
            limit=settings.pause_after_gone,
            alert=alert,
        )
        self._recorder = Recorder(ledger, most_unwritten=settings.most_unrecorded, on_settled=self._on_settled)
        self.membership = Membership(
            leases,
            lease_secs=settings.lease_secs,
            new_id=new_replica_id,
            on_lost=self._on_lease_lost,
            on_taken_over=self._on_taken_over,
            holds_from=self._holds_from,
        )
        self.dispatching = Dispatching(
            handlers,
            recorder=self._recorder,
            membership=self.membership,
            clock=clock,
            settings=settings,
            jitter=jitter,
            alert=alert,
            observe=observe,
            on_attempted=self._on_attempted,
        )
        self._held: dict[int, tuple[str, int]] = {}  # firing id to who holds it, for which attempt
        self._last_claimed = 0  # the highest firing id that a claim of this replica returned
        self._room = asyncio.Event()
        self._left_at_room: int | None = None  # with how many firings left there is room for the claim that waits
        self._stopping = asyncio.Event()
        self._look_for_stranded = False
        self._look_for_retries = True
        self._retry_at: datetime | None = None  # when the next retry of this replica's own is due
        self._picked_up_at = float("-inf")
        self._ask_at: dict[StoreName, float] = {}  # in a rush, when a store that had nothing is asked again
        self._fruitless_pause = _FIRST_FRUITLESS_SECS
        self._batch = settings.first_batch

    async def run(self) -> None:
        """Fire until `stop` is called, then finish what is in flight within the grace and give the rest back."""
        keepers = [
            asyncio.create_task(self._recorder.run(), name="recorder"),
            asyncio.create_task(self.membership.keep(), name="membership"),
            asyncio.create_task(self._prune(), name="prune"),
            asyncio.create_task(self._gone.run(), name="gone"),
        ]
        try:
            await self._claim_until_stopped()
            await self._drain()
        finally:
            self.dispatching.close()
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)

    def stop(self) -> None:
        """Stop claiming; `run` returns once the rest is done."""
        self._stopping.set()
        self._room.set()
        self._wakeups.wake()

    @property
    def held(self) -> int:
        """How many firings this replica has claimed and not yet settled."""
        return len(self._held)

    def _loop_time(self) -> float:
        return asyncio.get_running_loop().time()

    def seconds_since_tick(self) -> float:
        """Return how long ago the loop last went round; retrying a database that is away counts."""
        return asyncio.get_running_loop().time() - self.state.ticked_at

    async def _claim_until_stopped(self) -> None:
        backoff = _FIRST_BACKOFF_SECS
        while not self._stopping.is_set():
            self._tick()
            try:
                busy = await self._claim_once()
                if not busy:
                    await self._sleep_until_due()
            except StoreUnavailable as error:
                self._look_for_stranded = True
                self._note_store_error(str(error))
                await self._pause(backoff)
                backoff = min(backoff * 2, _LONGEST_BACKOFF_SECS)
            except LeaseLost:
                self.membership.lose()
            except Exception as error:
                # Process boundary: what nobody foresaw in one claim must not end all firing.
                self._look_for_stranded = True
                if self.state.store_error is None:
                    logger.critical("a claim failed for a reason unknown to it, trying again", exc_info=error)
                self.state.store_error = type(error).__name__
                await self._pause(backoff)
                backoff = min(backoff * 2, _LONGEST_BACKOFF_SECS)
            else:
                backoff = _FIRST_BACKOFF_SECS
                self._note_store_error(None)

    async def _claim_once(self) -> bool:
        """Claim what there is room for; say whether there may be more at once."""
        owner = self.membership.replica or await self.membership.join()
        if self._look_for_stranded:
            stranded = await self._ledger.stranded(owner=owner, holding=frozenset(self._held))
            self._hold(stranded, owner)
            self._look_for_stranded = False
        window = self._window()
        room = window - self.dispatching.left
        worthwhile = max(1, min(self._batch, window // _WORTHWHILE))
        if room < worthwhile:
            await self._wait_for_room(window - worthwhile)
            return True
        limit = min(room, self._batch)
        taken = await self._pick_up(owner, limit)
        rushing = self._batch > self._settings.first_batch
        for store in self._stores:
            if rushing and self._loop_time() < self._ask_at.get(store.name, 0.0):
                continue
            claim = await store.claim_due(now=self._clock.now(), limit=limit, owner=owner, plan=self._plan)
            taken += claim.taken
            self.state.claimed += len(claim.firings)
            for row in claim.unreadable:
                self.state.unreadable_due += 1
                logger.warning("row left alone: %s", row.detail, extra={"job_id": row.id, "reason": row.reason})
            self._hold(claim.firings, owner)
            self._ask_at[store.name] = 0.0 if claim.taken else self._loop_time() + _QUIET_SECS
            if not rushing and claim.taken >= limit:
                rushing = True
                self._put_off_others()
        settings = self._settings
        self._batch = min(2 * self._batch, settings.full_batch) if taken >= limit else settings.first_batch
        if taken:
            self._fruitless_pause = _FIRST_FRUITLESS_SECS
        return taken > 0

    def _put_off_others(self) -> None:
        """At the beginning of one store's rush, leave those alone that had nothing before: the slots need work.

        None twice in a row: one that was left alone lately is asked.
        """
        now = self._loop_time()
        for name, ask_at in self._ask_at.items():
            if ask_at and now - ask_at > _SLICE_SECS:
                self._ask_at[name] = now + _QUIET_SECS

    async def _pick_up(self, owner: str, limit: int) -> int:
        now = asyncio.get_running_loop().time()
        if not self._look_for_retries and now - self._picked_up_at < _SLICE_SECS:
            return 0
        self._picked_up_at = now
        self._retry_at = None
        picked = await self._ledger.pick_up(now=self._clock.now(), limit=limit, owner=owner)
        self._hold(picked, owner)
        self._look_for_retries = len(picked) >= limit
        return len(picked)

    def _hold(self, firings: Sequence[Firing], owner: str) -> None:
        if owner != self.membership.replica:
            return  # the lease was lost on the way, and with it what this brought
        for firing in firings:
            self._held[firing.id] = (owner, firing.attempts)
            self._last_claimed = max(self._last_claimed, firing.id)
        if late := [firing for firing in firings if firing.coalesced and not firing.attempts]:
            logger.warning(
                "%d schedules missed runs, which are folded into one firing each",
                len(late),
                extra={"job_id": late[0].job_id, "missed": sum(firing.coalesced for firing in late)},
            )
        self.dispatching.submit(firings)

    def _holds_from(self) -> int | None:
        """Return the lowest id among what is held as it was claimed, or that the next claim can give.

        Ids rise from claim to claim. A claim whose answer was lost gave ids above all those before it, and no
        other follows it until they are known (`_look_for_stranded`).
        """
        if not self._last_claimed:
            return None
        claimed = (firing_id for firing_id, (_, attempts) in self._held.items() if not attempts)
        return min(claimed, default=self._last_claimed + 1)

    def _window(self) -> int:
        """How many firings may be left at once: what two seconds of dispatching at the current pace take off.

        More would only keep work from other replicas.
        """
        settings = self._settings
        pace = int(2 * self.dispatching.pace())
        return max(2 * settings.max_in_flight, min(pace, 4 * settings.full_batch))

    async def _wait_for_room(self, most_left: int) -> None:
        self._room.clear()
        if self._stopping.is_set():
            return
        self._left_at_room = most_left
        with suppress(TimeoutError):
            await asyncio.wait_for(self._room.wait(), _SLICE_SECS)
        self._left_at_room = None

    def _on_attempted(self) -> None:
        if self._left_at_room is not None and self.dispatching.left <= self._left_at_room:
            self._room.set()

    async def _sleep_until_due(self) -> None:
        """Sleep until the next due time, a wake-up, or the poll; the wall clock is looked at every second."""
        due = await self._next_due()
        self.state.next_due = due
        loop = asyncio.get_running_loop()
        poll_at = loop.time() + self._settings.poll_secs
        if due is not None and due <= self._clock.now():
            # Due, and yet not claimed a moment ago: fresh, or another replica is at it. Not a reason to spin.
            await self._pause(self._fruitless_pause)
            self._fruitless_pause = min(2 * self._fruitless_pause, _SLICE_SECS)
            self._look_for_retries = True
            return
        while not self._stopping.is_set() and self.membership.replica is not None:
            self._tick()
            remaining = poll_at - loop.time()
            for at in (due, self._retry_at):
                if at is not None:
                    remaining = min(remaining, (at - self._clock.now()).total_seconds())
            if remaining <= _RESOLUTION_SECS or await self._wakeups.wait(min(remaining, _SLICE_SECS)):
                break
        self._look_for_retries = True

    async def _next_due(self) -> datetime | None:
        times = [await store.next_due() for store in self._stores]
        times.append(await self._ledger.next_attempt())
        return min((time for time in times if time is not None), default=None)

    def _on_settled(self, owner: str, outcomes: Sequence[Outcome], all_counted: bool) -> None:  # noqa: FBT001
        # An outcome that came too late may hide a lease on a later attempt whose pick-up was never answered.
        self._look_for_stranded |= not all_counted
        for outcome in outcomes:
            if self._held.get(outcome.firing_id) == (owner, outcome.attempts - 1):
                del self._held[outcome.firing_id]
            if outcome.attempt_at is not None and (self._retry_at is None or outcome.attempt_at < self._retry_at):
                self._retry_at = outcome.attempt_at
            if outcome.gone is not None:
                self._gone.suspect(outcome.gone)

    def _on_lease_lost(self) -> None:
        self.dispatching.drop_waiting()
        self._held.clear()
        self._room.set()

    def _on_taken_over(self, freed: int) -> None:
        self.state.taken_over += freed
        self.state.leases_taken_over += freed > 0
        self._wakeups.wake()

    async def _drain(self) -> None:
        self.dispatching.drop_waiting()
        try:
            async with asyncio.timeout(self._settings.shutdown_grace_secs):
                await self.dispatching.idle()
                await self._recorder.flushed()
        except TimeoutError:
            logger.warning(
                "%d firings were still in flight, or waiting for the database, at the end of the grace",
                self.dispatching.in_flight,
            )
            await self.dispatching.cancel()
        try:
            await self.membership.leave()
        except PortError as error:
            logger.warning("lease not given back, it runs out by itself: %s", error)

    async def _prune(self) -> None:
        while True:
            try:
                pruned = await self._ledger.prune(
                    now=self._clock.now(), keep=self._settings.retention, limit=_PRUNE_BATCH
                )
            except PortError as error:
                logger.debug("history not pruned: %s", error)
                pruned = 0
            await asyncio.sleep(_SLICE_SECS if pruned >= _PRUNE_BATCH else _PRUNE_EVERY_SECS)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _tick(self) -> None:
        self.state.ticked_at = asyncio.get_running_loop().time()
        self.state.ticks += 1

    def _note_store_error(self, error: str | None) -> None:
        if error is not None and self.state.store_error is None:
            logger.error("database unavailable, retrying: %s", error)
        elif error is None and self.state.store_error is not None:
            logger.info("database is back")
        self.state.store_error = error
