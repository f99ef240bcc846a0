"""Schedules that are written together read as if each had been written by itself."""

import json
from typing import Any

import pytest

from domain.models import CredentialsMetaInput, GraphExecutionJobArgs, GraphExecutionJobInfo
from entrypoints.rpc.wire import info_to_json, infos_to_json, to_json
from ports.jobs import Job, JobKind
from ports.triggers import CronTrigger

CREDENTIALS = {"github": {"id": "c", "title": None, "provider": "github", "type": "api_key"}}


def info(number: int, input_data: dict[str, Any]) -> GraphExecutionJobInfo:
    """Return a schedule as lists have it."""
    kwargs: dict[str, Any] = {
        "user_id": f"u{number}",
        "graph_id": "g",
        "graph_version": 1,
        "cron": "* * * * *",
        "input_data": input_data,
        "input_credentials": CREDENTIALS,
    }
    job = Job(f"id{number}", JobKind.EXECUTE_GRAPH, "Zażółć", CronTrigger("UTC"), kwargs, None)
    return GraphExecutionJobInfo.from_job(GraphExecutionJobArgs.model_validate(kwargs), job)


def nested(levels: int) -> dict[str, Any]:
    """Return something deep."""
    found: dict[str, Any] = {}
    for _ in range(levels):
        found = {"a": found}
    return found


@pytest.mark.parametrize(
    "odd",
    [{}, {"x": float("nan")}, {"x": "\ud800"}, {"\ud800": 1}, nested(300), nested(2000), {"x": [1e16, -0.0, "é"]}],
    ids=["plain", "NaN", "surrogate", "key", "deep", "deeper", "numbers"],
)
def test_an_odd_schedule_changes_nothing_about_the_others(odd: dict[str, Any]) -> None:
    """Byte for byte, wherever among them it stands."""
    for count in (0, 1, 19, 20, 21, 45):
        infos = [info(number, odd if number % 30 == 7 else {"a": [number, "ü"]}) for number in range(count)]
        assert b",".join(infos_to_json(infos)) == b",".join(map(info_to_json, infos))


def test_a_schedule_is_written_as_its_model_says() -> None:
    """All fields in their order, credentials as the specification has them."""
    one = info(1, {"a": {"b": [1, 2.5, None, True]}})
    assert info_to_json(one) == to_json(one.model_dump())
    assert json.loads(info_to_json(one))["input_credentials"] == CREDENTIALS
    assert one.input_credentials == {"github": CredentialsMetaInput.model_validate(CREDENTIALS["github"])}
