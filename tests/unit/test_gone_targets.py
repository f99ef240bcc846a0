"""Schedules whose target is gone: paused after so many refusals in a row, by the ledger's own record."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from domain.firing.attempts import TARGET_GONE
from domain.firing.gone import GoneTargets, gone_in_a_row
from domain.firing.settings import FiringSettings
from domain.notes import pause_of, with_resumption
from ports.errors import DispatchFailed, DispatchRefused, DispatchTransient, StoreUnavailable
from ports.firings import FiringState
from ports.jobs import Job
from tests.simulation.loop import Simulated, SimulatedLoop
from tests.simulation.world import START
from tests.unit.test_firing_engine import MINUTE, House

GONE = DispatchRefused("NotFoundError: Graph not found", code="not_found", target_gone=True)
UNPAID = DispatchRefused("402", code="insufficient_balance")
REFUSED = DispatchRefused("bad input", code="refused")
DOWN = DispatchTransient("down", code="connect")


def run(simulated: Simulated, answers: Sequence[DispatchFailed], *, limit: int, minutes: float) -> House:
    """Return the house after a minutely schedule was answered so, then with successes."""
    houses: list[House] = []

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(pause_after_gone=limit))
        houses.append(house)
        await house.add()
        house.dispatch.fail_next(*answers)
        await house.run(60 * minutes + 5)

    simulated(scenario)
    return houses[0]


def stored(house: House) -> Job:
    """Return the schedule."""
    return house.store.jobs["j"]


def test_so_many_in_a_row_pause_the_schedule_and_alert_once(simulated: Simulated) -> None:
    """It is paused with the reason, not deleted, and fires no more."""
    house = run(simulated, [GONE] * 9, limit=3, minutes=8)
    assert house.states() == [FiringState.FAILED] * 3
    assert {entry.record.code for entry in house.ledger.entries.values()} == {TARGET_GONE}
    pause = pause_of(stored(house))
    assert pause is not None
    assert pause.by == "scheduler"
    assert pause.reason is not None
    assert pause.reason.startswith("The graph does not exist or is not the user's any more: 3 runs")
    assert len(house.alerts) == 1
    assert "schedule j is paused" in house.alerts[0]


def test_one_fewer_does_not(simulated: Simulated) -> None:
    """A success in between begins the count anew."""
    house = run(simulated, [GONE, GONE], limit=3, minutes=5)
    assert stored(house).next_run_at is not None
    assert house.alerts == []


def test_other_refusals_break_the_row(simulated: Simulated) -> None:
    """No credit never pauses, nor does bad input, however often."""
    for other in (UNPAID, REFUSED):
        house = run(simulated, [GONE, GONE, other, GONE, GONE, *[other] * 9], limit=3, minutes=10)
        assert stored(house).next_run_at is not None
        assert house.alerts == []


def test_tries_on_the_way_to_a_refusal_are_one_dispatch(simulated: Simulated) -> None:
    """A receiver that was down before it said so counts once, and being down does not break the row."""
    house = run(simulated, [GONE, DOWN, DOWN, GONE, GONE], limit=3, minutes=3)
    assert stored(house).next_run_at is None
    assert len(house.ledger.entries) == 3


def test_a_limit_of_zero_never_pauses(simulated: Simulated) -> None:
    """The operator's wish."""
    house = run(simulated, [GONE] * 10, limit=0, minutes=10)
    assert house.states() == [FiringState.FAILED] * 10
    assert stored(house).next_run_at is not None


def test_a_limit_of_one_pauses_at_the_first(simulated: Simulated) -> None:
    """The strictest there is."""
    house = run(simulated, [GONE], limit=1, minutes=1)
    assert stored(house).next_run_at is None


def test_the_row_is_counted_over_restarts(simulated: Simulated) -> None:
    """What an earlier process recorded counts."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(pause_after_gone=3))
        await house.add()
        house.dispatch.fail_next(GONE, GONE)
        await house.run(125)
        later = House(loop, FiringSettings(pause_after_gone=3))
        for name in ("store", "ledger", "leases", "wakeups"):
            setattr(later, name, getattr(house, name))
        later.engine = later.new_engine(FiringSettings(pause_after_gone=3))
        later.dispatch.fail_next(GONE)
        await later.run(60)
        assert stored(later).next_run_at is None
        assert len(later.alerts) == 1

    simulated(scenario)


def test_after_it_was_resumed_the_count_begins_anew(simulated: Simulated) -> None:
    """Its owner has seen to it, and gets as many tries as before."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(pause_after_gone=2))
        await house.add()
        house.dispatch.fail_next(GONE, GONE, GONE, GONE, GONE)
        task = loop.create_task(house.engine.run())
        await house.until(START + 2 * MINUTE + timedelta(seconds=5))
        assert stored(house).next_run_at is None
        job = stored(house)
        await house.store.put(
            replace(job, next_run_at=START + 5 * MINUTE, kwargs=with_resumption(job.kwargs, house.clock.now()))
        )
        await house.until(START + 5 * MINUTE + timedelta(seconds=5))
        assert stored(house).next_run_at is not None
        await house.until(START + 6 * MINUTE + timedelta(seconds=5))
        assert stored(house).next_run_at is None
        assert len(house.alerts) == 2
        house.engine.stop()
        await task

    simulated(scenario)


def test_a_schedule_that_somebody_paused_keeps_that_record(simulated: Simulated) -> None:
    """Run by hand it may fail, and nobody is alerted."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(pause_after_gone=1))
        job = await house.add()
        house.dispatch.fail_next(GONE)
        await house.store.change("j", change=lambda job: replace(job, next_run_at=None))
        paused = stored(house)
        await house.enqueue(job)
        await house.run(5)
        assert house.states() == [FiringState.FAILED]
        assert stored(house) == paused
        assert house.alerts == []

    simulated(scenario)


def test_a_schedule_that_is_gone_itself_is_nobodys(simulated: Simulated) -> None:
    """One that ran once has no row left to pause."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop, FiringSettings(pause_after_gone=1))
        job = await house.add()
        house.dispatch.fail_next(GONE)
        await house.enqueue(job)
        del house.store.jobs["j"]
        await house.run(5)
        assert house.states() == [FiringState.FAILED]
        assert house.alerts == []

    simulated(scenario)


def test_a_database_that_is_away_at_that_moment_is_waited_for(simulated: Simulated) -> None:
    """The schedule is paused once it is back; an alert that can't be sent keeps nothing from happening."""

    async def scenario(loop: SimulatedLoop) -> None:
        house = House(loop)
        house.alert_error = RuntimeError("nobody there")
        await house.enqueue(await house.add())
        (entry,) = house.ledger.entries.values()
        entry.record = replace(entry.record, state=FiringState.FAILED, code=TARGET_GONE)
        gone = GoneTargets(house.store, ledger=house.ledger, clock=house.clock, limit=1, alert=house.alert)
        house.ledger.fail_next(StoreUnavailable("away"))
        house.store.fail_next(StoreUnavailable("away"))
        task = loop.create_task(gone.run())
        gone.suspect("j")
        await asyncio.sleep(1)
        assert stored(house).next_run_at is not None
        await asyncio.sleep(10)
        assert stored(house).next_run_at is None
        assert len(house.alerts) == 1
        task.cancel()

    simulated(scenario)


def test_nothing_recorded_is_no_row() -> None:
    """An empty history counts none."""
    assert gone_in_a_row([], since=None) == 0
