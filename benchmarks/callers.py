"""Callers of the RPC, in a process of their own: `python -m benchmarks.callers URL CLIENTS COUNT`."""

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
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


class _Callers:
    def __init__(self, session: aiohttp.ClientSession, url: str, clients: int) -> None:
        self._session = session
        self._url = url
        self._clients = clients

    async def call_all(self, method: str, bodies: list[dict[str, Any]]) -> tuple[dict[str, float], list[Any]]:
        """Call a method with each body; return the figures, and the answers in no order."""
        waiting = list(reversed(bodies))
        took: list[float] = []
        answers: list[Any] = []
        refused = 0

        async def client() -> None:
            nonlocal refused
            while waiting:
                body = waiting.pop()
                began = time.perf_counter()
                async with self._session.post(f"{self._url}/{method}", json=body) as answer:
                    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
                        refused += 1
                        waiting.append(body)
                        await asyncio.sleep(float(answer.headers["Retry-After"]))
                        continue
                    assert answer.status == HTTPStatus.OK, await answer.text()
                    answers.append(await answer.json())
                took.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(self._clients)))
        rate = len(bodies) / (time.perf_counter() - began)
        took.sort()
        figures = {
            "per_second": rate,
            "p50": took[len(took) // 2],
            "p99": took[int(0.99 * len(took))],
            "refused": refused,
        }
        return figures, answers


async def _main(url: str, clients: int, count: int) -> None:
    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(connector=connector) as session:
        callers = _Callers(session, url, clients)
        new = {"graph_id": "g", "graph_version": 1, "input_data": {"a": 1}, "input_credentials": {}}
        bodies = [{**new, "user_id": f"u{n % 500}", "cron": f"{n % 60} 4 1 1 *"} for n in range(count)]
        warm, answers = await callers.call_all("add_graph_execution_schedule", bodies[:200])
        added, more = await callers.call_all("add_graph_execution_schedule", bodies)
        ids = [{"schedule_id": answer["id"], "user_id": answer["user_id"]} for answer in more + answers]
        deleted, _ = await callers.call_all("delete_graph_execution_schedule", ids)
        del warm
    print(json.dumps({"add": added, "delete": deleted}))


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
