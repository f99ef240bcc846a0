"""Neighbour against a real server on loopback: what it sends, and what it makes of every kind of answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any

import pytest

from adapters.http import neighbour as module
from adapters.http.neighbour import Neighbour
from ports.errors import RemoteCallError
from tests.integration.loopback import Loopback, Reply, answer, free_port, loopback, raw, reset, silence


class _Status(Enum):
    QUEUED = "QUEUED"


@pytest.fixture
async def service() -> AsyncIterator[Loopback]:
    """A service whose every method returns None."""
    async with loopback(answer(200, None)) as service:
        yield service


@pytest.fixture
async def neighbour(service: Loopback) -> AsyncIterator[Neighbour]:
    """The adapter, pointed at the service, patient for two seconds."""
    neighbour = Neighbour(host="127.0.0.1", port=service.port, timeout_secs=2.0)
    yield neighbour
    await neighbour.aclose()


async def _error(neighbour: Neighbour) -> RemoteCallError:
    with pytest.raises(RemoteCallError) as caught:
        await neighbour.call("ask", {})
    return caught.value


def _answer(status: str, document: Any) -> Reply:
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n"
    return raw(head.encode() + body, keep=True)


async def test_call_is_what_the_platforms_client_would_post(neighbour: Neighbour, service: Loopback) -> None:
    """Compact JSON in UTF-8, times in UTC with microseconds unless they are zero, enums by value."""
    india = timezone(timedelta(hours=5, minutes=30))
    arguments = {
        "content": "✅ well",
        "statuses": [_Status.QUEUED],
        "since": datetime(2026, 11, 23, 13, 26, 3, 971162, tzinfo=UTC),
        "until": datetime(2026, 11, 23, 19, 51, 3, tzinfo=india),
        "limit": 1000,
    }
    await neighbour.call("ask", arguments)
    [received] = service.received
    assert (received.method, received.target) == ("POST", "/ask")
    assert received.headers["content-type"] == "application/json"
    assert received.body.decode() == (
        '{"content":"✅ well","statuses":["QUEUED"],"since":"2026-11-23T13:26:03.971162+00:00",'
        '"until":"2026-11-23T14:21:03+00:00","limit":1000}'
    )


async def test_lone_surrogate_is_sent_as_its_escape(neighbour: Neighbour, service: Loopback) -> None:
    """Names of graphs may hold one, and an alert about them should not fail."""
    await neighbour.call("ask", {"content": "✅ \ud800"})
    assert service.received[0].json == {"content": "✅ \ud800"}


async def test_argument_that_json_can_not_hold_is_a_mistake(neighbour: Neighbour, service: Loopback) -> None:
    """Nobody's answer, so no RemoteCallError; nothing is sent."""
    with pytest.raises(TypeError, match="set"):
        await neighbour.call("ask", {"a": {1}})
    assert service.received == []


@pytest.mark.parametrize("result", [None, "done", 0, [], {"type": "ValueError", "args": ["no error at 200"]}])
async def test_result_is_the_answers_json(neighbour: Neighbour, service: Loopback, result: Any) -> None:
    """Whatever it is."""
    service.reply = answer(200, result)
    assert await neighbour.call("ask", {}) == result


@pytest.mark.parametrize(
    "name",
    [
        "ValueError",
        "TimeoutError",
        "ConnectionError",
        "MissingConfigError",
        "NotFoundError",
        "NeedConfirmation",
        "NotAuthorizedError",
        "InsufficientBalanceError",
    ],
)
async def test_known_type_keeps_its_name_and_arguments(neighbour: Neighbour, service: Loopback, name: str) -> None:
    """EXCEPTION_MAPPING as recorded in client.json."""
    service.reply = answer(400, {"type": name, "args": ["m", "u", 1.0, {"b": None}], "more": 1})
    error = await _error(neighbour)
    assert (error.type_name, error.remote_args) == (name, ["m", "u", 1.0, {"b": None}])


@pytest.mark.parametrize(
    "name", ["RuntimeError", "KeyError", "ValidationError", "Exception", "RemoteCallError", ""]
)
async def test_unknown_type_becomes_exception_with_its_arguments(
    neighbour: Neighbour, service: Loopback, name: str
) -> None:
    """Recorded as "execute late unmapped exception" and "reply 400 unknown type"."""
    service.reply = answer(500, {"type": name, "args": ["rt", 1, None]})
    error = await _error(neighbour)
    assert (error.type_name, error.remote_args) == ("Exception", ["rt", 1, None])


@pytest.mark.parametrize(
    ("kind", "status", "document", "name"),
    [
        ("Server error", "500 Internal Server Error", {"type": "TimeoutError", "args": None}, "TimeoutError"),
        ("Client error", "400 Bad Request", {"type": "NotFoundError", "args": []}, "NotFoundError"),
        ("Client error", "400 Bad Request", {"type": "ValueError"}, "ValueError"),
        ("Client error", "400 Bad Request", {"type": "KeyError", "args": []}, "Exception"),
        ("Client error", "422 Unprocessable Entity", {"detail": [{"type": "missing"}]}, "Exception"),
        ("Client error", "404 Not Found", {"detail": "Not Found"}, "Exception"),
        ("Server error", "503 Service Unavailable", {}, "Exception"),
        ("Redirect response", "307 Temporary Redirect", {}, "Exception"),
    ],
)
async def test_answer_without_arguments_tells_the_status(
    neighbour: Neighbour, service: Loopback, *, kind: str, status: str, document: Any, name: str
) -> None:
    """In the words of the HTTP client, as recorded in http.jsonl (347 to 350) and client.json."""
    service.reply = _answer(status, document)
    error = await _error(neighbour)
    more = f"For more information check: https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/{status[:3]}"
    assert error.type_name == name
    assert error.remote_args == [f"{kind} '{status}' for url '{service.url}/ask'\n{more}"]


@pytest.mark.parametrize(
    ("reply", "name", "said"),
    [
        (answer(500, b"Internal Server Error", kind="text/plain"), "JSONDecodeError", "Expecting value: line 1"),
        (answer(502, b""), "JSONDecodeError", "Expecting value: line 1"),
        (answer(200, b"<html>"), "JSONDecodeError", "Expecting value: line 1"),
        (answer(200, b'{"a": "\xff"}'), "UnicodeDecodeError", "can't decode byte"),
        (answer(200, b"[" * 100_000), "RecursionError", "recursion"),
        (answer(400, {"type": "ValueError", "args": "abc"}), "ValidationError", "should be a valid tuple"),
        (answer(400, {"type": 5, "args": []}), "ValidationError", "should be a valid string"),
        (answer(400, [1]), "ValidationError", "1 validation error for RemoteCallError\n  Input should be a valid"),
    ],
)
async def test_answer_of_no_known_form_is_named_as_in_the_original(
    neighbour: Neighbour, service: Loopback, reply: Reply, name: str, said: str
) -> None:
    """Whatever reading it would have raised there (compat/notes.md)."""
    service.reply = reply
    error = await _error(neighbour)
    assert error.type_name == name
    [text] = error.remote_args
    assert said in text


async def test_nobody_there_is_a_connect_error() -> None:
    """By the HTTP client's name for it, and with the address."""
    port = await free_port()
    neighbour = Neighbour(host="127.0.0.1", port=port, timeout_secs=2.0)
    error = await _error(neighbour)
    await neighbour.aclose()
    assert error.type_name == "ConnectError"
    assert str(error) == f"http://127.0.0.1:{port}/ask: All connection attempts failed"


async def test_late_answer_is_a_read_timeout(service: Loopback) -> None:
    """The time covers the whole call: a service that trickles does not hold a monitor for ever."""

    async def trickle(writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[")
        return await silence(writer)

    neighbour = Neighbour(host="127.0.0.1", port=service.port, timeout_secs=0.1)
    for reply in (silence, trickle):
        service.reply = reply
        error = await _error(neighbour)
        assert error.type_name == "ReadTimeout"
        assert str(error) == f"no answer from {service.url}/ask within 0.1 s"
    await neighbour.aclose()


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        (reset, "ReadError"),
        (raw(b""), "RemoteProtocolError"),
        (raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "RemoteProtocolError"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n[1"), "RemoteProtocolError"),
    ],
    ids=["reset", "hung up", "no HTTP", "half an answer"],
)
async def test_broken_off_call_is_not_repeated(
    neighbour: Neighbour, service: Loopback, reply: Reply, name: str
) -> None:
    """The service may have acted: an alert or a mail would go out twice."""
    service.reply = reply
    assert (await _error(neighbour)).type_name == name
    assert len(service.received) == 1


async def test_connection_closed_after_an_error_does_not_harm_the_next_call(
    neighbour: Neighbour, service: Loopback
) -> None:
    """The platform's services hang up after a 500 without saying so, and pooled clients trip over it."""
    body = b'{"type":"KeyError","args":["k"]}'
    service.script.append(raw(b"HTTP/1.1 500 x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)))
    await _error(neighbour)
    assert await neighbour.call("ask", {}) is None


async def test_redirect_is_not_followed(neighbour: Neighbour, service: Loopback) -> None:
    """It would carry a call to a place that nobody configured."""
    service.script.append(answer(307, {}, headers={"Location": f"{service.url}/elsewhere"}))
    assert (await _error(neighbour)).type_name == "Exception"
    assert [received.target for received in service.received] == ["/ask"]


async def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, service: Loopback) -> None:
    """Neighbours are neighbours; a proxy would be told of every alert."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{await free_port()}")
    neighbour = Neighbour(host="127.0.0.1", port=service.port, timeout_secs=2.0)
    assert await neighbour.call("ask", {}) is None
    await neighbour.aclose()


async def test_answer_beyond_the_limit_is_refused(neighbour: Neighbour, service: Loopback) -> None:
    """A neighbour gone wild does not fill this process's memory: reading stops there."""
    endless = b"x" * (1 << 20)

    async def flood(writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(endless)
            await writer.drain()

    service.reply = flood
    error = await _error(neighbour)
    assert (error.type_name, str(module.LONGEST_ANSWER) in str(error)) == ("Exception", True)


async def test_calls_may_be_under_way_together(neighbour: Neighbour, service: Loopback) -> None:
    """Monitors and alerts do not wait for each other."""
    service.reply = answer(200, 1)
    assert await asyncio.gather(*(neighbour.call("ask", {}) for _ in range(20))) == [1] * 20
