"""What every adapter does when a sleeping engine is woken (ports/wakeups.py)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.memory.wakeups import MemoryWakeUps
from adapters.postgres.wakeups import PostgresWakeUps
from ports.wakeups import WakeUps
from tests.postgres import SCHEMA, session_server

LONG = 30.0


@pytest.fixture(params=["memory", "postgres"])
async def wakeups(request: pytest.FixtureRequest) -> AsyncIterator[WakeUps]:
    """Yield wake-ups that nothing has woken yet."""
    if request.param == "memory":
        yield MemoryWakeUps()
        return
    wakeups = PostgresWakeUps(session_server().url(), schema=SCHEMA)
    await wakeups.open()
    # It wakes once as it begins to listen, since something may have been stored before.
    assert await wakeups.wait(LONG)
    yield wakeups
    await wakeups.aclose()


async def test_without_a_signal_the_wait_ends_with_its_timeout(wakeups: WakeUps) -> None:
    """False tells the engine that nothing happened."""
    assert not await wakeups.wait(0.01)
    assert not await wakeups.wait(0)


async def test_a_signal_ends_a_wait(wakeups: WakeUps) -> None:
    """As soon as it comes."""
    waiter = asyncio.create_task(wakeups.wait(LONG))
    await asyncio.sleep(0)
    wakeups.wake()
    assert await waiter


async def test_a_signal_between_two_waits_counts(wakeups: WakeUps) -> None:
    """None is lost while the engine is busy, even for a wait of no time; several are as one."""
    assert not await wakeups.wait(0)
    wakeups.wake()
    wakeups.wake()
    await asyncio.sleep(0)
    assert await wakeups.wait(0)
    assert not await wakeups.wait(0)


async def test_a_signal_may_come_from_any_thread(wakeups: WakeUps) -> None:
    """The listener has one of its own."""
    waiter = asyncio.create_task(wakeups.wait(LONG))
    await asyncio.sleep(0)
    await asyncio.to_thread(wakeups.wake)
    assert await waiter
