"""Fixtures of the RPC tests: everything runs over whatever `jobs` gives."""

from collections.abc import AsyncIterator

import httpx
import pytest

from adapters.memory.clock import SettableClock
from adapters.memory.firings import MemoryFiringLedger
from adapters.memory.jobs import MemoryJobStore
from adapters.memory.leases import MemoryLeases
from adapters.postgres.database import Database
from adapters.postgres.firings import PostgresFiringLedger
from adapters.postgres.jobs import PostgresJobStore
from adapters.postgres.leases import PostgresLeases
from ports.firings import FiringLedger
from ports.jobs import JobStore, StoreName
from ports.leases import Leases
from tests.postgres import SCHEMA, session_server
from tests.rpc.serving import NOW, World, in_process, served


@pytest.fixture(params=["memory"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[tuple[JobStore, FiringLedger, Leases]]:
    """Return an empty execution store and its ledger; modules that `ON_EACH_STORE` marks run over each kind."""
    clock = SettableClock(NOW)
    if request.param == "memory":
        ledger = MemoryFiringLedger(clock)
        yield MemoryJobStore(StoreName.EXECUTION, ledger=ledger), ledger, MemoryLeases(ledger)
        return
    url = session_server().new_database()
    database = Database(url, schema=SCHEMA)
    yield (
        PostgresJobStore(StoreName.EXECUTION, database=database, clock=clock),
        PostgresFiringLedger(database, clock=clock),
        PostgresLeases(database, clock=clock),
    )
    await database.aclose()
    session_server().drop(url)


@pytest.fixture
def jobs(stores: tuple[JobStore, FiringLedger, Leases]) -> JobStore:
    """Return the execution store."""
    return stores[0]


@pytest.fixture
def world(stores: tuple[JobStore, FiringLedger, Leases]) -> World:
    """Return what stands around the application."""
    jobs, ledger, leases = stores
    return World(jobs, ledger, leases=leases)


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
