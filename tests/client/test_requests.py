"""What the client sends, beside what the original was recorded to take (compat/http.jsonl, notes.md)."""

import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.models import CredentialsMetaInput
from entrypoints.client import SchedulerClient, SyncSchedulerClient, calls
from entrypoints.client.answers import content_of
from entrypoints.client.calls import Call
from tests.client.conftest import Caller
from tests.client.scripted import ScriptedServer, answer
from tests.shared import SHARED

RECORDINGS = [json.loads(line) for line in (SHARED / "compat" / "http.jsonl").read_bytes().splitlines()]
BUILD: dict[str, Callable[..., Call[Any]]] = {
    "/add_graph_execution_schedule": calls.add_execution_schedule,
    "/delete_graph_execution_schedule": calls.delete_schedule,
    "/get_graph_execution_schedules": calls.get_execution_schedules,
}


def recorded() -> list[tuple[str, str]]:
    """Return path and body of what was answered with 200 and can be said through the client."""
    found = []
    for recording in RECORDINGS:
        request, body = recording["request"], recording["request"]["body"]
        if request["path"] not in BUILD or recording["response"]["status"] != 200 or not isinstance(body, str):
            continue
        try:
            arguments = json.loads(body, parse_constant=_refuse)
        except ValueError:  # no JSON, or NaN, which the platform's client refuses to send as well
            continue
        parameters = inspect.signature(BUILD[request["path"]]).parameters
        if isinstance(arguments, dict) and set(arguments) <= set(parameters):
            found.append((request["path"], body))
    return found


def _refuse(constant: str) -> None:
    raise ValueError(constant)


@pytest.mark.parametrize(("path", "body"), recorded())
def test_bodies_are_those_of_the_recorded_contract(path: str, body: str) -> None:
    """The same arguments make the same JSON, key by key; what is not given is not sent."""
    arguments = json.loads(body)
    own_id = {"schedule_id": None} if path.startswith("/add") else {}
    call = BUILD[path](**arguments, **own_id)
    assert f"/{call.method}" == path
    sent = content_of(call).decode()
    assert json.loads(sent) == arguments
    assert sent == json.dumps(json.loads(sent), ensure_ascii=False, separators=(",", ":"))


def test_there_is_something_recorded() -> None:
    """The comparison above covers each of the three methods many times."""
    assert {path for path, _ in recorded()} == set(BUILD)
    assert len(recorded()) > 30


@pytest.mark.parametrize(
    ("method", "args", "path", "body"),
    [
        ("get_execution_schedules", (), "/get_graph_execution_schedules", b"{}"),
        (
            "get_execution_schedules",
            ("g1", "u1"),
            "/get_graph_execution_schedules",
            b'{"graph_id":"g1","user_id":"u1"}',
        ),
        (
            "delete_schedule",
            ("s1", "u1"),
            "/delete_graph_execution_schedule",
            b'{"schedule_id":"s1","user_id":"u1"}',
        ),
    ],
)
def test_positional_arguments_are_the_originals(
    call: Caller, method: str, args: tuple[Any, ...], path: str, body: bytes
) -> None:
    """client.json, "list positional (graph, user)": callers need not change."""
    enough = answer(400, {"type": "ValueError", "args": ["enough"]})
    with ScriptedServer([enough]) as server, pytest.raises(ValueError, match="enough"):
        call(server.url, method, *args)
    (request,) = server.requests
    assert (request.path, request.body) == (path, body)
    assert request.headers["content-type"] == "application/json"


def test_credentials_and_times_are_written_as_the_service_reads_them() -> None:
    """Objects of pydantic's as their fields, times as ISO 8601."""
    credentials = CredentialsMetaInput(id="c", title="t", provider="github", type="api_key")
    call = calls.add_execution_schedule(
        "u1",
        "g1",
        1,
        run_at=datetime(2027, 1, 1, 9, tzinfo=UTC),
        input_credentials={"k": credentials},
        schedule_id="mine",
    )
    assert json.loads(content_of(call)) == {
        "user_id": "u1",
        "graph_id": "g1",
        "graph_version": 1,
        "input_data": {},
        "input_credentials": {"k": {"id": "c", "title": "t", "provider": "github", "type": "api_key"}},
        "run_at": "2027-01-01T09:00:00Z",
        "schedule_id": "mine",
    }


def test_null_takes_away_and_absence_leaves() -> None:
    """An update tells the two apart."""
    call = calls.update_schedule("s1", "u1", end_at=None, name="new")
    assert json.loads(content_of(call)) == {"schedule_id": "s1", "user_id": "u1", "end_at": None, "name": "new"}


def test_the_window_of_a_backfill_has_the_wires_names() -> None:
    """`from` is no name for an argument in Python."""
    body = content_of(calls.backfill_schedule("s1", "u1", "2026-11-23T00:00", "2026-11-24T00:00"))
    assert list(json.loads(body)) == ["schedule_id", "user_id", "from", "to"]


def test_both_clients_have_every_call_with_its_signature_and_words() -> None:
    """`help()` and editors show the same as for the calls."""
    names = {
        name
        for name, value in vars(calls).items()
        if inspect.isfunction(value) and value.__module__ == calls.__name__ and not name.startswith("_")
    }
    for client in (SchedulerClient, SyncSchedulerClient):
        for name in names:
            method, build = getattr(client, name), getattr(calls, name)
            assert method.__doc__ == build.__doc__
            assert list(inspect.signature(method).parameters)[1:] == list(inspect.signature(build).parameters)
    assert len(names) == 19
