"""What bare HTTP clients reach, each in a process of its own.

`python -m benchmarks.clients NAME PORT REQUESTS CONNECTIONS` prints a rate.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import httpx
import uvloop

from domain.firing.settings import FiringSettings
from tests.running import ROOT

AS_MANY_AS_OURS = FiringSettings().max_in_flight
CLIENTS = (("aiohttp", 50), ("aiohttp", AS_MANY_AS_OURS), ("httpx.AsyncClient", 50))
"""Libraries, and how many connections each gets."""

_REQUESTS = {"aiohttp": 10_000, "httpx.AsyncClient": 2_000}
_HEADERS = {"content-type": "application/json", "idempotency-key": "a" * 32 + ":2026-01-01T00:00:00Z"}


def measured_apart(client: str, port: int, *, connections: int) -> float:
    """Return the requests a second of `client`, run as a process."""
    numbers = map(str, (port, _REQUESTS[client], connections))
    command = [sys.executable, "-m", "benchmarks.clients", client, *numbers]
    done = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    return float(done.stdout)


def _body(number: int) -> bytes:
    """Return what the service would post."""
    return json.dumps(
        {
            "user_id": f"user-{number % 100}",
            "graph_id": f"graph-{number}",
            "graph_version": 1,
            "inputs": {"question": "what is new?", "count": 3},
            "graph_credentials_inputs": {},
        },
        separators=(",", ":"),
    ).encode()


async def _flood(post: Callable[[bytes], Awaitable[bytes]], count: int, connections: int) -> float:
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            json.loads(await post(_body(number)))

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    return count / (time.perf_counter() - started)


async def _aiohttp(url: str, count: int, connections: int) -> float:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:

        async def post(body: bytes) -> bytes:
            async with session.post(url, data=body, headers=_HEADERS) as response:
                return await response.read()

        return await _flood(post, count, connections)


async def _httpx(url: str, count: int, connections: int) -> float:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def post(body: bytes) -> bytes:
            return (await client.post(url, content=body, headers=_HEADERS)).content

        return await _flood(post, count, connections)


def main() -> None:
    """Print the rate."""
    client, port, count, connections = sys.argv[1:]
    flood = _aiohttp if client == "aiohttp" else _httpx
    print(uvloop.run(flood(f"http://127.0.0.1:{port}/add_graph_execution", int(count), int(connections))))


if __name__ == "__main__":
    main()
