"""RpcExecutionDispatch against a real server on loopback, well behaved and not."""

import asyncio
import gc
import json
import math
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest

from adapters.http.rpc_dispatch import RpcExecutionDispatch
from adapters.memory.clock import SystemClock
from ports.dispatch import ExecutionDispatch
from ports.errors import DispatchFailed, DispatchMisdirected, DispatchRefused, DispatchTransient
from tests.dispatching import CREDENTIALS, a_request
from tests.integration.loopback import Loopback, Reply, answer, free_port, loopback, raw, reset, silence


@pytest.fixture
async def receiver() -> AsyncIterator[Loopback]:
    """A receiver that starts every graph."""
    async with loopback() as receiver:
        yield receiver


@pytest.fixture
async def dispatch(receiver: Loopback) -> AsyncIterator[RpcExecutionDispatch]:
    """The adapter, pointed at the receiver, patient for two seconds."""
    adapter = _adapter(receiver.port)
    yield adapter
    await adapter.aclose()


def _adapter(port: int, *, timeout_secs: float = 2.0, connections: int = 10) -> RpcExecutionDispatch:
    url = f"http://127.0.0.1:{port}/add_graph_execution"
    return RpcExecutionDispatch(url=url, timeout_secs=timeout_secs, connections=connections, clock=SystemClock())


async def _error(dispatch: ExecutionDispatch) -> DispatchFailed:
    with pytest.raises(DispatchFailed) as caught:
        await dispatch.dispatch(a_request())
    return caught.value


async def test_call_is_what_the_platforms_client_would_post(
    dispatch: RpcExecutionDispatch, receiver: Loopback
) -> None:
    """Compact JSON with the platform's keyword names; the idempotency key is a header."""
    assert await dispatch.dispatch(a_request()) == "exec-1"
    [received] = receiver.received
    assert (received.method, received.target) == ("POST", "/add_graph_execution")
    expected = {
        "user_id": "user-1",
        "graph_id": "graph-1",
        "graph_version": 3,
        "inputs": {"name": "a value to hide", "count": 12345},
        "graph_credentials_inputs": CREDENTIALS,
    }
    assert received.body == json.dumps(expected, separators=(",", ":")).encode()
    assert received.headers["content-type"] == "application/json"
    assert received.headers["idempotency-key"] == "job-1:2026-03-09T04:30:00Z"


async def test_floats_without_a_number_arrive_as_python_writes_them(
    dispatch: RpcExecutionDispatch, receiver: Loopback
) -> None:
    """The receiver is Python, and the original hands NaN over in its own process."""
    await dispatch.dispatch(a_request(inputs={"x": float("nan"), "y": float("-inf")}))
    inputs = receiver.received[0].json["inputs"]
    assert math.isnan(inputs["x"])
    assert inputs["y"] == float("-inf")


async def test_odd_job_id_can_not_break_the_headers(dispatch: RpcExecutionDispatch, receiver: Loopback) -> None:
    """What may not stand in a header is percent-encoded."""
    await dispatch.dispatch(a_request(idempotency_key="jöb\r\nX-Evil: 1:2026-03-09T04:30:00Z"))
    headers = receiver.received[0].headers
    assert headers["idempotency-key"] == "j%C3%B6b%0D%0AX-Evil:%201:2026-03-09T04:30:00Z"
    assert "x-evil" not in headers


async def test_inputs_of_megabytes_arrive(dispatch: RpcExecutionDispatch, receiver: Loopback) -> None:
    """A body beyond what the client library writes in one go arrives whole."""
    await dispatch.dispatch(a_request(inputs={"text": "x" * 3_000_000}))
    assert len(receiver.received[0].json["inputs"]["text"]) == 3_000_000


async def test_inputs_that_json_can_not_hold_are_refused(
    dispatch: RpcExecutionDispatch, receiver: Loopback
) -> None:
    """They never will be sent, so repeating is of no use; the error does not quote them."""
    with pytest.raises(DispatchRefused, match="TypeError") as caught:
        await dispatch.dispatch(a_request(inputs={"x": {1, 2}}))
    assert caught.value.code == "unserializable"
    assert receiver.received == []


async def test_slow_answer_is_a_timeout_that_may_have_acted(receiver: Loopback) -> None:
    """A receiver that does not answer in time is tried again later, with a warning that it may have acted."""
    receiver.reply = silence
    dispatch = _adapter(receiver.port, timeout_secs=0.1)
    error = await _error(dispatch)
    assert isinstance(error, DispatchTransient)
    assert (error.code, error.ambiguous) == ("timeout", True)
    await dispatch.aclose()


async def test_timeout_covers_the_body_too(receiver: Loopback) -> None:
    """An answer that starts in time and never ends is a timeout."""

    async def half_then_silence(writer: asyncio.StreamWriter) -> bool:
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"id"')
        return await silence(writer)

    receiver.reply = half_then_silence
    dispatch = _adapter(receiver.port, timeout_secs=0.1)
    error = await _error(dispatch)
    assert isinstance(error, DispatchTransient)
    assert (error.code, error.ambiguous) == ("timeout", True)
    await dispatch.aclose()


async def test_refused_connection_is_transient_and_certainly_did_nothing() -> None:
    """Nobody listens: nobody can have acted."""
    port = await free_port()
    dispatch = _adapter(port)
    error = await _error(dispatch)
    assert isinstance(error, DispatchTransient)
    assert (error.code, error.ambiguous) == ("connect_failed", False)
    assert f"127.0.0.1:{port}" in str(error)
    await dispatch.aclose()


async def test_unknown_host_is_transient() -> None:
    """A name that does not resolve may resolve later."""
    dispatch = RpcExecutionDispatch(
        url="http://nowhere.invalid:8002/x", timeout_secs=2, connections=1, clock=SystemClock()
    )
    error = await _error(dispatch)
    assert isinstance(error, DispatchTransient)
    assert (error.code, error.ambiguous) == ("connect_failed", False)
    await dispatch.aclose()


async def test_plain_server_behind_https_is_misdirected() -> None:
    """A failed TLS handshake is the deployment's fault, not the firing's."""

    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
        dispatch = RpcExecutionDispatch(url=url, timeout_secs=2, connections=1, clock=SystemClock())
        error = await _error(dispatch)
        await dispatch.aclose()
    assert isinstance(error, DispatchMisdirected)
    assert error.code == "tls"


async def test_reset_before_the_request_is_transient(dispatch: RpcExecutionDispatch, receiver: Loopback) -> None:
    """A connection torn down on arrival is tried again; whether it acted can't be known."""
    receiver.reset_on_connect = True
    error = await _error(dispatch)
    assert isinstance(error, DispatchTransient)
    assert error.code in {"connection_lost", "connect_failed"}
    assert receiver.received == []


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (reset, "connection_lost"),
        (raw(b""), "connection_lost"),
        (raw(b"HTTP/1.1 200"), "connection_lost"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"), "broken_answer"),
        (raw(b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"id":"e'), "broken_answer"),
        (raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\n'), "broken_answer"),
        (raw(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"id":"e'), "broken_answer"),
        (raw(b"HTTP/1.1 200 OK\r\n\r\n"), "broken_answer"),
        (raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "broken_answer"),
        (answer(200, b'{"id": nonsense'), "broken_answer"),
    ],
    ids=[
        "reset",
        "hung up",
        "half a status line",
        "no body",
        "half a body",
        "half a chunk",
        "half, close-delimited",
        "empty",
        "no HTTP",
        "garbage",
    ],
)
async def test_broken_off_exchange_is_transient_and_ambiguous(
    dispatch: RpcExecutionDispatch, receiver: Loopback, reply: Reply, code: str
) -> None:
    """The request was sent, no whole answer came: the receiver may have acted."""
    receiver.reply = reply
    error = await _error(dispatch)
    assert isinstance(error, DispatchTransient)
    assert (error.code, error.ambiguous) == (code, True)
    assert len(receiver.received) == 1


async def test_a_broken_off_answer_is_not_left_to_the_collector(
    dispatch: RpcExecutionDispatch, receiver: Loopback
) -> None:
    """It may be a megabyte long, and the collector comes after thousands of objects, however large they are."""
    receiver.reply = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{")
    gc.collect()
    gc.disable()
    try:
        before = aiohttp_objects()
        with suppress(DispatchTransient):
            await dispatch.dispatch(a_request())
        await asyncio.sleep(0.01)
        left = [found for found in aiohttp_objects() if not any(found is each for each in before)]
    finally:
        gc.enable()
    assert left == []


def aiohttp_objects() -> list[object]:
    """Return what holds answers, of other tests too."""
    return [each for each in gc.get_objects() if isinstance(each, aiohttp.ClientResponse | aiohttp.StreamReader)]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(400, {"type": "NotFoundError", "args": ["Graph #graph-1 not found."]}), DispatchRefused),
        (answer(500, {"type": "RuntimeError", "args": ["oops"]}), DispatchTransient),
        (answer(503, b"", kind=""), DispatchTransient),
        (answer(429, b"", headers={"Retry-After": "3"}), DispatchTransient),
        (answer(404, {"detail": "Not Found"}), DispatchMisdirected),
        (answer(401, {"detail": "Who are you?"}), DispatchMisdirected),
        (answer(200, b"<html>", kind="text/html"), DispatchMisdirected),
    ],
)
async def test_answer_is_classified(
    dispatch: RpcExecutionDispatch, receiver: Loopback, reply: Reply, kind: type[DispatchFailed]
) -> None:
    """Answers over the wire mean what test_answers.py says; the next call is not harmed."""
    receiver.script.append(reply)
    assert isinstance(await _error(dispatch), kind)
    assert await dispatch.dispatch(a_request()) == "exec-1"


async def test_redirect_is_not_followed(dispatch: RpcExecutionDispatch, receiver: Loopback) -> None:
    """A redirect would carry inputs to a place that nobody configured."""
    receiver.script.append(answer(307, b"", headers={"Location": f"{receiver.url}/elsewhere"}))
    assert isinstance(await _error(dispatch), DispatchMisdirected)
    assert len(receiver.received) == 1


async def test_answer_of_megabytes_is_a_success(dispatch: RpcExecutionDispatch, receiver: Loopback) -> None:
    """The platform repeats inputs in its answer; one too long to read says that it accepted."""
    receiver.script.append(answer(200, {"inputs": "x" * 3_000_000, "id": "exec-9"}))
    assert await dispatch.dispatch(a_request()) is None
    assert await dispatch.dispatch(a_request()) == "exec-1"


async def test_calls_reuse_one_connection(dispatch: RpcExecutionDispatch, receiver: Loopback) -> None:
    """Calls one after the other, refusals among them, need one connection."""
    receiver.script.extend([answer(200, {}), answer(400, {"type": "ValueError", "args": ["x"]})])
    await dispatch.dispatch(a_request())
    await _error(dispatch)
    for _ in range(5):
        await dispatch.dispatch(a_request())
    assert (len(receiver.received), receiver.connections) == (7, 1)


async def test_hundred_calls_at_once_share_the_pool(dispatch: RpcExecutionDispatch, receiver: Loopback) -> None:
    """More calls than connections wait for their turn, and all succeed."""
    ids = await asyncio.gather(*(dispatch.dispatch(a_request()) for _ in range(100)))
    assert ids == ["exec-1"] * 100
    assert receiver.connections <= 10


async def test_calls_succeed_again_once_the_receiver_is_back() -> None:
    """After a restart on the same port, the very next call succeeds over a fresh connection."""
    receiver = Loopback()
    async with receiver.listening():
        dispatch = _adapter(receiver.port)
        await asyncio.gather(*(dispatch.dispatch(a_request()) for _ in range(10)))
    errors = [await _error(dispatch) for _ in range(5)]
    assert {type(error) for error in errors} == {DispatchTransient}
    async with receiver.listening():
        assert await dispatch.dispatch(a_request()) == "exec-1"
    await dispatch.aclose()


async def test_repeated_connection_errors_renew_the_pool(
    dispatch: RpcExecutionDispatch, receiver: Loopback
) -> None:
    """Three connections that broke in a row cast doubt on the idle ones too: the next call opens a fresh one."""
    together = asyncio.Barrier(8)

    async def once_all_are_here(writer: asyncio.StreamWriter) -> bool:
        await together.wait()
        return await answer(200, {"id": "exec-1"})(writer)

    receiver.script.extend([once_all_are_here] * 8)
    await asyncio.gather(*(dispatch.dispatch(a_request()) for _ in range(8)))
    receiver.script.extend([reset, reset])
    for _ in range(2):
        await _error(dispatch)
    await dispatch.dispatch(a_request())  # two in a row are no reason: one of the six left is used
    assert receiver.connections == 8
    receiver.script.extend([reset, reset, reset])
    for _ in range(3):
        await _error(dispatch)
    assert receiver.connections == 8
    await dispatch.dispatch(a_request())
    assert receiver.connections == 9


async def test_healing_leaves_calls_under_way_alone(dispatch: RpcExecutionDispatch, receiver: Loopback) -> None:
    """Repeated connection errors renew the pool; a call that waits for its answer still gets it."""
    answered = asyncio.Event()

    async def later(writer: asyncio.StreamWriter) -> bool:
        await answered.wait()
        return await answer(200, {"id": "slow"})(writer)

    receiver.script.append(later)
    slow = asyncio.create_task(dispatch.dispatch(a_request()))
    await receiver.arrival.wait()
    receiver.script.extend([reset] * 6)
    for _ in range(6):
        await _error(dispatch)
    assert await dispatch.dispatch(a_request()) == "exec-1"
    answered.set()
    assert await slow == "slow"


async def test_call_over_a_pool_that_was_replaced_ends_in_time_after_closing(receiver: Loopback) -> None:
    """Closing closes the pool of now. A call under way over one before it ends as it would have, at its timeout."""
    dispatch = _adapter(receiver.port, timeout_secs=0.5)
    receiver.script.append(silence)
    slow = asyncio.create_task(_error(dispatch))
    await receiver.arrival.wait()
    receiver.script.extend([reset] * 3)
    for _ in range(3):
        await _error(dispatch)
    await dispatch.aclose()
    async with asyncio.timeout(5):
        assert (await slow).code == "timeout"


async def test_cancelled_call_propagates_and_frees_its_connection(receiver: Loopback) -> None:
    """A cancelled dispatch is no failure of the receiver, and its place in the pool is free again."""
    dispatch = _adapter(receiver.port, connections=1)
    receiver.script.append(silence)
    call = asyncio.create_task(dispatch.dispatch(a_request()))
    await receiver.arrival.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await dispatch.dispatch(a_request()) == "exec-1"
    await dispatch.aclose()


async def test_call_after_closing_is_transient(dispatch: RpcExecutionDispatch) -> None:
    """A call that comes too late is left for another replica; closing twice is harmless."""
    await dispatch.aclose()
    await dispatch.aclose()
    error = await _error(dispatch)
    assert isinstance(error, DispatchTransient)
    assert (error.code, error.ambiguous) == ("closed", False)


@pytest.mark.parametrize("url", ["", "localhost:8002/x", "ftp://host/x", "http://", "http://user:hidden@[/x"])
def test_url_that_is_none_is_a_clear_error(url: str) -> None:
    """A wrong URL stops the start with one line, which does not repeat it: it may hold a password."""
    with pytest.raises(ValueError, match=r"^a receiver's URL must look like") as caught:
        RpcExecutionDispatch(url=url, timeout_secs=1, connections=1, clock=SystemClock())
    assert "hidden" not in str(caught.value)
