"""HttpExecutions: the recorded calls, made again, and how tolerantly answers are read."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.http.executions import HttpExecutions
from adapters.http.neighbour import Neighbour
from ports.errors import RemoteCallError
from ports.executions import BlockStats, GraphExecution
from tests.integration.loopback import Loopback, answer, loopback
from tests.integration.outgoing import Call, recorded_calls

CALLS = recorded_calls("DatabaseManager")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
GRAPH = {
    "id": "e1",
    "graph_id": "g1",
    "graph_version": 2,
    "user_id": "u1",
    "started_at": "2026-11-23T10:00:00.123456+00:00",
}
STATS = {"block_id": "b1", "total_executions": 20, "failed_executions": 15}


@pytest.fixture
async def service() -> AsyncIterator[Loopback]:
    """A database service that knows of nothing."""
    async with loopback(answer(200, [])) as service:
        yield service


@pytest.fixture
async def executions(service: Loopback) -> AsyncIterator[HttpExecutions]:
    """The adapter, pointed at the service."""
    neighbour = Neighbour(host="127.0.0.1", port=service.port, timeout_secs=2.0)
    yield HttpExecutions(neighbour)
    await neighbour.aclose()


async def _queued(executions: HttpExecutions) -> list[GraphExecution]:
    return list(await executions.queued(created_from=NOW - HOUR, created_to=NOW, limit=1000))


async def _stats(executions: HttpExecutions) -> list[BlockStats]:
    return list(await executions.block_error_stats(start=NOW - HOUR, end=NOW))


async def _errors(executions: HttpExecutions) -> list[str]:
    return list(await executions.failed_node_errors("b1", created_from=NOW - HOUR, created_to=NOW, limit=3))


async def _make(executions: HttpExecutions, call: Call) -> None:
    arguments: dict[str, Any] = {
        key: datetime.fromisoformat(value) if "time" in key else value for key, value in call.arguments.items()
    }
    match call.method, arguments:
        case "get_graph_executions", {"created_time_gte": start, "created_time_lte": end, "limit": limit}:
            await executions.queued(created_from=start, created_to=end, limit=limit)
        case "get_block_error_stats", {"start_time": start, "end_time": end}:
            await executions.block_error_stats(start=start, end=end)
        case "get_node_executions", {
            "block_ids": [block_id],
            "created_time_gte": start,
            "created_time_lte": end,
            "limit": limit,
        }:
            await executions.failed_node_errors(block_id, created_from=start, created_to=end, limit=limit)
        case method, _:
            pytest.fail(f"{method} is not made by this adapter")


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.method)
async def test_call_is_sent_as_recorded(executions: HttpExecutions, service: Loopback, call: Call) -> None:
    """To the byte."""
    await _make(executions, call)
    [received] = service.received
    assert (received.target, received.body.decode()) == (f"/{call.method}", call.body)


def test_recordings_hold_every_method() -> None:
    """So that none goes untested."""
    assert {call.method for call in CALLS} == {
        "get_graph_executions",
        "get_block_error_stats",
        "get_node_executions",
    }


async def test_queued_executions_are_read(executions: HttpExecutions, service: Loopback) -> None:
    """The start time stays the text that it was; what else the platform tells is ignored."""
    service.reply = answer(200, [{**GRAPH, "stats": {"cost": 1}}, {**GRAPH, "id": "e2", "started_at": "10:00"}])
    assert await _queued(executions) == [
        GraphExecution("e1", "g1", 2, "u1", "2026-11-23T10:00:00.123456+00:00"),
        GraphExecution("e2", "g1", 2, "u1", "10:00"),
    ]


@pytest.mark.parametrize("more", [{"started_at": None}, {}])
async def test_execution_that_has_not_started_is_still_reported(
    executions: HttpExecutions, service: Loopback, more: dict[str, Any]
) -> None:
    """Newer platforms leave the time out until it starts, and a late one has not."""
    service.reply = answer(200, [{key: GRAPH[key] for key in GRAPH if key != "started_at"} | more])
    [execution] = await _queued(executions)
    assert execution.started_at == "None"


async def test_block_stats_are_read(executions: HttpExecutions, service: Loopback) -> None:
    """Fields of newer platforms are ignored."""
    service.reply = answer(200, [{**STATS, "error_rate": 75.0}])
    assert await _stats(executions) == [BlockStats("b1", 20, 15)]


@pytest.mark.parametrize(
    ("output", "errors"),
    [
        ({"output_data": {"error": ["first", "second"]}}, ["first"]),
        ({"output_data": {"error": [{"code": 5}], "result": [1]}, "input_data": {"a": "b"}}, ["{'code': 5}"]),
        ({"output_data": {"error": [404]}}, ["404"]),
        ({"output_data": {"error": "plain"}}, ["plain"]),
        ({"output_data": {"error": [""]}}, [""]),
        ({"output_data": {"error": []}}, []),
        ({"output_data": {"error": [None]}}, []),
        ({"output_data": {"error": None}}, []),
        ({"output_data": {"result": [1]}}, []),
        ({"output_data": None}, []),
        ({}, []),
    ],
)
async def test_error_of_a_node_is_the_first_of_its_errors_as_text(
    executions: HttpExecutions, service: Loopback, output: dict[str, Any], errors: list[str]
) -> None:
    """An execution without one is left out."""
    service.reply = answer(200, [output])
    assert await _errors(executions) == errors


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "should be a valid list"),
        ({"executions": []}, "should be a valid list"),
        ([None], "0\n"),
        ([{**GRAPH, "graph_version": "two"}], "0.graph_version\n"),
        ([GRAPH, {**GRAPH, "user_id": None}], "1.user_id\n"),
        ([{key: GRAPH[key] for key in GRAPH if key != "id"}], "0.id\n  Field required"),
    ],
)
async def test_wrong_shape_is_named_and_its_content_is_not(
    executions: HttpExecutions, service: Loopback, result: Any, said: str
) -> None:
    """The original raises pydantic's ValidationError too; ours quotes nothing that may be a user's."""
    service.reply = answer(200, result)
    with pytest.raises(RemoteCallError, match=said) as caught:
        await _queued(executions)
    assert caught.value.type_name == "ValidationError"
    assert "input_value" not in str(caught.value)


@pytest.mark.parametrize("ask", [_stats, _errors])
async def test_every_answer_is_checked(executions: HttpExecutions, service: Loopback, ask: Any) -> None:
    """Not only that of the executions."""
    service.reply = answer(200, [{"block_id": 5, "output_data": "secret"}])
    with pytest.raises(RemoteCallError) as caught:
        await ask(executions)
    assert caught.value.type_name == "ValidationError"
    assert "secret" not in str(caught.value)


async def test_services_error_comes_out(executions: HttpExecutions, service: Loopback) -> None:
    """Recorded as "execute late NotFoundError"."""
    service.reply = answer(400, {"type": "NotFoundError", "args": ["not here"]})
    with pytest.raises(RemoteCallError, match="not here") as caught:
        await _queued(executions)
    assert caught.value.type_name == "NotFoundError"
