"""What every receiver of graph executions keeps to, whatever it is made of."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from adapters.callable_dispatch import CallableExecutionDispatch
from adapters.http.rest_dispatch import RestExecutionDispatch
from adapters.http.rpc_dispatch import RpcExecutionDispatch
from adapters.http.webhook_dispatch import WebhookExecutionDispatch
from adapters.memory.clock import SystemClock
from adapters.memory.dispatch import MemoryExecutionDispatch
from adapters.record_dispatch import RecordingExecutionDispatch
from ports.dispatch import ExecutionDispatch
from ports.errors import DispatchFailed, DispatchRefused, DispatchTransient
from tests.dispatching import a_request
from tests.integration.loopback import answer, loopback


class _Closable(ExecutionDispatch, Protocol):
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """An adapter, the inputs that reached its receiver so far, and how to let its next calls fail."""

    dispatch: _Closable
    inputs: Callable[[], list[Any]]
    fail_next: Callable[[type[DispatchFailed]], None]


@asynccontextmanager
async def _memory() -> AsyncIterator[Subject]:
    adapter = MemoryExecutionDispatch()
    errors: dict[type[DispatchFailed], DispatchFailed] = {
        kind: kind("x", code="x") for kind in (DispatchRefused, DispatchTransient)
    }
    yield Subject(
        adapter,
        lambda: [request.inputs for request in adapter.requests],
        lambda kind: adapter.fail_next(errors[kind]),
    )


@asynccontextmanager
async def _recording() -> AsyncIterator[Subject]:
    def unable(kind: type[DispatchFailed]) -> None:
        raise NotImplementedError(kind)

    yield Subject(RecordingExecutionDispatch(), list, unable)


@asynccontextmanager
async def _callable(*, asynchronous: bool) -> AsyncIterator[Subject]:
    inputs: list[Any] = []
    failures: list[Exception] = []

    def start(**keywords: Any) -> SimpleNamespace:
        if failures:
            raise failures.pop(0)
        inputs.append(keywords["inputs"])
        return SimpleNamespace(id=f"exec-{len(inputs)}")

    async def start_later(**keywords: Any) -> SimpleNamespace:
        return start(**keywords)

    def fail_next(kind: type[DispatchFailed]) -> None:
        failures.append(ValueError("no") if kind is DispatchRefused else RuntimeError("oops"))

    function = start_later if asynchronous else start
    adapter = CallableExecutionDispatch(function=function, timeout_secs=5, threads=4)
    yield Subject(adapter, lambda: inputs, fail_next)
    await adapter.aclose()


@asynccontextmanager
async def _over_http(make: Callable[[str], _Closable], read: Callable[[Any], Any]) -> AsyncIterator[Subject]:
    async with loopback() as receiver:
        adapter = make(receiver.url)

        def fail_next(kind: type[DispatchFailed]) -> None:
            failures = {
                DispatchRefused: answer(400, {"type": "ValueError", "args": ["no"]}),
                DispatchTransient: answer(503),
            }
            receiver.script.append(failures[kind])

        yield Subject(adapter, lambda: [read(received.json) for received in receiver.received], fail_next)
        await adapter.aclose()


def _rpc(url: str) -> _Closable:
    return RpcExecutionDispatch(
        url=f"{url}/add_graph_execution", timeout_secs=5, connections=5, clock=SystemClock()
    )


def _rest(url: str) -> _Closable:
    secret = "a-secret-of-the-length-that-hs256-asks-for"
    return RestExecutionDispatch(base_url=url, secret=secret, timeout_secs=5, connections=5, clock=SystemClock())


def _webhook(url: str) -> _Closable:
    secret = base64.b64encode(b"a secret of twenty-four b").decode()
    return WebhookExecutionDispatch(url=url, secret=secret, timeout_secs=5, connections=5, clock=SystemClock())


SUBJECTS: dict[str, Callable[[], AbstractAsyncContextManager[Subject]]] = {
    "memory": _memory,
    "recording": _recording,
    "callable": lambda: _callable(asynchronous=True),
    "callable, sync": lambda: _callable(asynchronous=False),
    "rpc": lambda: _over_http(_rpc, lambda body: body["inputs"]),
    "rest": lambda: _over_http(_rest, lambda body: body["inputs"]),
    "webhook": lambda: _over_http(_webhook, lambda body: body["data"]["inputs"]),
}
STARTS = [name for name in SUBJECTS if name != "recording"]
"""The capability of starting something: it can be seen to arrive, has an id, and can fail."""


@pytest.fixture(params=list(SUBJECTS))
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """Every adapter in turn."""
    async with SUBJECTS[request.param]() as subject:
        yield subject


starts = pytest.mark.parametrize("subject", STARTS, indirect=True)


async def test_dispatch_returns_an_id_or_none(subject: Subject) -> None:
    """A dispatch that succeeds raises nothing and returns what is known of the execution."""
    execution_id = await subject.dispatch.dispatch(a_request())
    assert execution_id is None or execution_id.startswith("exec")


async def test_closing_twice_is_harmless(subject: Subject) -> None:
    """An adapter can be closed before its first call, after it, and again."""
    await subject.dispatch.aclose()
    await subject.dispatch.aclose()


@starts
async def test_execution_that_was_started_has_an_id(subject: Subject) -> None:
    """A receiver that starts something says what."""
    assert await subject.dispatch.dispatch(a_request()) is not None


@starts
async def test_inputs_arrive_unchanged(subject: Subject) -> None:
    """Whatever JSON can hold reaches the receiver as it was stored, and the request is left as it was."""
    inputs = {"text": "ünïcode \x00 \ud800 \U0001f600", "big": 2**70, "deep": [{"a": [None, True, 1.5]}], "": {}}
    request = a_request(inputs=inputs)
    await subject.dispatch.dispatch(request)
    assert subject.inputs() == [inputs]
    assert request == a_request(inputs=inputs)


@starts
async def test_repeated_dispatch_is_handed_over_again(subject: Subject) -> None:
    """The adapter does not remember keys: honouring them is the receiver's part."""
    await subject.dispatch.dispatch(a_request())
    await subject.dispatch.dispatch(a_request(attempt=2))
    assert len(subject.inputs()) == 2


@starts
async def test_calls_at_once_are_all_handed_over(subject: Subject) -> None:
    """Fifty dispatches at once reach the receiver, each once."""
    await asyncio.gather(*(subject.dispatch.dispatch(a_request(inputs={"n": n})) for n in range(50)))
    assert sorted(inputs["n"] for inputs in subject.inputs()) == list(range(50))


@starts
@pytest.mark.parametrize("kind", [DispatchRefused, DispatchTransient])
async def test_failure_is_the_ports_error_and_passes(subject: Subject, kind: type[DispatchFailed]) -> None:
    """A receiver's failure is told as the port says, with a code and a text; the next call is not harmed."""
    subject.fail_next(kind)
    with pytest.raises(kind) as caught:
        await subject.dispatch.dispatch(a_request())
    assert caught.value.code
    assert str(caught.value)
    assert await subject.dispatch.dispatch(a_request()) is not None
