"""Claimed firings on their way out: slots, attempts, and what each attempt came to."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass

from domain.firing.attempts import failed_dispatch, failed_task, succeeded
from domain.firing.membership import Membership
from domain.firing.recorder import Recorder
from domain.firing.settings import FiringSettings
from domain.firing.slots import FairQueue
from domain.firing.throttle import Throttle
from ports.clock import Clock
from ports.errors import DispatchFailed, DispatchMisdirected
from ports.firings import Firing, FiringState, Outcome
from ports.jobs import JobKind

logger = logging.getLogger(__name__)

_LOOK_SECS = 0.004  # in which a busy process finishes more than `few_in_flight` quick attempts
_FIRST_LOOK_SECS = 0.012  # connections are opened first

Handler = Callable[[Firing], Awaitable[str | None]]
Handlers = Mapping[str, Handler]
"""What to do with a firing, by its kind: it returns the execution id or None, or raises."""


@dataclass(slots=True)
class DispatchState:
    """Counters and standing troubles of one replica's dispatching, for metrics and readiness."""

    outcomes: dict[FiringState, int]
    misdirected: str | None = None


class Dispatching:
    """Runs handlers for submitted firings, under the membership's lease, and tells the recorder the outcomes.

    `observe` sees every outcome as it comes, `on_attempted` is called after each attempt. Graph executions share
    slots fairly between users, from `few_in_flight` to `max_in_flight` by how fast they finish. System tasks have
    slots of their own.
    """

    def __init__(
        self,
        handlers: Handlers,
        *,
        recorder: Recorder,
        membership: Membership,
        clock: Clock,
        settings: FiringSettings,
        jitter: random.Random,
        alert: Callable[[str], Awaitable[None]],
        observe: Callable[[Firing, Outcome], None],
        on_attempted: Callable[[], None],
    ) -> None:
        self._handlers = handlers
        self._recorder = recorder
        self._membership = membership
        self._clock = clock
        self._settings = settings
        self._jitter = jitter
        self._alert = alert
        self._observe = observe
        self._on_attempted = on_attempted
        self._throttle = Throttle(few=settings.few_in_flight, most=settings.max_in_flight)
        self._looking: asyncio.TimerHandle | None = None
        self._finished_before = 0  # attempts, at the last look
        self._graphs = FairQueue(slots=settings.few_in_flight, user_slots=settings.user_slots)
        self._tasks = FairQueue(slots=settings.system_slots, user_slots=settings.system_slots)
        self._running: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._pace = _Pace()
        self.state = DispatchState(outcomes=dict.fromkeys(FiringState, 0))

    @property
    def in_flight(self) -> int:
        """How many attempts are under way."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many firings wait for a slot."""
        return len(self._graphs) + len(self._tasks)

    @property
    def left(self) -> int:
        """How many firings wait for a slot or are being attempted."""
        return self._graphs.left + self._tasks.left

    def pace(self) -> float:
        """Return how many attempts a second were finished lately."""
        return self._pace.per_second()

    def submit(self, firings: Sequence[Firing]) -> None:
        """Dispatch `firings` as slots become free."""
        for firing in firings:
            self._queue_of(firing).push(firing)
        if self._looking is None:
            self._graphs.slots = self._throttle.begin(self._graphs.in_flight)
        self._start_more(self._graphs)
        self._start_more(self._tasks)
        if self._looking is None and self._graphs:
            self._look_in(_FIRST_LOOK_SECS)

    def drop_waiting(self) -> list[Firing]:
        """Forget the firings that wait for a slot, and return them."""
        return self._graphs.drop(_every) + self._tasks.drop(_every)

    async def idle(self) -> None:
        """Return when no attempt is under way."""
        await self._idle.wait()

    async def cancel(self) -> None:
        """Break off the attempts under way, without an outcome."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def close(self) -> None:
        """Forget what waits, and look no more for what may begin."""
        self.drop_waiting()
        if self._looking is not None:
            self._looking.cancel()

    def _queue_of(self, firing: Firing) -> FairQueue:
        return self._graphs if firing.kind == JobKind.EXECUTE_GRAPH else self._tasks

    def _start_more(self, queue: FairQueue) -> None:
        while (taken := queue.take()) is not None:
            self._run(self._attempt_one_after_the_other(*taken, queue))

    def _look_in(self, secs: float) -> None:
        self._finished_before = self._pace.finished
        self._looking = asyncio.get_running_loop().call_later(secs, self._look)

    def _look(self) -> None:
        """Have more attempts under way, or fewer, for as long as firings wait for a slot."""
        self._looking = None
        if self._graphs:
            self._graphs.slots = self._throttle.look(self._pace.finished - self._finished_before)
            self._look_in(_LOOK_SECS)
            self._start_more(self._graphs)

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        self._idle.clear()
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not self._running:
            self._idle.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.critical("an attempt broke the engine's own rules", exc_info=error)

    async def _attempt_one_after_the_other(self, firing: Firing, user: str | None, queue: FairQueue) -> None:
        """Make the attempt, and then, in the same task, those that take over its slot."""
        while True:
            try:
                await self._attempt(firing)
            except Exception as error:
                # Its firing stays leased. What waits for the slot does not wait for a claim, which may need room.
                logger.critical("an attempt broke the engine's own rules", exc_info=error)
            finally:
                queue.give_back(user)
                self._on_attempted()
            await asyncio.sleep(0)  # a receiver in this process may return without having waited for anything
            taken = queue.take()
            if taken is None:
                return
            firing, user = taken

    async def _attempt(self, firing: Firing) -> None:
        owner = self._membership.replica
        unhindered = self._membership.holds() and not self._recorder.full
        if owner is not None and (unhindered or await self._may_be_made(owner)):
            outcome = await self._outcome(firing)
            self._note(firing, outcome)
            self._recorder.add(outcome, owner=owner)

    async def _may_be_made(self, owner: str) -> bool:
        """Return True once an attempt of `owner` can be made, False once it lost its lease.

        Cut off from the database, an attempt waits until the lease is renewed and outcomes are recorded again.
        """
        while await self._membership.still_holds(owner):
            if not self._recorder.full:
                return True
            await self._recorder.room()
        return False

    async def _outcome(self, firing: Firing) -> Outcome:
        started = self._clock.now()
        try:
            execution_id = await self._handlers.get(firing.kind, _nobody)(firing)
        except DispatchFailed as error:
            return failed_dispatch(
                firing,
                error,
                started=started,
                finished=self._clock.now(),
                deadline=self._settings.dispatch_deadline,
                jitter=self._jitter,
            )
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody broke this attempt off: what it waited for was cancelled.
            return failed_task(firing, error, started=started, finished=self._clock.now())
        except Exception as error:  # noqa: BLE001  process boundary: one task's failure never stops the engine
            return failed_task(firing, error, started=started, finished=self._clock.now())
        return succeeded(firing, started=started, finished=self._clock.now(), execution_id=execution_id)

    def _note(self, firing: Firing, outcome: Outcome) -> None:
        self._pace.finished += 1
        self.state.outcomes[outcome.state] += 1
        self._observe(firing, outcome)
        if outcome.state is FiringState.SUCCEEDED:
            if firing.kind == JobKind.EXECUTE_GRAPH:
                self.state.misdirected = None
            return
        logger.warning(
            "firing %s: %s",
            outcome.state,
            outcome.error,
            extra={"job_id": firing.job_id, "code": outcome.code, "attempts": outcome.attempts},
        )
        if outcome.state is FiringState.HELD and self.state.misdirected is None:
            self.state.misdirected = outcome.error or str(outcome.code)
            self._run(self._raise_alert(self.state.misdirected))

    async def _raise_alert(self, trouble: str) -> None:
        logger.error("firings are held, the receiver seems to be the wrong one: %s", trouble)
        try:
            await self._alert(f"Scheduler: firings are held, the receiver seems to be the wrong one: {trouble}")
        except Exception as error:  # noqa: BLE001  process boundary: an alert that can't be sent is only logged
            logger.warning("alert not sent: %s", error)


async def _nobody(firing: Firing) -> None:
    raise DispatchMisdirected(f"nothing here runs {firing.kind!r}", code="unknown_kind")


def _every(firing: Firing) -> bool:
    del firing
    return True


class _Pace:
    """Finished attempts a second: reckoned when somebody asks, since a rush counts tens of thousands of them."""

    def __init__(self) -> None:
        self.finished = 0
        self._since = float("-inf")
        self._before = 0
        self._last = 0.0

    def per_second(self) -> float:
        """Return the rate between two questions at least a second apart, or so far since, if that is more."""
        now = asyncio.get_running_loop().time()
        since = self.finished - self._before
        if now - self._since >= 1.0:
            self._last = since / (now - self._since)
            self._since, self._before = now, self.finished
        return max(self._last, float(since))
