"""Fixtures of the RPC tests: everything runs over whatever `jobs` gives."""

from collections.abc import AsyncIterator

import httpx
import pytest

from adapters.memory.clock import SettableClock
from adapters.memory.firings import MemoryFiringLedger
from adapters.memory.jobs import MemoryJobStore
from ports.jobs import JobStore, StoreName
from tests.rpc.serving import NOW, World, in_process, served


@pytest.fixture(params=["memory"])
def jobs(request: pytest.FixtureRequest) -> JobStore:
    """Return an empty execution store, one per kind in `params`."""
    assert request.param == "memory"
    return MemoryJobStore(StoreName.EXECUTION, ledger=MemoryFiringLedger(SettableClock(NOW)))


@pytest.fixture
def world(jobs: JobStore) -> World:
    """Return what stands around the application."""
    return World(jobs)


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the application, without a server between."""
    async with in_process(world.app()) as found:
        yield found


@pytest.fixture
async def server(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the application behind a real server."""
    async with served(world.app()) as found:
        yield found
