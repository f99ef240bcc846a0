"""The engine over fakes, in simulated time."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.memory.dispatch import MemoryExecutionDispatch
from adapters.memory.firings import MemoryFiringLedger
from adapters.memory.jobs import MemoryJobStore
from adapters.memory.leases import MemoryLeases
from adapters.memory.wakeups import MemoryWakeUps
from adapters.postgres.payloads import JsonPayload
from domain.firing.engine import FiringEngine
from domain.firing.handlers import graph_handler
from domain.firing.settings import FiringSettings
from ports.errors import DispatchMisdirected, DispatchRefused, DispatchTransient, StoreUnavailable
from ports.firings import Firing, FiringState, NewFiring, Outcome
from ports.jobs import Job, JobKind, StoreName
from ports.triggers import CronTrigger, DateTrigger, Trigger
from tests.simulation.loop import Simulated, SimulatedLoop
from tests.simulation.world import START, WallClock

MINUTE = timedelta(minutes=1)
EVERY_MINUTE = CronTrigger(timezone="UTC")


class House:
    """An engine and the fakes around it."""

    def __init__(self, loop: SimulatedLoop, settings: FiringSettings | None = None) -> None:
        self.clock = WallClock(loop)
        self.wakeups = MemoryWakeUps()
        self.ledger = MemoryFiringLedger(self.clock, woken=self.wakeups.wake)
        self.leases = MemoryLeases(self.ledger)
        self.store = MemoryJobStore(StoreName.EXECUTION, ledger=self.ledger, woken=self.wakeups.wake)
        self.dispatch = MemoryExecutionDispatch()
        self.alerts: list[str] = []
        self.delay_secs = 0.0
        self.most_in_flight = 0
        self._handle = graph_handler(self.dispatch)
        self.alert_error: Exception | None = None
        self.engine = self.new_engine(settings or FiringSettings())

    def new_engine(self, settings: FiringSettings, *more: MemoryJobStore) -> FiringEngine:
        """Return an engine over what is there, and over `more` stores."""
        return FiringEngine(
            stores=[self.store, *more],
            ledger=self.ledger,
            leases=self.leases,
            wakeups=self.wakeups,
            handlers={JobKind.EXECUTE_GRAPH: self._dispatch},
            clock=self.clock,
            settings=settings,
            new_replica_id=lambda: f"r{random.random()}",
            jitter=random.Random(1),
            alert=self.alert,
        )

    async def _dispatch(self, firing: Firing) -> str | None:
        self.most_in_flight = max(self.most_in_flight, self.engine.dispatching.in_flight)
        await asyncio.sleep(self.delay_secs)
        return await self._handle(firing)

    async def alert(self, text: str) -> None:
        """Take note of an alert."""
        self.alerts.append(text)
        if self.alert_error is not None:
            raise self.alert_error

    async def add(self, trigger: Trigger = EVERY_MINUTE, *, due: datetime = START + MINUTE, **kwargs: Any) -> Job:
        """Store a schedule."""
        arguments = {"user_id": "u", "graph_id": "g", "graph_version": 1, "input_data": {}, "input_credentials": {}}
        job = Job(
            id="j",
            kind=JobKind.EXECUTE_GRAPH,
            name="n",
            trigger=trigger,
            kwargs=arguments | kwargs,
            next_run_at=due,
        )
        await self.store.put(job)
        return job

    async def rush(self, count: int, *, due: datetime = START) -> None:
        """Store `count` schedules that are due at one moment, once."""
        job = await self.add(DateTrigger(run_at=due), due=due)
        for number in range(1, count):
            await self.store.put(replace(job, id=f"{number}"))

    async def rush_with_stuck_recording(self, count: int) -> asyncio.Event:
        """Let `count` schedules be due, and no outcome be recorded until the event that is returned is set."""
        await self.rush(count)
        released = asyncio.Event()
        settle = self.ledger.settle

        async def settle_later(outcomes: Sequence[Outcome], *, owner: str) -> frozenset[int]:
            await released.wait()
            return await settle(outcomes, owner=owner)

        self.ledger.settle = settle_later  # type: ignore[method-assign]
        return released

    async def enqueue(self, job: Job) -> None:
        """Have a schedule run outside its cadence."""
        firing = NewFiring(job.id, job.kind, self.clock.now(), job.kwargs)
        await self.ledger.enqueue([firing], store=self.store.name)

    async def until(self, moment: datetime) -> None:
        """Let time pass up to a moment."""
        await asyncio.sleep((moment - self.clock.now()).total_seconds())

    def fired(self) -> list[datetime]:
        """Return the due times that were dispatched, in order."""
        return [request.scheduled_at for request in self.dispatch.requests]

    def states(self) -> list[FiringState]:
        """Return where each firing stands, in order of recording."""
        return [entry.record.state for entry in self.ledger.entries.values()]

    async def run(self, seconds: float) -> None:
        """Run the engine for a while and stop it."""
        task = asyncio.get_running_loop().create_task(self.engine.run())
        await asyncio.sleep(seconds)
        self.engine.stop()
        await task


def test_a_due_job_fires_on_time_every_time(simulated: Simulated) -> None:
    """Each minute is dispatched at its minute and recorded as succeeded."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        await house.add()
        await house.run(185)
        assert house.fired() == [START + MINUTE, START + 2 * MINUTE, START + 3 * MINUTE]
        assert house.states() == [FiringState.SUCCEEDED] * 3
        for entry in house.ledger.entries.values():
            assert entry.record.dispatched_at is not None
            assert entry.record.dispatched_at - entry.record.scheduled_at < timedelta(milliseconds=10)

    simulated(scenario)


def test_a_job_added_while_sleeping_wakes_the_engine(simulated: Simulated) -> None:
    """An earlier due time than the one slept for is not slept through."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        task = loop.create_task(house.engine.run())
        await asyncio.sleep(5)
        await house.add(DateTrigger(START + timedelta(seconds=6)), due=START + timedelta(seconds=6))
        await asyncio.sleep(1.5)
        assert house.fired() == [START + timedelta(seconds=6)]
        house.engine.stop()
        await task

    simulated(scenario)


def test_what_came_due_in_a_downtime_fires_once_for_the_latest(simulated: Simulated) -> None:
    """The due times before it are counted on the firing."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        await house.add(due=START - 10 * MINUTE)
        await house.run(1)
        assert house.fired() == [START]
        assert [entry.record.coalesced for entry in house.ledger.entries.values()] == [10]

    simulated(scenario)


def test_what_is_later_than_the_grace_is_recorded_as_dropped(simulated: Simulated) -> None:
    """The operator's bound drops nothing silently, and the schedule goes on."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(misfire_grace=timedelta(seconds=30)))
        yearly = CronTrigger(timezone="UTC", minute="0", hour="0", day="1", month="1")
        await house.add(yearly, due=datetime(2026, 1, 1, tzinfo=UTC))
        await house.run(1)
        assert house.fired() == []
        assert house.states() == [FiringState.DROPPED]
        assert house.store.jobs["j"].next_run_at == datetime(2027, 1, 1, tzinfo=UTC)

    simulated(scenario)


def test_a_one_off_job_is_gone_after_its_firing(simulated: Simulated) -> None:
    """A trigger that has run out takes its row with it, as in the original."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        await house.add(DateTrigger(START + MINUTE))
        await house.run(61)
        assert house.fired() == [START + MINUTE]
        assert house.store.jobs == {}

    simulated(scenario)


def test_a_transient_failure_is_retried_with_the_same_key(simulated: Simulated) -> None:
    """The receiver can tell a repeat by its idempotency key."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        await house.add()
        house.dispatch.fail_next(
            DispatchTransient("down", code="connect"), DispatchTransient("down", code="connect")
        )
        await house.run(70)
        keys = {request.idempotency_key for request in house.dispatch.requests}
        assert keys == {"j:2026-11-24T09:01:00Z"}
        record = next(iter(house.ledger.entries.values())).record
        assert (record.state, record.attempts) == (FiringState.SUCCEEDED, 3)

    simulated(scenario)


def test_a_refused_firing_fails_and_its_schedule_goes_on(simulated: Simulated) -> None:
    """Permanent failure is of one firing, not of the schedule."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        await house.add()
        house.dispatch.fail_next(DispatchRefused("no graph", code="NotFoundError"))
        await house.run(121)
        assert house.states() == [FiringState.FAILED, FiringState.SUCCEEDED]

    simulated(scenario)


def test_stored_arguments_that_make_no_execution_fail_that_firing(simulated: Simulated) -> None:
    """A row with broken arguments is neither deleted nor in anybody's way."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        await house.add(graph_version="three")
        await house.run(61)
        assert house.states() == [FiringState.FAILED]
        assert "j" in house.store.jobs

    simulated(scenario)


def test_a_wrong_deployment_holds_firings_and_alerts_once(simulated: Simulated) -> None:
    """Held firings go out by themselves once the deployment is right."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        await house.add()
        wrong = DispatchMisdirected("405", code="http_405")
        house.dispatch.fail_next(wrong, wrong)
        task = loop.create_task(house.engine.run())
        await asyncio.sleep(121)
        assert house.engine.dispatching.state.misdirected is None
        assert len(house.alerts) == 1
        house.engine.stop()
        await task
        assert set(house.states()) == {FiringState.SUCCEEDED}

    simulated(scenario)


def test_a_database_that_is_away_is_waited_for(simulated: Simulated) -> None:
    """The loop backs off, keeps ticking, and goes on by itself."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        await house.add(due=START)
        house.leases.fail_next(*[StoreUnavailable("away")] * 5)
        task = loop.create_task(house.engine.run())
        await asyncio.sleep(0.5)
        errors = [house.engine.state.store_error]
        await asyncio.sleep(10)
        errors.append(house.engine.state.store_error)
        assert errors == ["away", None]
        assert house.fired() == [START]
        house.engine.stop()
        await task

    simulated(scenario)


def test_stop_finishes_what_is_in_flight_and_returns_the_rest(simulated: Simulated) -> None:
    """A graceful stop repeats nothing and leaves nothing behind that others must wait for."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(max_in_flight=1))
        house.delay_secs = 2.0
        await house.add(due=START)
        house.store.jobs["k"] = replace(house.store.jobs["j"], id="k")
        task = loop.create_task(house.engine.run())
        await asyncio.sleep(1)
        house.engine.stop()
        await task
        assert sorted(house.states()) == [FiringState.SUCCEEDED, FiringState.WAITING]
        assert house.ledger.replicas == {}

    simulated(scenario)


def test_a_stop_waits_no_longer_than_its_grace(simulated: Simulated) -> None:
    """A hanging receiver does not keep the process from ending."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(shutdown_grace_secs=10))
        house.delay_secs = 500.0
        await house.add(due=START)
        task = loop.create_task(house.engine.run())
        await asyncio.sleep(1)
        house.engine.stop()
        await task
        assert loop.time() < 12
        assert house.states() == [FiringState.WAITING]

    simulated(scenario)


def test_a_firing_of_a_removed_schedule_is_not_retried(simulated: Simulated) -> None:
    """Deleting a schedule cancels what waits for another try."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        await house.add(due=START)
        house.dispatch.fail_next(DispatchTransient("down", code="connect"))
        task = loop.create_task(house.engine.run())
        await asyncio.sleep(0.2)
        await house.store.remove("j", allow=lambda _: None)
        await asyncio.sleep(30)
        house.engine.stop()
        await task
        assert house.states() == [FiringState.CANCELLED]

    simulated(scenario)


def test_a_firing_outside_the_cadence_is_dispatched_at_once(simulated: Simulated) -> None:
    """A sleeping engine is woken for it, and the schedule's own times stay."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        job = await house.add(due=START + 30 * MINUTE)
        task = loop.create_task(house.engine.run())
        await house.until(START + timedelta(seconds=20.5))
        await house.enqueue(job)
        await house.until(START + timedelta(seconds=20.6))
        assert house.fired() == [START + timedelta(seconds=20.5)]
        assert house.states() == [FiringState.SUCCEEDED]
        assert house.store.jobs["j"].next_run_at == START + 30 * MINUTE
        house.engine.stop()
        await task

    simulated(scenario)


def test_a_replica_that_stopped_is_counted_once_with_what_it_held(simulated: Simulated) -> None:
    """One that held nothing is not: nothing was taken over from it."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        job = await house.add(due=START + timedelta(days=1))
        for replica in ("dead", "idle"):
            await house.leases.register(replica)
        firing = NewFiring(job.id, job.kind, START, job.kwargs)
        await house.ledger.record([firing], store=house.store.name, owner="dead")
        await house.run(60)
        assert house.ledger.replicas == {}
        assert (house.engine.state.leases_taken_over, house.engine.state.taken_over) == (1, 1)
        assert house.fired() == [START]

    simulated(scenario)


def test_a_small_replica_that_is_full_asks_for_nothing(simulated: Simulated) -> None:
    """It waits for room, as a large one does, and does not ask the database for no rows."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(max_in_flight=1))
        house.delay_secs = 1.0
        job = await house.add(DateTrigger(run_at=START), due=START)
        for number in range(5):
            await house.store.put(replace(job, id=f"{number}"))
        limits: list[int] = []
        claim_due = house.store.claim_due

        async def noting(*, limit: int, **kwargs: Any) -> Any:
            limits.append(limit)
            return await claim_due(limit=limit, **kwargs)

        house.store.claim_due = noting  # type: ignore[method-assign]
        await house.run(10)
        assert len(house.fired()) == 6
        assert min(limits) > 0

    simulated(scenario)


def test_while_many_outcomes_wait_for_the_database_nothing_more_is_sent(simulated: Simulated) -> None:
    """A crash would repeat them all; they are written, and the rest goes on."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(max_in_flight=5, most_unrecorded=3, user_share=1))
        recording = await house.rush_with_stuck_recording(10)
        task = loop.create_task(house.engine.run())
        await asyncio.sleep(5)
        assert len(house.fired()) == 5  # all were on their way when the third outcome came
        recording.set()
        await asyncio.sleep(1)
        assert house.states() == [FiringState.SUCCEEDED] * 10
        assert len(house.fired()) == 10
        house.engine.stop()
        await task

    simulated(scenario)


def test_what_waits_for_the_recording_is_not_sent_once_the_lease_is_lost(simulated: Simulated) -> None:
    """Whoever takes over sends it, so it would be sent twice."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(max_in_flight=5, most_unrecorded=3, user_share=1))
        recording = await house.rush_with_stuck_recording(10)
        task = loop.create_task(house.engine.run())
        await asyncio.sleep(5)
        house.engine.membership.lose()
        await asyncio.sleep(1)
        recording.set()
        await asyncio.sleep(1)
        assert len(house.fired()) == 5
        await asyncio.sleep(60)
        assert house.states() == [FiringState.SUCCEEDED] * 10
        assert len(house.fired()) == 10
        house.engine.stop()
        await task

    simulated(scenario)


def test_a_rush_is_claimed_in_batches_that_double(simulated: Simulated) -> None:
    """The first is small, so that the first firings are early; many small ones would cost more."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        await house.rush(5000)
        house.delay_secs = 0.001
        limits: list[int] = []
        claim_due = house.store.claim_due

        async def noting(*, limit: int, **kwargs: Any) -> Any:
            limits.append(limit)
            await asyncio.sleep(0.01)
            return await claim_due(limit=limit, **kwargs)

        house.store.claim_due = noting  # type: ignore[method-assign]
        await house.run(5)
        assert len(house.fired()) == 5000
        assert limits[0] == 100
        assert all(limit <= 100 * 2**claims for claims, limit in enumerate(limits))
        assert 750 in limits
        assert len(limits) < 40, limits

    simulated(scenario)


def test_slow_claims_grow_with_what_is_done(simulated: Simulated) -> None:
    """Else a slow database would be asked for two rounds of attempts at a time."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        await house.rush(5000)
        house.delay_secs = 0.002
        claim_due = house.store.claim_due

        async def slowly(**kwargs: Any) -> Any:
            await asyncio.sleep(0.5)
            return await claim_due(**kwargs)

        house.store.claim_due = slowly  # type: ignore[method-assign]
        await house.run(8)
        assert len(house.fired()) == 5000

    simulated(scenario)


def test_no_more_is_claimed_than_two_rounds_of_slow_receivers(simulated: Simulated) -> None:
    """The rest is for other replicas. As soon as some are done, as many more are claimed."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(max_in_flight=5, user_share=1))
        await house.rush(100)
        house.delay_secs = 3.0
        task = loop.create_task(house.engine.run())
        await asyncio.sleep(2.9)
        assert house.engine.dispatching.left == house.engine.state.claimed == 10
        await asyncio.sleep(0.2)
        assert house.engine.dispatching.left == 10
        assert house.engine.state.claimed == 15
        house.engine.stop()
        await task

    simulated(scenario)


def test_what_waits_to_be_recorded_takes_no_room(simulated: Simulated) -> None:
    """It is done: other replicas would find no work in it."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(max_in_flight=5, user_share=1))
        recording = await house.rush_with_stuck_recording(100)
        house.delay_secs = 3.0
        task = loop.create_task(house.engine.run())
        await asyncio.sleep(3.1)
        assert house.engine.dispatching.left == 10
        assert house.engine.held == 15
        recording.set()
        house.engine.stop()
        await task

    simulated(scenario)


@pytest.mark.parametrize(("delay_secs", "most"), [(0.002, 25), (0.02, 100), (3.0, 100)])
def test_quick_receivers_are_called_few_at_once(simulated: Simulated, delay_secs: float, most: int) -> None:
    """More would finish no sooner. Slow ones are called as many at once as may be."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(user_share=1))
        house.delay_secs = delay_secs
        task = loop.create_task(house.engine.run())
        for rushes in (1, 2):  # the second begins as the first
            await house.rush(1000, due=house.clock.now() + MINUTE)
            house.most_in_flight = 0
            await asyncio.sleep(110)
            assert len(house.fired()) == 1000 * rushes
            assert house.most_in_flight == most
        house.engine.stop()
        await task

    simulated(scenario)


def test_attempts_that_hang_leave_others_their_slots(simulated: Simulated) -> None:
    """Half of the users' receivers hang; the others' answer at once, and are called as if those were not there."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(max_in_flight=60))
        await house.rush(30, due=START)
        handle = house._handle

        async def hang(firing: Firing) -> str | None:
            if firing.payload["user_id"] == "u":
                await asyncio.sleep(1000)
            return await handle(firing)

        house._handle = hang
        task = loop.create_task(house.engine.run())
        await asyncio.sleep(1)
        assert house.engine.dispatching.in_flight == 30
        job = await house.add(DateTrigger(run_at=START + MINUTE), due=START + MINUTE, user_id="quick")
        for number in range(499):
            await house.store.put(replace(job, id=f"q{number}"))
        await house.until(START + MINUTE + timedelta(seconds=1))
        assert len(house.fired()) == 500
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    simulated(scenario)


def test_a_lone_firing_beside_hanging_ones_begins_at_once(simulated: Simulated) -> None:
    """It does not wait until they were seen to hang."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        await house.rush(50)
        house.delay_secs = 1000
        task = loop.create_task(house.engine.run())
        await asyncio.sleep(1)
        assert house.engine.dispatching.in_flight == 50
        house.delay_secs = 0
        await house.add(DateTrigger(run_at=START + MINUTE), due=START + MINUTE, user_id="other")
        await house.until(START + MINUTE + timedelta(milliseconds=1))
        assert house.fired() == [START + MINUTE]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    simulated(scenario)


def test_a_run_that_was_broken_off_begins_nothing_more(simulated: Simulated) -> None:
    """Nobody renews its lease or records what it does."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(max_in_flight=5, user_share=1))
        await house.rush(10)
        house.delay_secs = 3.0
        task = loop.create_task(house.engine.run())
        await asyncio.sleep(1)
        assert house.engine.dispatching.waiting == 5
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(30)
        assert len(house.fired()) == 5

    simulated(scenario)


def test_when_one_stores_rush_begins_the_others_are_left_alone_for_a_moment(simulated: Simulated) -> None:
    """They had nothing for long, and the slots need work; but they are asked again while the rush goes on."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        await house.rush(3001, due=START + MINUTE)
        quiet = MemoryJobStore(StoreName.WEEKLY_NOTIFICATIONS, ledger=house.ledger, woken=house.wakeups.wake)
        engine = house.engine = house.new_engine(FiringSettings(), quiet)
        house.delay_secs = 0.05
        asked: list[tuple[str, float]] = []

        def noted(store: MemoryJobStore) -> None:
            claim_due = store.claim_due

            async def noting(**kwargs: Any) -> Any:
                asked.append((store.name, (house.clock.now() - START - MINUTE).total_seconds()))
                await asyncio.sleep(0.02)
                return await claim_due(**kwargs)

            store.claim_due = noting  # type: ignore[method-assign]

        noted(house.store)
        noted(quiet)
        await house.run(70)
        assert len(house.fired()) == 3001
        in_the_rush = [(name, at) for name, at in asked if 0 <= at < 1.0]
        assert [name for name, _ in in_the_rush[:3]] == [StoreName.EXECUTION] * 3
        others = [at for name, at in in_the_rush if name == quiet.name]
        assert 0.2 < others[0] < 0.5  # once there is room for a claim
        assert engine.state.claimed == 3001

    simulated(scenario)


def test_a_payload_that_cannot_be_read_fails_alone(simulated: Simulated) -> None:
    """Somebody's hand in our tables: the others of its claim are dispatched."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        for number in range(3):
            job = await house.add(DateTrigger(run_at=START), due=START)
            await house.store.put(replace(job, id=f"{number}"))
        claim_due = house.store.claim_due

        async def damaging(**kwargs: Any) -> Any:
            claim = await claim_due(**kwargs)
            payloads = [
                JsonPayload(b"no JSON"),
                JsonPayload(b"[]"),
                *(firing.payload for firing in claim.firings[2:]),
            ]
            firings = [
                replace(firing, payload=payload)
                for firing, payload in zip(claim.firings, payloads[: len(claim.firings)], strict=True)
            ]
            return replace(claim, firings=firings)

        house.store.claim_due = damaging  # type: ignore[method-assign]
        await house.run(10)
        assert sorted(house.states()) == [FiringState.FAILED] * 2 + [FiringState.SUCCEEDED] * 2

    simulated(scenario)


def test_an_attempt_that_breaks_leaves_its_slot_to_the_next(simulated: Simulated) -> None:
    """Whatever broke it: what waits behind it goes out."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(max_in_flight=1))
        broken: list[str] = []

        def break_once(firing: Firing, _outcome: Any) -> None:
            if not broken:
                broken.append(firing.job_id)
                raise RuntimeError("oops")

        house.engine.dispatching._observe = break_once
        for number in range(3):
            job = await house.add(DateTrigger(run_at=START), due=START)
            await house.store.put(replace(job, id=f"{number}"))
        await house.run(10)
        assert house.states().count(FiringState.SUCCEEDED) == 3

    simulated(scenario)


def test_a_handler_whose_own_work_was_cancelled_has_failed(simulated: Simulated) -> None:
    """Nobody broke the attempt off: it has an outcome, and its slot goes to the next."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(max_in_flight=1))
        handle = house._handle

        async def cancelled_once(_firing: Firing) -> str | None:
            house._handle = handle
            raise asyncio.CancelledError

        house._handle = cancelled_once
        for number in range(3):
            job = await house.add(DateTrigger(run_at=START), due=START)
            await house.store.put(replace(job, id=f"{number}"))
        await house.run(10)
        assert sorted(house.states()) == [FiringState.FAILED] + [FiringState.SUCCEEDED] * 3

    simulated(scenario)
