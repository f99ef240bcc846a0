"""The calls beside the original's, over HTTP: bodies, answers, refusals that store nothing."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from ports.firings import FiringState, Outcome
from ports.jobs import Job, JobKind
from ports.triggers import IntervalTrigger
from tests.rpc.serving import ADD, NOW, ON_EACH_STORE, World

pytestmark = ON_EACH_STORE

OWN = {"schedule_id": "s", "user_id": "u1"}
WINDOW = {"from": "2026-11-20T00:00:00", "to": "2026-11-23T00:00:00"}
INFO = [
    *("user_id", "graph_id", "graph_version", "cron", "input_data", "input_credentials"),
    *("id", "name", "next_run_time", "timezone"),
    *("paused", "paused_reason", "paused_by", "paused_at", "run_at", "start_at", "end_at", "jitter_secs"),
]
OWNED: dict[str, dict[str, Any]] = {
    "/get_graph_execution_schedule": {},
    "/update_graph_execution_schedule": {"name": "n"},
    "/pause_graph_execution_schedule": {},
    "/resume_graph_execution_schedule": {},
    "/run_graph_execution_schedule_now": {},
    "/backfill_graph_execution_schedule": WINDOW,
    "/preview_schedule": {},
}


async def call(client: httpx.AsyncClient, path: str, **body: Any) -> Any:
    """Return the answer to a call that succeeds."""
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refusal(client: httpx.AsyncClient, path: str, **body: Any) -> tuple[int, Any]:
    """Return a refusal's status, and its type or what it says is wrong."""
    answer = await client.post(path, content=json.dumps(body))
    found = answer.json()
    if answer.status_code == 422:
        return 422, [(mistake["type"], mistake["loc"]) for mistake in found["detail"]]
    assert list(found) == ["type", "args"]
    return answer.status_code, found["type"]


@pytest.fixture
async def added(client: httpx.AsyncClient) -> Any:
    """Return the answer to adding u1's schedule "s", daily at nine."""
    return await call(client, "/add_graph_execution_schedule", **{**ADD, "cron": "0 9 * * *", "schedule_id": "s"})


async def stored(world: World) -> list[Job]:
    """Return every schedule."""
    return [job async for job in world.jobs.list(include_paused=True)]


async def test_an_add_takes_everything_at_once(client: httpx.AsyncClient) -> None:
    """Zone, bounds, spread and an id; ours stand last."""
    more = {"schedule_id": "żółw", "start_at": "2026-12-01", "end_at": "2027-12-01", "jitter_secs": 60}
    body = {**ADD, "user_timezone": "Asia/Tokyo", **more}
    info = await call(client, "/add_graph_execution_schedule", **body)
    assert list(info) == INFO
    assert (info["id"], info["timezone"], info["jitter_secs"]) == ("żółw", "Asia/Tokyo", 60)
    assert (info["start_at"], info["end_at"]) == ("2026-12-01T00:00:00+09:00", "2027-12-01T00:00:00+09:00")
    own = {"schedule_id": "żółw", "user_id": "u1"}
    assert await call(client, "/get_graph_execution_schedule", **own) == info


async def test_an_add_that_runs_once_needs_no_cron(client: httpx.AsyncClient) -> None:
    """Left out, or empty."""
    body = {key: value for key, value in ADD.items() if key != "cron"}
    for cron in ({}, {"cron": ""}):
        info = await call(client, "/add_graph_execution_schedule", **body, **cron, run_at="2026-12-01T09:00:00")
        assert (info["cron"], info["run_at"]) == ("", "2026-12-01T09:00:00+00:00")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cron": None, "run_at": "2026-12-01"}, (422, [("string_type", ["body", "cron"])])),
        ({"run_at": "2026-12-01"}, (400, "ValueError")),
        ({"cron": "", "run_at": "2026-01-01"}, (400, "ValueError")),
        ({"cron": "", "run_at": 5}, (422, [("string_type", ["body", "run_at"])])),
        ({"start_at": "x"}, (400, "ValueError")),
        ({"end_at": "2026-01-01"}, (400, "ValueError")),
        ({"jitter_secs": -1}, (400, "ValueError")),
        ({"jitter_secs": 1.5}, (422, [("int_from_float", ["body", "jitter_secs"])])),
        ({"schedule_id": "x" * 192}, (400, "ValueError")),
        ({"schedule_id": ""}, (400, "ValueError")),
        ({"schedule_id": "a\0"}, (400, "ValueError")),
        ({"schedule_id": "cleanup_expired_files"}, (400, "NotAuthorizedError")),
    ],
)
async def test_a_bad_add_is_refused_and_stores_nothing(
    client: httpx.AsyncClient, world: World, changes: dict[str, Any], expected: tuple[int, Any]
) -> None:
    """422 for what is of another type, 400 for what can be no schedule."""
    assert await refusal(client, "/add_graph_execution_schedule", **{**ADD, **changes}) == expected
    assert await stored(world) == []


async def test_an_add_with_neither_lacks_its_cron_as_recorded(client: httpx.AsyncClient) -> None:
    """The original's own refusal."""
    for run_at in ({}, {"run_at": None}):
        body = {key: value for key, value in ADD.items() if key != "cron"} | run_at
        assert await refusal(client, "/add_graph_execution_schedule", **body) == (
            422,
            [("missing", ["body", "cron"])],
        )


async def test_anothers_id_can_not_be_taken(client: httpx.AsyncClient, added: Any, world: World) -> None:
    """And nothing about it is told."""
    body = {**ADD, "user_id": "u2", "schedule_id": "s"}
    assert await refusal(client, "/add_graph_execution_schedule", **body) == (400, "NotAuthorizedError")
    assert [job.kwargs["user_id"] for job in await stored(world)] == [added["user_id"]]


@pytest.mark.parametrize("path", OWNED)
async def test_calls_answer_strangers_as_delete_does(
    client: httpx.AsyncClient, added: Any, world: World, path: str
) -> None:
    """Unknown, another's, a system task's: the same types; bodies without an owner are 422, and nothing happens."""
    kind = JobKind.CLEANUP_EXPIRED_FILES
    await world.jobs.put(Job(kind, kind, kind, IntervalTrigger(timedelta(hours=1), NOW, "UTC"), {}, NOW))
    body = OWNED[path]
    before = await stored(world)
    for own, expected in (
        ({"schedule_id": "x", "user_id": "u1"}, "NotFoundError"),
        ({"schedule_id": "s", "user_id": "u2"}, "NotAuthorizedError"),
        ({"schedule_id": kind.value, "user_id": "u1"}, "ValidationError"),
        ({"schedule_id": "a\0b", "user_id": "u1"}, "ValueError"),
    ):
        assert await refusal(client, path, **body, **own) == (400, expected)
        deleted = await refusal(client, "/delete_graph_execution_schedule", **own)
        assert deleted == (400, expected)
    if path != "/preview_schedule":
        missing = [("missing", ["body", "schedule_id"]), ("missing", ["body", "user_id"])]
        assert await refusal(client, path, **body) == (422, missing)
    assert (await client.post(path, content=b"[]")).status_code == 422
    assert await stored(world) == before
    assert await world.ledger.history() == []
    assert added["id"] == "s"


async def test_pausing_and_resuming_say_whether_they_changed_anything(
    client: httpx.AsyncClient, added: Any
) -> None:
    """Lists leave paused schedules out unless they are asked for."""
    paused = await call(client, "/pause_graph_execution_schedule", **OWN, reason="Holidays", by="support")
    assert list(paused) == [*INFO, "changed"]
    assert (paused["changed"], paused["paused"], paused["next_run_time"]) == (True, True, "")
    assert (paused["paused_reason"], paused["paused_by"], paused["paused_at"]) == (
        *("Holidays", "support"),
        "2026-11-23T14:28:30+00:00",
    )
    again = await call(client, "/pause_graph_execution_schedule", **OWN, reason="Other")
    assert again == {**paused, "changed": False}
    assert await call(client, "/get_graph_execution_schedules", user_id="u1") == []
    (listed,) = await call(client, "/get_graph_execution_schedules", user_id="u1", include_paused=True)
    assert {**listed, "changed": True} == paused
    resumed = await call(client, "/resume_graph_execution_schedule", **OWN)
    assert resumed == {**added, "changed": True}
    assert await call(client, "/resume_graph_execution_schedule", **OWN) == {**added, "changed": False}
    assert await call(client, "/get_graph_execution_schedules", user_id="u1") == [added]


async def test_an_update_changes_what_is_given(client: httpx.AsyncClient, added: Any) -> None:
    """The rest stays as it was answered before."""
    info = await call(client, "/update_graph_execution_schedule", **OWN, name="new", input_data={"b": 2})
    assert info == {**added, "name": "new", "input_data": {"b": 2}, "changed": True}
    info = await call(client, "/update_graph_execution_schedule", **OWN, cron="0 10 * * *", end_at="2027-01-01")
    assert (info["cron"], info["next_run_time"]) == ("0 10 * * *", "2026-11-24T10:00:00+00:00")
    info = await call(client, "/update_graph_execution_schedule", **OWN, end_at=None)
    assert (info["end_at"], info["changed"]) == (None, True)
    info = await call(client, "/update_graph_execution_schedule", **OWN, run_at="2026-12-01")
    assert (info["cron"], info["run_at"]) == ("", "2026-12-01T00:00:00+00:00")
    credentials = {"k": {"id": "c", "provider": "p", "type": "api_key"}}
    info = await call(client, "/update_graph_execution_schedule", **OWN, input_credentials=credentials)
    assert info["input_credentials"] == {"k": {"id": "c", "title": None, "provider": "p", "type": "api_key"}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cron": "x"}, (400, "ValueError")),
        ({"name": ""}, (400, "ValueError")),
        ({"input_data": {"a": "\ud800"}}, (400, "ValueError")),
        ({"input_data": []}, (422, [("dict_type", ["body", "input_data"])])),
        ({"graph_version": "x"}, (422, [("int_parsing", ["body", "graph_version"])])),
    ],
)
async def test_a_bad_update_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, added: Any, changes: dict[str, Any], expected: tuple[int, Any]
) -> None:
    """As a bad add is."""
    assert await refusal(client, "/update_graph_execution_schedule", **OWN, **changes) == expected
    assert await call(client, "/get_graph_execution_schedule", **OWN) == added


async def test_a_run_now_is_in_the_history_at_once(client: httpx.AsyncClient, added: Any) -> None:
    """With its key, and without its payload."""
    first = await call(client, "/run_graph_execution_schedule_now", **OWN)
    assert list(first) == [*INFO, "scheduled_at", "idempotency_key"]
    assert first["idempotency_key"] == "s:2026-11-23T14:28:30Z"
    second = await call(client, "/run_graph_execution_schedule_now", **OWN)
    firings = await call(client, "/get_schedule_firings", user_id="u1", schedule_id="s")
    assert [firing["idempotency_key"] for firing in firings] == [
        second["idempotency_key"],
        first["idempotency_key"],
    ]
    assert firings[1] == {
        "id": firings[1]["id"],
        "schedule_id": "s",
        "graph_id": "g1",
        "scheduled_at": "2026-11-23T14:28:30+00:00",
        "claimed_at": "2026-11-23T14:28:30+00:00",
        "dispatched_at": None,
        "finished_at": None,
        "state": "waiting",
        "attempts": 0,
        "coalesced": 0,
        "execution_id": None,
        "code": None,
        "error": None,
        "attempt_at": "2026-11-23T14:28:30+00:00",
        "idempotency_key": "s:2026-11-23T14:28:30Z",
    }
    assert await call(client, "/get_graph_execution_schedule", **OWN) == added


async def test_a_backfill_says_how_many_were_due_and_added(client: httpx.AsyncClient, added: Any) -> None:
    """Repeated, it adds none; a bad window adds none either."""
    info = await call(client, "/backfill_graph_execution_schedule", **OWN, **WINDOW)
    assert info == {**added, "due": 3, "added": 3}
    again = await call(client, "/backfill_graph_execution_schedule", **OWN, **WINDOW)
    assert again == {**added, "due": 3, "added": 0}
    path = "/backfill_graph_execution_schedule"
    assert await refusal(client, path, **OWN, **{**WINDOW, "to": "2027-01-01"}) == (400, "ValueError")
    missing = [("missing", ["body", "from"]), ("missing", ["body", "to"])]
    assert await refusal(client, path, **OWN) == (422, missing)
    assert len(await call(client, "/get_schedule_firings", user_id="u1")) == 3


async def test_what_is_dead_is_sent_again_by_its_owner_only(
    client: httpx.AsyncClient, added: Any, world: World
) -> None:
    """It waits for dispatch under the key that it had; what is under way can't be sent twice."""
    await call(client, "/run_graph_execution_schedule_now", **OWN)
    assert world.leases is not None
    await world.leases.register("replica")
    (firing,) = await world.ledger.pick_up(now=NOW, limit=1, owner="replica")
    path, mine = "/resend_schedule_firing", {"firing_id": firing.id, "user_id": "u1"}
    assert await refusal(client, path, **mine) == (400, "ValueError")
    dead = Outcome(firing.id, FiringState.DEAD, dispatched_at=NOW, finished_at=NOW, attempts=1, error="no answer")
    await world.ledger.settle([dead], owner="replica")
    assert await refusal(client, path, firing_id=firing.id, user_id="u2") == (400, "NotFoundError")
    for nobodys in (0, -1, firing.id + 1, 2**70):
        assert await refusal(client, path, firing_id=nobodys, user_id="u1") == (400, "NotFoundError")
    sent = await call(client, path, **mine)
    assert (sent["id"], sent["state"], sent["attempts"]) == (firing.id, "waiting", 1)
    assert sent["idempotency_key"] == firing.idempotency_key
    assert [again.id for again in await world.ledger.pick_up(now=NOW, limit=9, owner="replica")] == [firing.id]
    assert added["id"] == firing.job_id


async def test_history_is_paged_and_narrowed(client: httpx.AsyncClient, added: Any) -> None:
    """By id and by state; nobody else's."""
    await call(client, "/backfill_graph_execution_schedule", **OWN, **WINDOW)
    path = "/get_schedule_firings"
    first = await call(client, path, user_id="u1", limit=2)
    rest = await call(client, path, user_id="u1", limit=2, before_id=first[1]["id"])
    assert (len(first), len(rest)) == (2, 1)
    assert await call(client, path, user_id="u1", states=["failed"]) == []
    assert len(await call(client, path, user_id="u1", states=["waiting", "failed"])) == 3
    assert await call(client, path, user_id="u2") == []
    assert await refusal(client, path, user_id="u2", schedule_id=added["id"]) == (400, "NotAuthorizedError")
    assert await refusal(client, path, user_id="u1", limit=1001) == (400, "ValueError")
    assert (await refusal(client, path, user_id="u1", states=["gone"]))[0] == 422
    await call(client, "/delete_graph_execution_schedule", **OWN)
    assert len(await call(client, path, user_id="u1", schedule_id="s")) == 3
    assert await call(client, path, user_id="u2", schedule_id="s") == []


async def test_a_preview_shows_runs_and_words(client: httpx.AsyncClient, added: Any) -> None:
    """Of a text, and of a schedule."""
    body = {"cron": "0 9 13 * 5", "user_timezone": "Europe/Warsaw", "count": 2, "after": "2026-11-24T00:00"}
    assert await call(client, "/preview_schedule", **body) == {
        "times": ["2026-11-27T09:00:00+01:00", "2026-12-04T09:00:00+01:00"],
        "description": "At 09:00, on day 13 of the month as well as every Friday",
        "timezone": "Europe/Warsaw",
        "notes": [],
    }
    found = await call(client, "/preview_schedule", **OWN, count=1)
    assert found["times"] == [added["next_run_time"]]
    for bad in ({}, {"cron": "x"}, {"cron": "@daily", **OWN}, {"cron": "@daily", "count": 0}):
        assert await refusal(client, "/preview_schedule", **bad) == (400, "ValueError")


async def test_the_documentations_examples_are_good_calls(client: httpx.AsyncClient) -> None:
    """Each is accepted, or fails for want of the schedule that it names."""
    document = (await client.get("/openapi.json")).json()
    for path, item in document["paths"].items():
        if "schedule" not in path:
            continue
        reference = item["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        fields = document["components"]["schemas"][reference.rpartition("/")[2]]["properties"]
        assert all("examples" in field for field in fields.values()), path
        body = {
            name: field["examples"][0]
            for name, field in fields.items()
            if not field.get("description", "").startswith("Instead of ")
        }
        answer = await client.post(path, json=body)
        assert answer.status_code == 200 or answer.json()["type"] == "NotFoundError", (path, answer.text)
