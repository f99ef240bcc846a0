"""One timer that bounds many calls, as asyncio.timeout bounds one."""

import asyncio
import weakref

import pytest

from adapters.http.shared_timeout import SharedTimeout
from tests.simulation.loop import Simulated, SimulatedLoop


async def failing(secs: float) -> None:
    """Fail after a while."""
    await asyncio.sleep(secs)
    raise ZeroDivisionError


async def call(bounds: SharedTimeout, secs: float, *, after: float = 0.0) -> tuple[str, float]:
    """Return what became of a call that takes `secs`, and when it ended."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(after)
    try:
        with bounds.call():
            await asyncio.sleep(secs)
    except TimeoutError:
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()
        await asyncio.sleep(0)  # nothing of the cancellation is left
        return "timeout", loop.time()
    return "done", loop.time()


def test_each_call_has_its_own_end(simulated: Simulated) -> None:
    """Whenever it began, and whatever became of those before it."""

    async def scenario(loop: SimulatedLoop) -> None:
        timeout, began = SharedTimeout(10.0), loop.time()
        found = await asyncio.gather(
            call(timeout, 9.0),
            call(timeout, 11.0),
            call(timeout, 100.0, after=4.0),
            call(timeout, 2.0, after=4.0),
            call(timeout, 100.0, after=30.0),
        )
        ends = [(what, round(at - began, 3)) for what, at in found]
        assert ends == [("done", 9.0), ("timeout", 10.0), ("timeout", 14.0), ("done", 6.0), ("timeout", 40.0)]

    simulated(scenario)


def test_a_cancellation_from_outside_stays_one(simulated: Simulated) -> None:
    """Even in the very moment in which the call runs out."""

    async def scenario(loop: SimulatedLoop) -> None:
        timeout = SharedTimeout(10.0)
        early = asyncio.create_task(call(timeout, 100.0))
        late = asyncio.create_task(call(timeout, 100.0))
        loop.call_later(5.0, early.cancel)
        await asyncio.sleep(0)
        loop.call_later(10.0, late.cancel)
        found = await asyncio.gather(early, late, return_exceptions=True)
        assert [type(error) for error in found] == [asyncio.CancelledError] * 2

    simulated(scenario)


def test_an_error_of_the_call_passes(simulated: Simulated) -> None:
    """And the next call of the same task has all its time."""

    async def scenario(loop: SimulatedLoop) -> None:
        timeout = SharedTimeout(10.0)
        with pytest.raises(ZeroDivisionError), timeout.call():
            await failing(9.0)
        began = loop.time()
        assert await call(timeout, 100.0) == ("timeout", began + 10.0)

    simulated(scenario)


def test_closed_it_leaves_no_timer(simulated: Simulated) -> None:
    """Nor is it kept by one."""

    async def scenario(loop: SimulatedLoop) -> None:
        del loop
        timeout = SharedTimeout(10.0)
        await call(timeout, 1.0)
        timeout.close()
        kept = weakref.ref(timeout)
        del timeout
        assert kept() is None

    simulated(scenario)


def test_closed_it_still_bounds_what_is_under_way(simulated: Simulated) -> None:
    """Who closes it may not know of every call."""

    async def scenario(loop: SimulatedLoop) -> None:
        timeout, began = SharedTimeout(10.0), loop.time()
        under_way = asyncio.create_task(call(timeout, 50.0))
        await asyncio.sleep(1.0)
        timeout.close()
        assert await under_way == ("timeout", began + 10.0)

    simulated(scenario)
