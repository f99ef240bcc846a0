"""Whatever a body holds, it is answered as the original's framework does, or refused and nothing is stored."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from ports.jobs import Job, JobKind
from ports.triggers import DateTrigger
from tests.rpc.serving import ADD, NOW, ON_EACH_STORE, World, served

JSON = {"content-type": "application/json"}
PATHS = [
    "/add_graph_execution_schedule",
    "/delete_graph_execution_schedule",
    "/get_graph_execution_schedules",
    "/execute_process_existing_batches",
    "/execute_process_weekly_summary",
    "/execute_report_late_executions",
    "/execute_report_block_error_rates",
    "/execute_cleanup_expired_files",
]
NOT_AN_OBJECT = "Input should be a valid dictionary or object to extract fields from"


def add(**changes: Any) -> bytes:
    """Return the body of an add, with changes."""
    return json.dumps({**ADD, **changes}).encode()


def with_input(text: str) -> bytes:
    """Return the body of an add whose input_data is `text`, which need not be JSON."""
    start = json.dumps({**ADD, "input_data": 0}).encode()
    return start.replace(b'"input_data": 0', b'"input_data": ' + text.encode("utf-8", "surrogatepass"))


def nested(levels: int) -> str:
    """Return an object with arrays in arrays."""
    return '{"a":' + "[" * levels + "1" + "]" * levels + "}"


def beyond_json() -> dict[str, Any]:
    """Return an object that nests deeper than the standard library reads or writes."""
    value: dict[str, Any] = {}
    for _ in range(5000):
        value = {"a": value}
    return value


async def listed(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return every schedule."""
    answer = await client.post("/get_graph_execution_schedules", content=b"{}")
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()
    return found


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("body", "mistake"),
    [
        (b"", ("missing", ["body"], None)),
        (b"null", ("missing", ["body"], None)),
        (b"[]", ("model_attributes_type", ["body"], [])),
        (b"false", ("model_attributes_type", ["body"], False)),
        (b'"x"', ("model_attributes_type", ["body"], "x")),
        (b"1.5", ("model_attributes_type", ["body"], 1.5)),
        (b"{", ("json_invalid", ["body", 1], {})),
        (b'{"a":1}x', ("json_invalid", ["body", 7], {})),
        (b"  ", ("json_invalid", ["body", 2], {})),
        ("{'ż'}".encode(), ("json_invalid", ["body", 1], {})),
    ],
)
async def test_a_body_that_is_no_object_is_named_by_kind_and_place(
    client: httpx.AsyncClient, path: str, body: bytes, mistake: tuple[str, list[Any], Any]
) -> None:
    """Every endpoint answers 422 with the framework's list, the input repeated."""
    answer = await client.post(path, content=body, headers=JSON)
    assert answer.status_code == 422
    [found] = answer.json()["detail"]
    assert (found["type"], found["loc"], found["input"]) == mistake


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=latin-1",
        "application/problem+json",
        "APPLICATION/x+JSON;a=b",
        "",
    ],
)
async def test_a_json_content_type_is_parsed(client: httpx.AsyncClient, content_type: str) -> None:
    """Any spelling of application/json, of application/*+json, and none at all mean JSON."""
    answer = await client.post(PATHS[0], content=add(), headers={"content-type": content_type})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "text/json",
        "json",
        "application/octet-stream",
        "multipart/form-data; boundary=x",
        "image/x+json",
        "a/b/c",
        ";",
    ],
)
async def test_another_content_type_makes_the_body_a_text(client: httpx.AsyncClient, content_type: str) -> None:
    """What does not claim to be JSON is a string to the framework, so no object."""
    answer = await client.post(PATHS[0], content=b'{"a":\xff}', headers={"content-type": content_type})
    assert answer.status_code == 422
    expected = {"type": "model_attributes_type", "loc": ["body"], "msg": NOT_AN_OBJECT, "input": '{"a":\ufffd}'}
    assert answer.json() == {"detail": [expected]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-32-be"])
async def test_json_in_any_unicode_encoding_is_read(client: httpx.AsyncClient, encoding: str) -> None:
    """The standard library guesses the encoding, byte order marks included."""
    answer = await client.post(PATHS[0], content=add(name="żółw 🚀").decode().encode(encoding), headers=JSON)
    assert (answer.status_code, answer.json()["name"]) == (200, "żółw 🚀")


@pytest.mark.parametrize(
    "body",
    [b'{"user_id":"\xff"}', "{'é'}".encode("latin-1"), b"\xff\xfe\xfa", with_input('{"a":' + "9" * 5000 + "}")],
)
async def test_bytes_that_cannot_be_parsed_are_answered_in_the_frameworks_words(
    client: httpx.AsyncClient, body: bytes
) -> None:
    """Bytes that are no text and numbers beyond the interpreter's limit are a 400 with a detail."""
    answer = await client.post(PATHS[0], content=body, headers=JSON)
    assert answer.status_code == 400
    assert answer.text == '{"detail":"There was an error parsing the body"}'


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('{"a":1e400,"b":-Infinity,"c":[NaN]}', '{"a":null,"b":null,"c":[null]}'),
        ('{"a":1e30,"b":-0.0,"c":1.0,"d":1E-7}', '{"a":1e+30,"b":-0.0,"c":1.0,"d":1e-07}'),
        ('{"a":' + "9" * 4300 + "}", '{"a":' + "9" * 4300 + "}"),
        (r'{"a":"\u0000\u001f\u007f\u2028"}', '{"a":"\\u0000\\u001f\x7f\u2028"}'),
        (r'{"a":"\ud83d\ude80<&>\/"}', '{"a":"🚀<&>/"}'),
        ('{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'),
        ('{"":{"_sa":1},"user_id":"x"}', '{"":{"_sa":1},"user_id":"x"}'),
        (nested(254), nested(254)),
    ],
)
async def test_input_is_written_back_by_the_standard_librarys_rules(
    client: httpx.AsyncClient, text: str, written: str
) -> None:
    """Input comes back as stored, in the answer and in lists; only NaN and infinities become null."""
    answer = await client.post(PATHS[0], content=with_input(text), headers=JSON)
    assert f'"input_data":{written},' in answer.text
    everything = await client.post("/get_graph_execution_schedules", content=b"{}")
    assert everything.text == f"[{answer.text}]"


@pytest.mark.parametrize(
    "body",
    [
        with_input(r'{"a":"\ud800"}'),
        with_input(r'{"\udfff":1}'),
        with_input(r'{"a":[{"\ud800":1}]}'),
        with_input('{"a":"\ud800"}'),
        *(with_input(nested(levels)) for levels in (255, 256, 500, 900, 970, 1000, 5000, 100_000)),
        *(add(**{name: "\ud800"}) for name in ("user_id", "graph_id", "cron", "name", "user_timezone")),
        add(input_credentials={"\ud800": {"id": "c", "provider": "p", "type": "oauth2"}}),
        add(input_credentials={"k": {"id": "c", "provider": "\ud800", "type": "oauth2"}}),
        add(name=""),
        add(cron="0 0 30 2 *"),
        add(cron=""),
        add(user_timezone=""),
        add(user_timezone="Mars/Olympus"),
        b"[" * 100_000,
    ],
)
async def test_what_cannot_be_stored_and_answered_is_refused_and_stores_nothing(
    client: httpx.AsyncClient, body: bytes
) -> None:
    """What the original fails on, or poisons lists with, is a typed 400; lists go on working."""
    answer = await client.post(PATHS[0], content=body, headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (400, "ValueError")
    assert await listed(client) == []


@ON_EACH_STORE
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PATHS[1], rb'{"schedule_id":"\ud800","user_id":"u1"}'),
        (PATHS[1], rb'{"schedule_id":"a","user_id":"\ud800"}'),
        (PATHS[1], b'{"schedule_id":"a\\u0000","user_id":"\\u0000"}'),
    ],
)
async def test_ids_that_nobody_has_are_refused(client: httpx.AsyncClient, path: str, body: bytes) -> None:
    """Ids that no store can hold are no reason for a 500."""
    answer = await client.post(path, content=body, headers=JSON)
    assert answer.status_code == 400
    assert list(answer.json()) == ["type", "args"]


@ON_EACH_STORE
@pytest.mark.parametrize("body", [rb'{"user_id":"\ud800"}', b'{"graph_id":"a\\u0000b"}', b'{"user_id":"%"}'])
async def test_listing_for_odd_ids_finds_nothing(client: httpx.AsyncClient, body: bytes) -> None:
    """Ids are compared whole, whatever they hold."""
    await client.post(PATHS[0], content=add())
    answer = await client.post(PATHS[2], content=body, headers=JSON)
    assert (answer.status_code, answer.text) == (200, "[]")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
async def test_a_mistake_that_cannot_be_repeated_in_json_is_answered_as_recorded(
    client: httpx.AsyncClient, value: Any
) -> None:
    """The 422 repeats the input; NaN in it makes the answer a ValueError, as in the original."""
    answer = await client.post(PATHS[0], content=add(graph_version=value), headers=JSON)
    assert answer.status_code == 400
    assert answer.text == '{"type":"ValueError","args":["Out of range float values are not JSON compliant"]}'


async def test_a_mistake_with_a_lone_surrogate_is_repeated_as_an_escape(client: httpx.AsyncClient) -> None:
    """The original fails to write this 422; ours spells the surrogate out."""
    answer = await client.post(PATHS[2], content=rb'{"user_id":["\ud800"]}', headers=JSON)
    assert answer.status_code == 422
    assert r'"input":["\ud800"]' in answer.text


async def test_a_mistake_in_a_deeply_nested_body_is_refused(client: httpx.AsyncClient) -> None:
    """A body that can just be read may be too deep to be repeated."""
    statuses = [
        (await client.post(PATHS[2], content=b'{"user_id":' + nested(levels).encode() + b"}")).status_code
        for levels in range(880, 1000, 5)
    ]
    assert set(statuses) == {422, 400}


async def stored(world: World, **kwargs: Any) -> None:
    """Store a schedule as somebody else would, past what this service lets in."""
    trigger = DateTrigger(NOW + timedelta(days=1))
    job = Job(f"{len(kwargs)}", JobKind.EXECUTE_GRAPH, "n", trigger, {**ADD, **kwargs}, trigger.run_at)
    await world.jobs.put(job)


@pytest.mark.parametrize(
    ("input_data", "shown"),
    [
        ({"s": "\ud800"}, {"s": "\ud800"}),
        ({"s": "\ud800", "x": float("nan")}, {"s": "\ud800", "x": None}),
        (json.loads(nested(300)), json.loads(nested(300))),
        (json.loads(nested(900)), json.loads(nested(900))),
        (beyond_json(), {}),
    ],
)
async def test_a_row_that_poisons_the_originals_lists_can_be_seen_and_deleted(
    world: World, client: httpx.AsyncClient, input_data: dict[str, Any], shown: dict[str, Any]
) -> None:
    """Such rows are there after a switch-over: they are shown as far as JSON can, and can be removed."""
    await stored(world, input_data=input_data)
    await client.post(PATHS[0], content=add(user_id="u2"))
    poisoned, healthy = await listed(client)
    assert (poisoned["input_data"], healthy["user_id"]) == (shown, "u2")
    body = json.dumps({"schedule_id": poisoned["id"], "user_id": "u1"}).encode()
    answer = await client.post(PATHS[1], content=body)
    assert (answer.status_code, answer.json()) == (200, poisoned)
    assert await listed(client) == [healthy]


@pytest.mark.parametrize(("limit", "status"), [(len(add()), 200), (len(add()) - 1, 413)])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_refused(world: World, limit: int, status: int, *, chunked: bool) -> None:
    """The limit counts bytes, announced or not, and the connection goes on."""

    async def pieces() -> AsyncIterator[bytes]:
        yield add()[:10]
        yield add()[10:]

    async with served(world.app(max_body_bytes=limit)) as client:
        answer = await client.post(PATHS[0], content=pieces() if chunked else add())
        assert answer.status_code == status
        assert len(await listed(client)) == (status == 200)
    if status == 413:
        assert answer.json()["type"] == "ValueError"


async def test_the_whole_schedule_is_answered_with_its_zone_last(client: httpx.AsyncClient) -> None:
    """A caller's zone decides the first run and is answered after the recorded fields."""
    answer = await client.post(PATHS[0], content=add(user_timezone="America/New_York"))
    assert answer.text == (
        '{"user_id":"u1","graph_id":"g1","graph_version":1,"cron":"0 9 * * 1","input_data":{"a":1},'
        '"input_credentials":{},"id":"00000000000000000000000000000001","name":"execute_graph",'
        '"next_run_time":"2026-11-30T09:00:00-05:00","timezone":"America/New_York",'
        '"paused":false,"paused_reason":null,"paused_by":null,"paused_at":null,'
        '"run_at":null,"start_at":null,"end_at":null,"jitter_secs":null}'
    )
