"""The error table: which exception becomes which status, type and arguments."""

import logging
from collections.abc import Callable
from json import JSONDecodeError
from typing import Any

import httpx
import pytest

from adapters.memory.jobs import MemoryJobStore
from domain.errors import (
    InvalidScheduleError,
    NotAuthorizedError,
    NotFoundError,
    QuotaExceededError,
    UnstorableInputError,
)
from domain.models import NotificationJobArgs
from ports.errors import DispatchTransient, LeaseLost, RemoteCallError, StoreUnavailable
from tests.rpc.serving import World

SECRET = "swordfish"
CLEANUP = "/execute_cleanup_expired_files"


class OddError(ValueError):
    """A subclass that no table knows."""


def invalid() -> Exception:
    """Return a ValidationError of pydantic's."""
    with pytest.raises(ValueError) as caught:
        NotificationJobArgs.model_validate({})
    return caught.value


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NotFoundError("j"), (400, "NotFoundError", ["Job #j not found."])),
        (NotAuthorizedError("j", "u"), (400, "NotAuthorizedError", ["User ID does not match the job's user ID"])),
        (InvalidScheduleError("bad", field="minute"), (400, "ValueError", ["bad"])),
        (UnstorableInputError("deep"), (400, "ValueError", ["deep"])),
        (QuotaExceededError("full", setting="X", limit=1), (400, "ValueError", ["full"])),
        (ValueError("x", 1, None), (400, "ValueError", ["x", 1, None])),
        (ValueError(), (400, "ValueError", [""])),
        (OddError("x"), (400, "OddError", ["x"])),
        (JSONDecodeError("m", "d", 0), (400, "JSONDecodeError", ["m: line 1 column 1 (char 0)"])),
        (KeyError("k"), (500, "KeyError", ["k"])),
        (RuntimeError(), (500, "RuntimeError", [""])),
        (TimeoutError("t"), (500, "TimeoutError", ["t"])),
        (OSError(2, "No such file"), (500, "FileNotFoundError", [2, "No such file"])),
        (RuntimeError({"a": [1]}), (500, "RuntimeError", [{"a": [1]}])),
        (RuntimeError({1}, b"x", float("nan")), (500, "RuntimeError", ["{1}", "b'x'", None])),
        (RecursionError("deep"), (500, "RecursionError", ["deep"])),
        (LeaseLost("r"), (500, "LeaseLost", ["replica r lost its lease"])),
        (DispatchTransient("no", code="c"), (500, "DispatchTransient", ["no"])),
        (StoreUnavailable("gone"), (500, "OperationalError", ["gone"])),
        (StoreUnavailable("busy", overloaded=True), (503, "TimeoutError", ["busy"])),
        (RemoteCallError("NotFoundError", ["n"]), (400, "NotFoundError", ["n"])),
        (RemoteCallError("ValueError", []), (400, "ValueError", [])),
        (RemoteCallError("UnicodeDecodeError", ["u"]), (400, "UnicodeDecodeError", ["u"])),
        (
            RemoteCallError("InsufficientBalanceError", ["m", "u", 0, 1.5]),
            (400, "InsufficientBalanceError", ["m", "u", 0, 1.5]),
        ),
        (RemoteCallError("Exception", ["rt", 1, None]), (500, "Exception", ["rt", 1, None])),
        (RemoteCallError("ConnectError", ["c"]), (500, "ConnectError", ["c"])),
    ],
)
async def test_an_exception_becomes_status_type_and_arguments(
    world: World, client: httpx.AsyncClient, error: Exception, expected: tuple[int, str, list[Any]]
) -> None:
    """ValueErrors are 400, all else 500, under the names that the platform's clients know."""
    world.system_tasks.outcome = error
    answer = await client.post(CLEANUP, content=b"{}")
    status, name, args = expected
    assert (answer.status_code, answer.json()) == (status, {"type": name, "args": args})
    assert answer.headers["content-type"] == "application/json"


async def test_a_validation_error_is_answered_with_its_text(world: World, client: httpx.AsyncClient) -> None:
    """Pydantic's errors have no arguments, so their text is the only one."""
    world.system_tasks.outcome = error = invalid()
    answer = await client.post(CLEANUP, content=b"{}")
    assert (answer.status_code, answer.json()) == (400, {"type": "ValidationError", "args": [str(error)]})


@pytest.mark.parametrize(("secs", "header"), [(1.0, "1"), (0.2, "1"), (2.5, "3")])
async def test_a_busy_store_says_when_to_come_back(
    world: World, client: httpx.AsyncClient, secs: float, header: str
) -> None:
    """Retry-After is whole seconds, rounded up."""
    world.system_tasks.outcome = StoreUnavailable("busy", overloaded=True, retry_after_secs=secs)
    answer = await client.post(CLEANUP, content=b"{}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, header)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/get_graph_execution_schedules", b"{}"),
        ("/delete_graph_execution_schedule", b'{"schedule_id":"a","user_id":"u"}'),
    ],
)
async def test_a_store_that_is_away_is_an_operational_error_until_it_is_back(
    world: World, client: httpx.AsyncClient, path: str, body: bytes
) -> None:
    """Every use case answers 500 with the name that the original gave it, and works again afterwards."""
    assert isinstance(world.jobs, MemoryJobStore)
    world.jobs.fail_next(StoreUnavailable("the database is away"))
    answer = await client.post(path, content=body)
    assert (answer.status_code, answer.json()) == (
        500,
        {"type": "OperationalError", "args": ["the database is away"]},
    )
    assert (await client.post("/get_graph_execution_schedules", content=b"{}")).text == "[]"


async def test_an_unforeseen_error_is_logged_with_its_place_and_without_its_message(
    world: World, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A message may hold somebody's input; the log names the class and where it was raised."""
    world.system_tasks.outcome = RuntimeError(SECRET)
    await client.post(CLEANUP, content=b"{}")
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert "RuntimeError" in record.getMessage()
    assert "serving.py" in record.getMessage()
    assert SECRET not in caplog.text


@pytest.mark.parametrize("make", [lambda: NotFoundError("j"), lambda: StoreUnavailable("x"), invalid])
async def test_a_foreseen_error_is_not_logged(
    world: World, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, make: Callable[[], Exception]
) -> None:
    """What the table names is somebody's answer, not this service's failure."""
    world.system_tasks.outcome = make()
    await client.post(CLEANUP, content=b"{}")
    assert caplog.records == []
