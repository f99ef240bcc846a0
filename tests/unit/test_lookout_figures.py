"""Figures that are computed when somebody looks, and kept."""

import asyncio

from adapters.memory.clock import SettableClock
from domain.lookout.figures import Figure
from ports.errors import StoreUnavailable
from tests.contract.worlds import NOW


class Source:
    """Counts how often it is asked; `ready` lets it answer, `error` makes it fail."""

    def __init__(self) -> None:
        self.asked = 0
        self.ready = asyncio.Event()
        self.ready.set()
        self.error: Exception | None = None

    async def compute(self) -> int:
        """Return how often it was asked."""
        self.asked += 1
        await self.ready.wait()
        if self.error is not None:
            raise self.error
        return self.asked


def figure(source: Source, *, fresh_secs: float = 60.0, patience_secs: float = 0.05) -> Figure[int]:
    """Return a figure of it."""
    clock = SettableClock(NOW)
    return Figure(source.compute, clock=clock, fresh_secs=fresh_secs, patience_secs=patience_secs)


async def test_a_figure_that_is_quickly_made_is_there_at_the_first_look() -> None:
    """And is kept, with the time of its making, for as long as it is fresh."""
    source = Source()
    looked_at = figure(source)
    kept = await looked_at.look()
    assert kept is not None
    assert (kept.value, kept.at) == (1, NOW)
    assert await looked_at.look() == kept
    assert source.asked == 1


async def test_one_that_takes_longer_comes_later_and_is_made_once() -> None:
    """Whoever looks meanwhile gets nothing, and starts nothing."""
    source = Source()
    source.ready.clear()
    looked_at = figure(source, patience_secs=0.001)
    assert await looked_at.look() is None
    assert await looked_at.look() is None
    source.ready.set()
    await asyncio.sleep(0.01)
    kept = await looked_at.look()
    assert kept is not None
    assert source.asked == 1


async def test_an_old_one_is_made_again_when_somebody_looks() -> None:
    """Not before."""
    source = Source()
    looked_at = figure(source, fresh_secs=0.0)
    await looked_at.look()
    await asyncio.sleep(0.01)
    assert source.asked == 1
    kept = await looked_at.look()
    assert kept is not None
    assert kept.value == 2


async def test_a_store_that_is_away_leaves_the_old_one() -> None:
    """It is asked again later."""
    source = Source()
    looked_at = figure(source, fresh_secs=0.0)
    kept = await looked_at.look()
    source.error = StoreUnavailable("away")
    await asyncio.sleep(0.01)
    assert await looked_at.look() == kept
    assert source.asked == 2


async def test_closing_gives_up_what_is_being_computed() -> None:
    """So that a stop waits for no figure."""
    source = Source()
    source.ready.clear()
    looked_at = figure(source, patience_secs=0.001)
    await looked_at.look()
    await asyncio.wait_for(looked_at.aclose(), 1)
