"""Fixtures of the page's tests over the fakes."""

from collections.abc import AsyncIterator

import httpx
import pytest

from adapters.memory.clock import SettableClock
from adapters.memory.firings import MemoryFiringLedger
from adapters.memory.jobs import MemoryJobStore
from ports.jobs import StoreName
from tests.page.serving import over_memory
from tests.rpc.serving import NOW, World, in_process


@pytest.fixture
def ledger() -> MemoryFiringLedger:
    """Return an empty ledger."""
    return MemoryFiringLedger(SettableClock(NOW))


@pytest.fixture
def jobs(ledger: MemoryFiringLedger) -> MemoryJobStore:
    """Return an empty store."""
    return MemoryJobStore(StoreName.EXECUTION, ledger=ledger)


@pytest.fixture
def world(jobs: MemoryJobStore, ledger: MemoryFiringLedger) -> World:
    """Return what stands around the application."""
    return World(jobs, ledger)


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the page in the embedded mode."""
    async with in_process(over_memory(world).app()) as found:
        yield found
