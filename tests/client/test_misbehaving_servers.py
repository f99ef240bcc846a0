"""What a caller gets when the other side fails: retries of what is safe, and one kind of error for each kind."""

from collections.abc import Sequence
from typing import Any

import pytest

from entrypoints.client import (
    CallTimeoutError,
    InvalidRequestError,
    NotAuthorizedError,
    NotFoundError,
    RemoteCallError,
    SchedulerClientError,
    ServiceUnavailableError,
    ServiceUnreachableError,
)
from tests.client.conftest import Caller
from tests.client.scripted import (
    Act,
    ScriptedServer,
    answer,
    half_an_answer,
    hang_up,
    no_http,
    reset,
    silence,
    unused_url,
)

EMPTY = answer(200, [])
LISTING = "get_execution_schedules"
DELETION = ("delete_schedule", "some-id", "u1")
AWAY = answer(500, {"type": "OperationalError", "args": ["database: gone"]})
BUSY = answer(503, {"type": "TimeoutError", "args": ["no connection became free"]}, retry_after="0")


@pytest.mark.parametrize("failure", [reset, hang_up, half_an_answer, no_http, AWAY, BUSY, answer(502, b"<html>")])
def test_what_may_be_made_twice_is_repeated(call: Caller, failure: Act) -> None:
    """A list comes through two failures of any kind."""
    with ScriptedServer([failure, failure, EMPTY]) as server:
        assert call(server.url, LISTING) == []
    assert len(server.requests) == 3


@pytest.mark.parametrize("failure", [reset, hang_up, half_an_answer, AWAY, answer(503, {}), answer(504, b"")])
def test_what_may_not_is_made_once(call: Caller, failure: Act) -> None:
    """A deletion that may have happened is not tried again: it would not be found."""
    with ScriptedServer([failure]) as server, pytest.raises(SchedulerClientError):
        call(server.url, *DELETION)
    assert len(server.requests) == 1


def test_a_call_that_was_turned_away_is_repeated_whatever_it_is(call: Caller) -> None:
    """503 with Retry-After says that nothing was done."""
    gone = answer(400, {"type": "NotFoundError", "args": ["Job #x not found."]})
    with ScriptedServer([BUSY, gone]) as server, pytest.raises(NotFoundError, match=r"^Job #x not found\.$"):
        call(server.url, *DELETION)
    assert len(server.requests) == 2


def test_an_add_is_repeated_under_the_same_id(call: Caller, schedule: dict[str, Any]) -> None:
    """So that it makes one schedule, however often it arrives."""
    with ScriptedServer([reset, answer(200, schedule)]) as server:
        call(server.url, "add_execution_schedule", "u1", "g1", 1, "@daily", {}, {})
    first, second = (request.body for request in server.requests)
    assert first == second
    assert b'"schedule_id":"' in first


def test_an_add_without_an_id_is_made_once(call: Caller) -> None:
    """Whoever wants the service to choose the id hears of a lost answer."""
    with ScriptedServer([reset]) as server, pytest.raises(ServiceUnreachableError):
        call(server.url, "add_execution_schedule", "u1", "g1", 1, "@daily", {}, {}, schedule_id=None)
    assert len(server.requests) == 1


@pytest.mark.parametrize("arguments", [(LISTING,), DELETION])
def test_a_refused_connection_is_told(call: Caller, arguments: Sequence[Any]) -> None:
    """As a ConnectionError that names the address."""
    url = unused_url()
    with pytest.raises(ConnectionError, match=url) as caught:
        call(url, *arguments)
    assert isinstance(caught.value, ServiceUnreachableError)


def test_a_call_that_ran_into_the_timeout_is_not_repeated(call: Caller) -> None:
    """The service had its time, and may be at it still."""
    with ScriptedServer([silence]) as server, pytest.raises(TimeoutError) as caught:
        call(server.url, LISTING, timeout=0.2)
    assert isinstance(caught.value, CallTimeoutError)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("act", "kind", "text"),
    [
        (answer(400, {"type": "NotFoundError", "args": ["Job #1 not found."]}), NotFoundError, "Job #1 not found."),
        (answer(400, {"type": "NotAuthorizedError", "args": ["not yours"]}), NotAuthorizedError, "not yours"),
        (answer(401, {"type": "NotAuthorizedError", "args": ["token"]}), NotAuthorizedError, "token"),
        (answer(403, b"no"), NotAuthorizedError, "answered 403"),
        (answer(400, {"type": "ValueError", "args": ["Wrong number of fields"]}), ValueError, "Wrong number"),
        (answer(400, {"type": "ValidationError", "args": ["1 error"]}), InvalidRequestError, "1 error"),
        (answer(413, {"type": "ValueError", "args": ["too large"]}), InvalidRequestError, "too large"),
        (answer(500, {"type": "KeyError", "args": ["a", 1]}), RemoteCallError, "a, 1"),
        (answer(400, {"type": "NotFoundError", "args": None}), NotFoundError, "answered 400"),
        (answer(400, {"type": "NotFoundError", "args": "text"}), NotFoundError, "answered 400"),
        (answer(400, [1]), RemoteCallError, "answered 400"),
        (answer(404, {"detail": "Not Found"}), RemoteCallError, "answered 404"),
        (answer(500, b"Internal Server Error"), RemoteCallError, "no JSON"),
        (answer(200, b"<html>"), RemoteCallError, "no JSON"),
        (answer(200, {"not": "a list"}), RemoteCallError, "something else"),
        (answer(200, [{"id": 1}]), RemoteCallError, "something else"),
        (answer(307, {}, location="http://127.0.0.1:1/"), RemoteCallError, "is it the scheduler"),
        (AWAY, ServiceUnavailableError, "database: gone"),
    ],
)
def test_each_answer_has_its_error(call: Caller, act: Act, kind: type[Exception], text: str) -> None:
    """Typed, in one line, and caught as any error of the client's."""
    with ScriptedServer([act]) as server, pytest.raises(kind, match=text) as caught:
        call(server.url, LISTING, retries=0)
    assert isinstance(caught.value, SchedulerClientError)
    assert "\n" not in str(caught.value)


def test_a_422_says_what_is_wrong_with_which_argument(call: Caller) -> None:
    """In words, and as the list that the service gave."""
    detail = [{"type": "missing", "loc": ["body", "cron"], "msg": "Field required", "input": {}}]
    wrong = answer(422, {"detail": detail})
    with ScriptedServer([wrong]) as server, pytest.raises(ValueError, match=r"^cron: Field required$") as caught:
        call(server.url, LISTING)
    assert isinstance(caught.value, InvalidRequestError)
    assert caught.value.details == detail


def test_the_service_says_what_it_raised(call: Caller) -> None:
    """Class and arguments of an error that nobody foresaw can be looked at."""
    raised = answer(500, {"type": "KeyError", "args": ["a", 1]})
    with ScriptedServer([raised]) as server, pytest.raises(RemoteCallError) as caught:
        call(server.url, LISTING)
    error = caught.value
    assert (error.status, error.type_name, error.remote_args) == (500, "KeyError", ["a", 1])


@pytest.mark.parametrize("value", [float("nan"), "\ud800", object()])
def test_what_json_can_not_hold_is_not_sent(call: Caller, value: Any) -> None:
    """It is the caller's mistake, and a ValueError."""
    with ScriptedServer([EMPTY]) as server, pytest.raises(ValueError, match="can't be sent"):
        call(server.url, "add_execution_schedule", "u1", "g1", 1, "@daily", {"a": value}, {})
    assert server.requests == []


def test_the_token_goes_along_and_is_not_shown(call: Caller) -> None:
    """As a bearer token."""
    with ScriptedServer([EMPTY]) as server:
        call(server.url, LISTING, token="secret-token")
    assert server.requests[0].headers["authorization"] == "Bearer secret-token"


def test_more_fields_than_are_known_are_no_matter(call: Caller, schedule: dict[str, Any]) -> None:
    """A newer service may say more."""
    with ScriptedServer([answer(200, [schedule | {"invented_later": 1}])]) as server:
        assert [found.id for found in call(server.url, LISTING)] == [schedule["id"]]
