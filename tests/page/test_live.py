"""Following firings live."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from adapters.memory.firings import MemoryFiringLedger
from tests.page.serving import PageWorld, over_memory
from tests.page.test_pages import SCRIPT, fail
from tests.rpc.serving import World, served

EVENTS = "/ui/firings/events"
MOST = 20


class Stopping:
    """Says that the service stops once `said` is set."""

    said = False

    def __call__(self) -> bool:
        """Return it."""
        return self.said


@pytest.fixture
def page_world(world: World) -> PageWorld:
    """Return the page over the fakes, with a stop that a test can say."""
    return over_memory(world, stopping=Stopping())


@pytest.fixture
async def server(page_world: PageWorld) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the page behind a real server."""
    async with served(page_world.app()) as client:
        yield client


async def next_event(lines: AsyncIterator[str], kind: str) -> str:
    """Return the next event of a kind, and what came before it."""
    seen = ""
    async with asyncio.timeout(5):
        while not (f"event: {kind}" in seen and seen.endswith("\n\n")):
            seen += await anext(lines) + "\n"
    return seen


async def test_rows_come_at_once_and_when_they_change(
    server: httpx.AsyncClient, ledger: MemoryFiringLedger
) -> None:
    """Escaped like the page's own."""
    async with server.stream("GET", EVENTS) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.aiter_lines()
        assert "/ui/firing?id=" not in await next_event(lines, "rows")
        await fail(ledger, "job", error=SCRIPT)
        seen = await next_event(lines, "fresh")
    assert "/ui/firing?id=1" in seen
    assert "<script>" not in seen


async def test_who_leaves_makes_room(server: httpx.AsyncClient, ledger: MemoryFiringLedger) -> None:
    """So more may follow, one after the other, than at once."""
    await fail(ledger, "job")
    for _ in range(MOST + 5):
        async with server.stream("GET", EVENTS) as response:
            assert response.status_code == 200
            await next_event(response.aiter_lines(), "rows")


async def test_one_too_many_is_refused(server: httpx.AsyncClient, ledger: MemoryFiringLedger) -> None:
    """Each costs a look at the ledger a second."""
    await fail(ledger, "job")
    streams = [server.stream("GET", EVENTS) for _ in range(MOST)]
    followed = [(await stream.__aenter__()).aiter_lines() for stream in streams]
    for lines in followed:
        await next_event(lines, "rows")
    assert (await server.get(EVENTS)).status_code == 403
    for stream in streams:
        await stream.__aexit__(None, None, None)


async def test_a_stop_ends_every_stream(
    page_world: PageWorld, server: httpx.AsyncClient, ledger: MemoryFiringLedger
) -> None:
    """Nobody who follows holds it up."""
    await fail(ledger, "job")
    async with server.stream("GET", EVENTS) as response:
        assert isinstance(page_world.stopping, Stopping)
        page_world.stopping.said = True
        async with asyncio.timeout(3):
            await response.aread()
