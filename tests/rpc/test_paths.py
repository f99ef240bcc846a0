"""Paths and methods as Starlette sees them."""

import json

import httpx
import pytest

from tests.rpc.serving import ADD, World

POSTED = "/get_graph_execution_schedules"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD"])
@pytest.mark.parametrize(("path", "allow"), [(POSTED, "POST"), ("/ready", "GET"), ("/health_check", "POST, GET")])
async def test_a_wrong_method_is_named_with_those_allowed(
    client: httpx.AsyncClient, method: str, path: str, allow: str
) -> None:
    """OPTIONS is no exception, and HEAD is not GET."""
    answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.headers["content-length"] == "31"
    assert answer.text == ("" if method == "HEAD" else '{"detail":"Method Not Allowed"}')


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nope",
        "/nope/",
        f"/{POSTED}",
        POSTED.upper(),
        f"{POSTED}/x",
        "/schema",
        "/docs/x",
        "/docs/a/b",
        "/run_service",
    ],
)
async def test_an_unknown_path_is_not_found(client: httpx.AsyncClient, method: str, path: str) -> None:
    """Case and doubled slashes count, and nothing of the framework's own shows."""
    answer = await client.request(method, path)
    assert (answer.status_code, answer.text) == (404, '{"detail":"Not Found"}')


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("path", "location"),
    [
        (f"{POSTED}/", POSTED),
        (f"{POSTED}///", POSTED),
        (f"{POSTED}/?a=1&b=%20c", f"{POSTED}?a=1&b=%20c"),
        ("/health_check/", "/health_check"),
    ],
)
async def test_a_trailing_slash_is_redirected_to_the_host_that_was_asked(
    client: httpx.AsyncClient, method: str, path: str, location: str
) -> None:
    """307 keeps method and body; the answer is empty."""
    answer = await client.request(method, path, headers={"host": "scheduler_server:8003"})
    assert (answer.status_code, answer.headers["location"]) == (307, f"http://scheduler_server:8003{location}")
    assert (answer.content, answer.headers["content-length"]) == (b"", "0")
    assert "content-type" not in answer.headers


async def test_a_redirect_is_followed_to_the_same_answer(client: httpx.AsyncClient) -> None:
    """A client that follows gets what it asked for."""
    answer = await client.post(f"{POSTED}/", content=b"{}", follow_redirects=True)
    assert (answer.status_code, answer.text) == (200, "[]")


async def test_an_escaped_path_is_the_path(server: httpx.AsyncClient) -> None:
    """Percent escapes are decoded before routing."""
    answer = await server.post("/add%5Fgraph_execution_schedule", content=json.dumps(ADD).encode())
    assert answer.status_code == 200


async def test_a_connection_serves_on_after_every_kind_of_answer(world: World, server: httpx.AsyncClient) -> None:
    """The original closes it after a 500; ours keeps it open, whatever was answered."""
    sockets = set()
    for error in (None, RuntimeError("x"), ValueError("x"), None):
        world.system_tasks.outcome = error
        for path in ("/execute_cleanup_expired_files", "/nope", f"{POSTED}/", "/health_check"):
            async with server.stream("POST", path, content=b"{}") as answer:
                sockets.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
                await answer.aread()
    assert len(sockets) == 1
