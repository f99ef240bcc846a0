"""What each answer of a receiver means."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.http.answers import Convention, execution_id, retry_after_secs
from adapters.http.session import LONGEST_ANSWER, Answer
from adapters.memory.clock import SettableClock
from ports.errors import DispatchFailed, DispatchMisdirected, DispatchRefused, DispatchTransient
from tests.dispatching import a_request

NOW = datetime(2026, 3, 9, 4, 30, tzinfo=UTC)
RPC = Convention(receiver="the receiver", id_keys=("id",))
REST = Convention(receiver="the receiver", id_keys=("graph_exec_id", "id"))
WEBHOOK = Convention(receiver="the receiver", id_keys=("id",), json_only=False)


def _answer(status: int, content: Any = b"", **headers: str) -> Answer:
    if isinstance(content, bytes):
        return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)
    headers = {"Content_Type": "application/json", **headers}
    return Answer(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(content).encode()
    )


def _read(answer: Answer, convention: Convention = RPC) -> str | None:
    return execution_id(answer, a_request(), convention=convention, clock=SettableClock(NOW))


def _error(answer: Answer, convention: Convention = RPC) -> DispatchFailed:
    with pytest.raises(DispatchFailed) as caught:
        _read(answer, convention)
    return caught.value


def _typed(name: str, *args: Any) -> dict[str, Any]:
    return {"type": name, "args": list(args)}


@pytest.mark.parametrize(
    ("convention", "content", "expected"),
    [
        (RPC, {"id": "exec-1", "status": "QUEUED"}, "exec-1"),
        (RPC, {"id": 17}, "17"),
        (REST, {"graph_exec_id": "exec-1", "id": "other"}, "exec-1"),
        (REST, {"id": "exec-1"}, "exec-1"),
        (WEBHOOK, {"id": "exec-1"}, "exec-1"),
    ],
)
def test_success_tells_the_execution_id(convention: Convention, content: Any, expected: str) -> None:
    """The id is read from the keys of the convention, in their order."""
    assert _read(_answer(200, content), convention) == expected


@pytest.mark.parametrize(
    "content", [None, "OK", [], {}, 5, {"id": None}, {"id": ""}, {"id": True}, {"id": "a\x00b"}, {"id": "x" * 201}]
)
def test_success_of_another_shape_has_no_id(content: Any) -> None:
    """A 2xx with JSON is a success even where no storable id can be read from it."""
    assert _read(_answer(200, content)) is None


@pytest.mark.parametrize("status", [202, 204])
def test_empty_answer_that_is_empty_by_nature_is_a_success(status: int) -> None:
    """202 and 204 may come without a body."""
    assert _read(_answer(status)) is None


@pytest.mark.parametrize(
    "answer",
    [
        _answer(200),
        _answer(200, b'{"id": "exec-', Content_Type="application/json"),
        _answer(200, b'{"id": "exec-', Content_Type="application/problem+json; charset=utf-8"),
        _answer(200, b"[" * 100_000, Content_Type="application/json"),
    ],
    ids=["empty", "half", "half, structured suffix", "nested without end"],
)
def test_broken_json_is_transient_and_ambiguous(answer: Answer) -> None:
    """A receiver that said 200 and then broke off may have acted."""
    error = _error(answer)
    assert isinstance(error, DispatchTransient)
    assert (error.code, error.ambiguous) == ("broken_answer", True)


@pytest.mark.parametrize(
    "answer",
    [
        _answer(200, b"<html>Welcome</html>", Content_Type="text/html"),
        _answer(200, b" <!doctype html>"),
        _answer(200, b"OK", Content_Type="text/plain"),
    ],
)
def test_success_in_another_language_is_misdirected(answer: Answer) -> None:
    """A 200 that is no JSON comes from something else than the receiver."""
    error = _error(answer)
    assert isinstance(error, DispatchMisdirected)
    assert error.code == "wrong_content"


def test_any_2xx_of_a_webhook_is_a_success() -> None:
    """Standard Webhooks asks for a 2xx and for nothing in the body."""
    assert _read(_answer(200, b"<p>Thanks</p>", Content_Type="text/html"), WEBHOOK) is None


def test_answer_too_long_to_read_is_a_success_without_id() -> None:
    """What was accepted is not repeated because the answer is long."""
    cut = Answer(200, {"Content-Type": "application/json"}, b'{"id":"' + b"x" * (LONGEST_ANSWER - 7), cut=True)
    assert _read(cut) is None


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500, 503])
@pytest.mark.parametrize(
    ("name", "message", "code", "gone"),
    [
        ("ValueError", "bad input", "refused", False),
        ("ValidationError", "1 validation error", "refused", False),
        ("UnicodeDecodeError", "codec", "refused", False),
        ("NotFoundError", "Graph #graph-1 not found.", "not_found", True),
        ("NotFoundError", "gone", "not_found", True),
        ("NotFoundError", "Credentials #c not found", "not_found", False),
        ("NotFoundError", "Node of graph-1 not found", "not_found", True),
        ("NotAuthorizedError", "Graph #graph-1 is not yours", "not_authorized", True),
        ("InsufficientBalanceError", "Graph #graph-1 is too expensive", "insufficient_balance", False),
    ],
)
def test_typed_value_error_is_refused_at_any_status(
    status: int, name: str, message: str, code: str, *, gone: bool
) -> None:
    """The exception's type decides, not the status that carries it."""
    error = _error(_answer(status, _typed(name, message)))
    assert isinstance(error, DispatchRefused)
    assert (error.code, error.target_gone, error.ambiguous) == (code, gone, False)
    assert message in str(error)


@pytest.mark.parametrize(
    "name", ["RuntimeError", "ConnectionError", "TimeoutError", "MissingConfigError", "OSError"]
)
@pytest.mark.parametrize(("status", "ambiguous"), [(400, False), (500, True), (503, True)])
def test_other_typed_error_is_transient(name: str, status: int, *, ambiguous: bool) -> None:
    """Anything but a ValueError may pass."""
    error = _error(_answer(status, _typed(name, "oops"), Retry_After="7"))
    assert isinstance(error, DispatchTransient)
    assert (error.code, error.ambiguous, error.retry_after_secs) == ("receiver_error", ambiguous, 7.0)


def test_unknown_type_is_told_by_the_status_class() -> None:
    """The platform answers 400 to ValueErrors only, so an unknown name at 400 is one, and at 500 is none."""
    assert isinstance(_error(_answer(400, _typed("NewPlatformError", "no"))), DispatchRefused)
    assert isinstance(_error(_answer(500, _typed("NewPlatformError", "no"))), DispatchTransient)


def test_known_type_without_args_is_a_typed_refusal() -> None:
    """Args may be absent or null, as the platform's client allows."""
    assert isinstance(_error(_answer(500, {"type": "ValueError"})), DispatchRefused)
    assert isinstance(_error(_answer(500, {"type": "ValueError", "args": None})), DispatchRefused)


@pytest.mark.parametrize(("status", "code"), [(408, "try_later"), (425, "try_later"), (429, "rate_limited")])
def test_try_later_is_transient_with_the_receivers_wish(status: int, code: str) -> None:
    """Retry-After is passed on, in seconds, given as a number or as a date."""
    error = _error(_answer(status, b"", Retry_After="120"))
    assert isinstance(error, DispatchTransient)
    assert (error.code, error.ambiguous, error.retry_after_secs) == (code, False, 120.0)
    dated = _error(_answer(status, b"", Retry_After="Mon, 09 Mar 2026 04:31:30 GMT"))
    assert dated.retry_after_secs == 90.0


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 520, 599])
@pytest.mark.parametrize(
    "content", [b"", b"<html>Bad Gateway</html>", {"detail": "Not Found"}, {"type": "about:blank"}]
)
def test_server_error_is_transient_and_ambiguous(status: int, content: Any) -> None:
    """A 5xx without a type may pass, and may have acted."""
    error = _error(_answer(status, content))
    assert isinstance(error, DispatchTransient)
    assert (error.code, error.ambiguous) == ("server_error", True)


@pytest.mark.parametrize("convention", [RPC, REST, WEBHOOK])
@pytest.mark.parametrize(
    ("status", "content", "code"),
    [
        (401, {"detail": "Token expired"}, "unauthorized"),
        (401, _typed("NotAuthorizedError", "no"), "unauthorized"),
        (403, {"detail": "Graph #graph-1 is not yours"}, "forbidden"),
        (403, b"", "forbidden"),
        (405, {"detail": "Method Not Allowed"}, "wrong_method"),
        (404, {"detail": "Not Found"}, "wrong_path"),
        (404, {"detail": "Not found."}, "wrong_path"),
        (404, {"detail": None}, "wrong_path"),
        (404, {"message": "no Route matched with those values"}, "wrong_path"),
        (404, b"<html>nginx</html>", "wrong_path"),
        (404, b"", "wrong_path"),
        (410, b"", "wrong_path"),
        (301, b"", "redirected"),
        (302, {"detail": "x"}, "redirected"),
        (304, b"", "redirected"),
        (307, _typed("ValueError", "x"), "redirected"),
        (407, b"", "odd_status"),
        (415, b"", "odd_status"),
        (999, b"", "odd_status"),
    ],
)
def test_wrong_deployment_is_misdirected(convention: Convention, status: int, content: Any, code: str) -> None:
    """Answers that say nothing of this firing never fail it."""
    error = _error(_answer(status, content), convention)
    assert isinstance(error, DispatchMisdirected)
    assert (error.code, error.ambiguous) == (code, False)


@pytest.mark.parametrize(
    ("status", "content", "code", "gone"),
    [
        (404, {"detail": "Graph #graph-1 not found."}, "not_found", True),
        (404, {"detail": "No preset #7"}, "not_found", False),
        (410, {"detail": "Graph deleted"}, "not_found", True),
        (402, {"detail": "Insufficient balance for this graph"}, "insufficient_balance", False),
        (402, b"", "insufficient_balance", False),
        (400, {"detail": {"type": "validation_error", "message": "Graph is not valid"}}, "refused", False),
        (400, {"message": "Failed", "detail": "bad version", "hint": "retry"}, "refused", False),
        (409, {"detail": "conflict"}, "refused", False),
        (413, b"<html>nginx</html>", "too_large", False),
        (
            422,
            {"detail": [{"type": "missing", "loc": ["body", "inputs"], "msg": "Field required"}]},
            "refused",
            False,
        ),
        (423, {"detail": "locked"}, "refused", False),
    ],
)
def test_error_about_this_graph_or_user_is_refused(status: int, content: Any, code: str, *, gone: bool) -> None:
    """A 4xx with words of its own speaks of this request, and is final."""
    error = _error(_answer(status, content), REST)
    assert isinstance(error, DispatchRefused)
    assert (error.code, error.target_gone) == (code, gone)


@pytest.mark.parametrize("status", [400, 409, 422])
def test_plain_4xx_is_a_refusal_only_from_a_webhook(status: int) -> None:
    """A webhook answers as it likes; the platform's own services always say why."""
    plain = _answer(status, b"no", Content_Type="text/plain")
    assert isinstance(_error(plain, WEBHOOK), DispatchRefused)
    assert isinstance(_error(plain, RPC), DispatchMisdirected)


def test_validation_error_tells_where_and_what_but_not_the_input() -> None:
    """FastAPI repeats the input in its 422; ours leaves it out."""
    item = {"type": "x", "loc": ["body", "inputs", 0], "msg": "Field required", "input": "qqq"}
    error = _error(_answer(422, {"detail": [item, "junk"]}))
    assert str(error) == "the receiver answered 422: body.inputs.0: Field required"


def test_echoed_inputs_and_credentials_are_masked() -> None:
    """What the receiver repeats of the request does not reach the history."""
    echo = "refused: name='a value to hide', count=12345, cred-4711, My key"
    error = _error(_answer(400, _typed("ValueError", echo)))
    assert str(error) == "ValueError: refused: name='***', count=***, ***, ***"


def test_error_text_is_at_most_500_characters() -> None:
    """A receiver's novel is cut."""
    assert len(str(_error(_answer(400, _typed("ValueError", "no " * 5000))))) == 500
    assert len(str(_error(_answer(503, {"detail": "no " * 500})))) == 500


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0.0),
        (" 5 ", 5.0),
        ("Mon, 09 Mar 2026 04:30:10 GMT", 10.0),
        ("Mon, 09 Mar 2026 04:30:10 -0000", 10.0),
        ("Mon, 09 Mar 2026 06:30:10 +0200", 10.0),
        ("Mon, 09 Mar 2020 04:30:10 GMT", 0.0),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("9" * 5000, None),
        ("Mon, 99 Mar 2026 04:30:10 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds(value: str | None, expected: float | None) -> None:
    """A number or a date counts from now, the past is now, nonsense is no wish."""
    assert retry_after_secs(value, now=NOW) == expected


def test_retry_after_is_counted_from_the_injected_clock() -> None:
    """The date is compared with the clock that was given."""
    header = "Mon, 09 Mar 2026 04:31:00 GMT"
    assert retry_after_secs(header, now=NOW + timedelta(seconds=45)) == 15.0
