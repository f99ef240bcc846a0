"""Every contract test runs over each adapter of its ports."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.worlds import MemoryWorld, World, postgres_world
from tests.postgres import session_server


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Yield the storage ports over an empty store."""
    if request.param == "memory":
        yield MemoryWorld()
        return
    async for world in postgres_world(session_server()):
        yield world
