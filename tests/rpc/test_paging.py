"""Lists in pages, and lists that are too long to stand in memory."""

import base64
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from entrypoints.rpc.listing import NEXT_CURSOR
from ports.jobs import JobStore
from tests.rpc.serving import ADD, ON_EACH_STORE

pytestmark = ON_EACH_STORE
LIST = "/get_graph_execution_schedules"


async def fill(client: httpx.AsyncClient, count: int) -> list[str]:
    """Add schedules of two users, minute by minute; return their ids in order."""
    ids = []
    for number in range(count):
        body = {**ADD, "cron": f"{30 + number} * * * *", "user_id": f"u{number % 2}"}
        ids.append((await client.post("/add_graph_execution_schedule", json=body)).json()["id"])
    return ids


async def read_pages(client: httpx.AsyncClient, **body: Any) -> list[list[str]]:
    """Follow the cursors from the first page to the last; return each page's ids."""
    pages = []
    while True:
        answer = await client.post(LIST, json=body)
        assert answer.status_code == 200, answer.text
        pages.append([schedule["id"] for schedule in answer.json()])
        if NEXT_CURSOR not in answer.headers:
            return pages
        body["cursor"] = answer.headers[NEXT_CURSOR]


async def test_pages_in_a_row_are_the_whole_list(client: httpx.AsyncClient) -> None:
    """Nothing is missing, nothing comes twice, and the last page says that it is the last."""
    ids = await fill(client, 7)
    assert await read_pages(client, limit=3) == [ids[:3], ids[3:6], ids[6:]]
    assert await read_pages(client, limit=7) == [ids]
    assert await read_pages(client) == [ids]


async def test_pages_of_one_user(client: httpx.AsyncClient) -> None:
    """Filters and pages go together."""
    ids = await fill(client, 7)
    assert await read_pages(client, limit=2, user_id="u0") == [ids[0:3:2], ids[4:7:2]]


async def test_paused_ones_come_on_the_last_pages(client: httpx.AsyncClient) -> None:
    """A cursor may stand among paused schedules, which have no next run."""
    ids = await fill(client, 5)
    for schedule_id, user in ((ids[0], "u0"), (ids[2], "u0"), (ids[1], "u1")):
        body = {"schedule_id": schedule_id, "user_id": user}
        await client.post("/pause_graph_execution_schedule", json=body)
    last = sorted((ids[0], ids[1], ids[2]))
    assert await read_pages(client, limit=1, include_paused=True) == [[i] for i in [ids[3], ids[4], *last]]
    assert await read_pages(client, limit=1) == [[ids[3]], [ids[4]]]


async def test_a_job_that_is_no_schedule_leaves_its_place_to_another(
    client: httpx.AsyncClient, jobs: JobStore
) -> None:
    """What the original skips does not shorten a page."""
    ids = await fill(client, 4)
    odd = await jobs.get(ids[1])
    assert odd is not None
    await jobs.put(replace(odd, kwargs={"user_id": "u1"}))
    assert await read_pages(client, limit=2) == [[ids[0], ids[2]], [ids[3]]]


def encoded(place: object) -> str:
    """Return a place as cursors hold it."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "x", "ä", "e30=", "W" * 5000),
        *map(encoded, ([1], ["nope", "a"], ["2026-01-01T00:00:00", "a"], ["", "a\0"], ["", 7])),
    ],
)
async def test_a_cursor_that_no_answer_held_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    """It says so, whatever it is."""
    answer = await client.post(LIST, json={"cursor": cursor, "limit": 5})
    assert (answer.status_code, answer.json()["type"]) == (400, "ValueError")


@pytest.mark.parametrize("limit", [0, -1, 1001, "x"])
async def test_a_limit_out_of_bounds_is_refused(client: httpx.AsyncClient, limit: object) -> None:
    """As any field of the wrong kind."""
    assert (await client.post(LIST, json={"limit": limit})).status_code == 422


async def test_a_long_list_is_whole(client: httpx.AsyncClient, jobs: JobStore) -> None:
    """Beyond a thousand it is written as it is read, and reads like any other."""
    (first,) = await fill(client, 1)
    job = await jobs.get(first)
    assert job is not None
    for number in range(1100):
        await jobs.put(replace(job, id=f"copy{number:04}"))
    listed = (await client.post(LIST, json={})).json()
    assert [schedule["id"] for schedule in listed] == sorted([first, *(f"copy{n:04}" for n in range(1100))])
