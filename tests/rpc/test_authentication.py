"""The optional bearer token."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.rpc.serving import World, in_process

TOKEN = "tökén-1"


@pytest.fixture
async def guarded(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an application that asks for the token."""
    async with in_process(world.app(rpc_token=TOKEN)) as client:
        yield client


@pytest.mark.parametrize(
    "value",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \udcff"],
)
async def test_without_the_token_a_call_is_refused_before_its_body_is_read(
    guarded: httpx.AsyncClient, value: str | None
) -> None:
    """401 is typed, so that the platform's clients raise NotAuthorizedError."""
    headers = {} if value is None else {b"authorization": value.encode("utf-8", "surrogateescape")}
    answer = await guarded.post("/get_graph_execution_schedules", content=b"not json", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json() == {"type": "NotAuthorizedError", "args": ["A valid bearer token is required"]}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
async def test_with_the_token_a_call_is_answered(guarded: httpx.AsyncClient, scheme: str) -> None:
    """The scheme's case does not matter."""
    headers = {b"authorization": f"{scheme} {TOKEN}".encode()}
    answer = await guarded.post("/get_graph_execution_schedules", content=b"{}", headers=headers)
    assert (answer.status_code, answer.text) == (200, "[]")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/health_check", 200),
        ("/health_check_async", 200),
        ("/ready", 200),
        ("/metrics", 401),
        ("/docs", 401),
        ("/openapi.json", 401),
    ],
)
async def test_only_probes_need_no_token(guarded: httpx.AsyncClient, path: str, status: int) -> None:
    """A probe can't know the token; everything that tells more asks for it."""
    assert (await guarded.get(path)).status_code == status


@pytest.mark.parametrize("path", ["/metrics", "/docs", "/openapi.json"])
async def test_without_a_token_configured_nothing_asks_for_one(client: httpx.AsyncClient, path: str) -> None:
    """Off by default, as specified."""
    assert (await client.get(path)).status_code == 200
