"""What bare HTTP clients reach, each in a process of its own: `python -m benchmarks.clients NAME PORT COUNT`."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import httpx
import uvloop

from tests.running import ROOT

CLIENTS = ("aiohttp", "httpx.AsyncClient")
_CONNECTIONS = 50
_REQUESTS = {"aiohttp": 10_000, "httpx.AsyncClient": 2_000}
_HEADERS = {"content-type": "application/json", "idempotency-key": "a" * 32 + ":2026-01-01T00:00:00Z"}


def measured_apart(client: str, port: int) -> float:
    """Return the requests a second of `client`, run as a process."""
    command = [sys.executable, "-m", "benchmarks.clients", client, str(port), str(_REQUESTS[client])]
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


async def _flood(post: Callable[[bytes], Awaitable[bytes]], count: int) -> float:
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            json.loads(await post(_body(number)))

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(_CONNECTIONS)))
    return count / (time.perf_counter() - started)


async def _aiohttp(url: str, count: int) -> float:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONNECTIONS)) as session:

        async def post(body: bytes) -> bytes:
            async with session.post(url, data=body, headers=_HEADERS) as response:
                return await response.read()

        return await _flood(post, count)


async def _httpx(url: str, count: int) -> float:
    limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def post(body: bytes) -> bytes:
            return (await client.post(url, content=body, headers=_HEADERS)).content

        return await _flood(post, count)


def main() -> None:
    """Print the rate."""
    client, port, count = sys.argv[1:]
    flood = _aiohttp if client == "aiohttp" else _httpx
    print(uvloop.run(flood(f"http://127.0.0.1:{port}/add_graph_execution", int(count))))


if __name__ == "__main__":
    main()
