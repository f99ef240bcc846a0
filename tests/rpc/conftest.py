"""Fixtures of the RPC tests: everything runs over whatever `jobs` gives."""

from collections.abc import AsyncIterator

import httpx
import pytest

from adapters.memory.clock import SettableClock
from adapters.memory.firings import MemoryFiringLedger
from adapters.memory.jobs import MemoryJobStore
from adapters.postgres.database import Database
from adapters.postgres.jobs import PostgresJobStore
from ports.jobs import JobStore, StoreName
from tests.postgres import SCHEMA, session_server
from tests.rpc.serving import NOW, World, in_process, served


@pytest.fixture(params=["memory"])
async def jobs(request: pytest.FixtureRequest) -> AsyncIterator[JobStore]:
    """Return an empty execution store; modules that `ON_EACH_STORE` marks run over each kind."""
    clock = SettableClock(NOW)
    if request.param == "memory":
        yield MemoryJobStore(StoreName.EXECUTION, ledger=MemoryFiringLedger(clock))
        return
    url = session_server().new_database()
    database = Database(url, schema=SCHEMA)
    yield PostgresJobStore(StoreName.EXECUTION, database=database, clock=clock)
    await database.aclose()
    session_server().drop(url)


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
