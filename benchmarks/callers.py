"""Callers of the RPC, in a process of their own: `python -m benchmarks.callers URL CLIENTS COUNT`."""

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import uvloop

from tests.running import ROOT


@dataclass(frozen=True, slots=True)
class Called:
    """What a number of calls came to. Times in seconds; `refused` were asked to come back later, and did."""

    per_second: float
    p50: float
    p99: float
    refused: int


def add_and_delete(url: str, *, clients: int, count: int) -> dict[str, Called]:
    """Add `count` schedules and delete them again, from `clients` connections at once."""
    command = [sys.executable, "-m", "benchmarks.callers", url, str(clients), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {kind: Called(**figures) for kind, figures in json.loads(done.stdout).items()}


class _Connection:
    """One caller's own connection, kept alive.

    Plain streams and no client library, which would take a third of what a call costs the two cores that it shares
    with the service.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a whole request; return the answer's status, headers and body."""
        self._writer.write(request)
        status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return int(status.split()[1]), headers, await self._reader.readexactly(int(headers["content-length"]))

    def close(self) -> None:
        """Close it."""
        self._writer.close()


class _Callers:
    def __init__(self, url: str, connections: list[_Connection]) -> None:
        self._host = urlsplit(url).netloc
        self._connections = connections

    async def call_all(self, method: str, bodies: list[dict[str, Any]]) -> tuple[dict[str, float], list[Any]]:
        """Call a method with each body; return the figures, and the answers in no order."""
        waiting = [self._request(method, body) for body in reversed(bodies)]
        took: list[float] = []
        answers: list[bytes] = []
        refused = 0

        async def client(connection: _Connection) -> None:
            nonlocal refused
            while waiting:
                request = waiting.pop()
                began = time.perf_counter()
                status, headers, body = await connection.send(request)
                if status == HTTPStatus.SERVICE_UNAVAILABLE:
                    refused += 1
                    waiting.append(request)
                    await asyncio.sleep(float(headers["retry-after"]))
                    continue
                assert status == HTTPStatus.OK, body
                answers.append(body)
                took.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*map(client, self._connections))
        rate = len(bodies) / (time.perf_counter() - began)
        took.sort()
        figures = {
            "per_second": rate,
            "p50": took[len(took) // 2],
            "p99": took[int(0.99 * len(took))],
            "refused": refused,
        }
        return figures, list(map(json.loads, answers))

    def _request(self, method: str, body: dict[str, Any]) -> bytes:
        content = json.dumps(body).encode()
        head = f"POST /{method} HTTP/1.1\r\nHost: {self._host}\r\nAccept: */*\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


async def _main(url: str, clients: int, count: int) -> None:
    place = urlsplit(url)
    connections = [_Connection(*await asyncio.open_connection(place.hostname, place.port)) for _ in range(clients)]
    callers = _Callers(url, connections)
    new = {"graph_id": "g", "graph_version": 1, "input_data": {"a": 1}, "input_credentials": {}}
    bodies = [{**new, "user_id": f"u{n % 500}", "cron": f"{n % 60} 4 1 1 *"} for n in range(count)]
    _, answers = await callers.call_all("add_graph_execution_schedule", bodies[:200])
    added, more = await callers.call_all("add_graph_execution_schedule", bodies)
    ids = [{"schedule_id": answer["id"], "user_id": answer["user_id"]} for answer in more + answers]
    deleted, _ = await callers.call_all("delete_graph_execution_schedule", ids)
    for connection in connections:
        connection.close()
    print(json.dumps({"add": added, "delete": deleted}))


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
