"""CallableExecutionDispatch with real functions, threads and modules."""

import asyncio
import functools
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from adapters.callable_dispatch import CallableExecutionDispatch, credentials_reader, load_callable
from ports.errors import DispatchFailed, DispatchRefused, DispatchTransient
from tests.dispatching import CREDENTIALS, a_request

Make = Callable[..., CallableExecutionDispatch]


class NotFoundError(ValueError):
    """Named as the platform's."""


class GraphNotFoundError(NotFoundError):
    """A kind of it."""


class InsufficientBalanceError(ValueError):
    """Named as the platform's."""


class Unspeakable(RuntimeError):  # noqa: N818  its name is not the point
    """An exception without a text."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Make adapters, closed when the test ends."""
    made: list[CallableExecutionDispatch] = []

    def build(
        function: Callable[..., Any], *, timeout_secs: float = 5.0, threads: int = 4
    ) -> CallableExecutionDispatch:
        made.append(CallableExecutionDispatch(function=function, timeout_secs=timeout_secs, threads=threads))
        return made[-1]

    yield build
    for adapter in made:
        await adapter.aclose()


async def _error(dispatch: CallableExecutionDispatch, **changes: Any) -> DispatchFailed:
    with pytest.raises(DispatchFailed) as caught:
        await dispatch.dispatch(a_request(**changes))
    return caught.value


async def test_async_function_runs_on_the_loop_with_the_platforms_keywords(make: Make) -> None:
    """An async function gets the platform's keywords in the event loop's own thread."""
    calls: list[tuple[threading.Thread, dict[str, Any]]] = []

    async def start(
        *, graph_id: str, user_id: str, inputs: Any, graph_version: int | None = None, graph_credentials_inputs: Any
    ) -> SimpleNamespace:
        keywords = {"graph": graph_id, "user": user_id, "inputs": inputs, "version": graph_version}
        calls.append((threading.current_thread(), {**keywords, "credentials": graph_credentials_inputs}))
        return SimpleNamespace(id="exec-1")

    assert await make(start).dispatch(a_request()) == "exec-1"
    [(thread, keywords)] = calls
    assert thread is threading.current_thread()
    assert keywords == {
        "graph": "graph-1",
        "user": "user-1",
        "inputs": {"name": "a value to hide", "count": 12345},
        "version": 3,
        "credentials": CREDENTIALS,
    }


async def test_sync_function_runs_in_a_thread_of_its_own(make: Make) -> None:
    """A blocking function does not hold the loop up."""
    entered, leave = threading.Event(), threading.Event()

    def start(**keywords: Any) -> dict[str, str]:
        entered.set()
        assert leave.wait(5)
        return {"id": keywords["graph_id"]}

    call = asyncio.create_task(make(start).dispatch(a_request()))
    await asyncio.to_thread(entered.wait, 5)
    assert not call.done()
    leave.set()
    assert await call == "graph-1"


async def test_number_of_threads_is_bounded(make: Make) -> None:
    """Calls beyond the threads wait for one; all of them are made."""
    lock = threading.Lock()
    seen: set[int] = set()

    def start(**_: Any) -> None:
        with lock:
            seen.add(threading.get_ident())

    dispatch = make(start, threads=2)
    await asyncio.gather(*(dispatch.dispatch(a_request()) for _ in range(50)))
    assert 1 <= len(seen) <= 2


async def test_key_is_passed_only_to_a_function_that_takes_it(make: Make) -> None:
    """By name or through **kwargs; the platform's own function takes none."""
    keys: list[str | None] = []

    def named(
        *,
        user_id: str,
        graph_id: str,
        graph_version: int,
        inputs: Any,
        graph_credentials_inputs: Any,
        idempotency_key: str,
    ) -> None:
        del user_id, graph_id, graph_version, inputs, graph_credentials_inputs
        keys.append(idempotency_key)

    def anything(**keywords: Any) -> None:
        keys.append(keywords.get("idempotency_key"))

    def plain(user_id: str, graph_id: str, graph_version: int, inputs: Any, graph_credentials_inputs: Any) -> None:
        del user_id, graph_id, graph_version, inputs, graph_credentials_inputs
        keys.append(None)

    @functools.wraps(plain)
    def wrapped(*args: Any, **keywords: Any) -> None:
        plain(*args, **keywords)

    for function in (named, anything, plain, wrapped):
        await make(function).dispatch(a_request())
    key = "job-1:2026-03-09T04:30:00Z"
    assert keys == [key, key, None, None]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (SimpleNamespace(id="exec-1"), "exec-1"),
        ({"id": "exec-1"}, "exec-1"),
        (SimpleNamespace(id=UUID(int=1)), "00000000-0000-0000-0000-000000000001"),
        (SimpleNamespace(id=5), "5"),
        (SimpleNamespace(), None),
        ({}, None),
        (None, None),
        ("exec-1", None),
    ],
)
async def test_id_of_the_result_is_the_execution_id(make: Make, result: Any, expected: str | None) -> None:
    """An attribute or a key named id tells it; anything else is a success without one."""
    assert await make(lambda **_: result).dispatch(a_request()) == expected


async def test_coroutine_of_a_plain_function_is_awaited(make: Make) -> None:
    """A decorated or partially applied async function, or an object with an async call, works like a bare one."""

    async def start(**_: Any) -> SimpleNamespace:
        return SimpleNamespace(id="exec-1")

    class Starter:
        async def __call__(self, **keywords: Any) -> SimpleNamespace:
            return await start(**keywords)

    def decorated(**keywords: Any) -> Any:
        return start(**keywords)

    for function in (decorated, functools.partial(start), Starter()):
        assert await make(function).dispatch(a_request()) == "exec-1"


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize(
    ("error", "kind", "code", "gone"),
    [
        (ValueError("no"), DispatchRefused, "refused", False),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "no"), DispatchRefused, "refused", False),
        (NotFoundError("Graph #graph-1 not found."), DispatchRefused, "not_found", True),
        (GraphNotFoundError("Graph #graph-1 not found."), DispatchRefused, "not_found", True),
        (NotFoundError("Credentials #c not found"), DispatchRefused, "not_found", False),
        (InsufficientBalanceError("Graph too dear"), DispatchRefused, "insufficient_balance", False),
        (RuntimeError("oops"), DispatchTransient, "receiver_error", None),
        (TypeError("unexpected keyword"), DispatchTransient, "receiver_error", None),
        (TimeoutError("database"), DispatchTransient, "timeout", None),
        (ConnectionRefusedError("database"), DispatchTransient, "receiver_error", None),
        (Unspeakable(), DispatchTransient, "receiver_error", None),
        (SystemExit(1), DispatchTransient, "receiver_error", None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
async def test_exception_is_classified(
    make: Make,
    error: BaseException,
    kind: type[DispatchFailed],
    code: str,
    *,
    gone: bool | None,
    asynchronous: bool,
) -> None:
    """The ValueError family is permanent, all else transient, from either kind of function."""

    def fail(**_: Any) -> None:
        raise error

    async def fail_later(**_: Any) -> None:
        raise error

    failure = await _error(make(fail_later if asynchronous else fail))
    assert isinstance(failure, kind)
    assert (failure.code, failure.ambiguous) == (code, kind is DispatchTransient)
    assert getattr(failure, "target_gone", None) is gone


async def test_text_of_the_exception_is_masked(make: Make) -> None:
    """Inputs and credentials that the function quotes stay out of the history."""

    def fail(*, inputs: Any, **_: Any) -> None:
        raise RuntimeError(f"can't run with {inputs}")

    assert str(await _error(make(fail))) == "RuntimeError: can't run with {'name': '***', 'count': ***}"


async def test_async_function_that_hangs_is_a_timeout(make: Make) -> None:
    """It is cancelled at the time-out, and may have acted."""
    cancelled = asyncio.Event()

    async def hang(**_: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    error = await _error(make(hang, timeout_secs=0.05))
    assert (type(error), error.code, error.ambiguous) == (DispatchTransient, "timeout", True)
    assert cancelled.is_set()


async def test_sync_function_that_hangs_is_a_timeout(make: Make) -> None:
    """A call that was entered may have acted; one that only waited for a thread can't have, and never will."""
    leave = threading.Event()
    calls: list[str] = []

    def hang(*, graph_id: str, **_: Any) -> None:
        calls.append(graph_id)
        leave.wait(5)

    dispatch = make(hang, timeout_secs=0.05, threads=1)
    entered, waited = await asyncio.gather(_error(dispatch, graph_id="first"), _error(dispatch, graph_id="second"))
    assert (entered.code, entered.ambiguous) == ("timeout", True)
    assert (waited.code, waited.ambiguous) == ("timeout", False)
    leave.set()
    assert calls == ["first"]


async def test_cancelling_the_dispatch_propagates(make: Make) -> None:
    """Cancelling is ours, not a failure of the receiver."""
    entered = asyncio.Event()

    async def hang(**_: Any) -> None:
        entered.set()
        await asyncio.Event().wait()

    call = asyncio.create_task(make(hang).dispatch(a_request()))
    await entered.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_function_that_cancels_itself_is_a_failure(make: Make) -> None:
    """A cancellation that nobody here asked for is the receiver's, and is tried again."""

    async def give_up(**_: Any) -> None:
        raise asyncio.CancelledError

    error = await _error(make(give_up))
    assert (type(error), error.code) == (DispatchTransient, "cancelled")


async def test_call_after_closing_is_transient(make: Make) -> None:
    """A sync function is not called any more once the threads are gone."""
    dispatch = make(lambda **_: None)
    await dispatch.aclose()
    assert isinstance(await _error(dispatch), DispatchTransient)


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stand-in for the platform's own package."""
    files = {
        "backend/__init__.py": "",
        "backend/data/__init__.py": "",
        "backend/data/model.py": (
            "from pydantic import BaseModel\n"
            "class CredentialsMetaInput(BaseModel):\n    id: str\n    title: str | None = None\n"
            "    provider: str\n    type: str\n"
        ),
        "backend/executor/__init__.py": "",
        "backend/executor/utils.py": (
            "calls = []\n"
            "class Starter:\n"
            "    @staticmethod\n"
            "    async def start(**keywords):\n        calls.append(keywords)\n"
            "async def add_graph_execution(graph_id, user_id, inputs=None, preset_id=None, graph_version=None,\n"
            "                              graph_credentials_inputs=None):\n"
            "    calls.append(graph_credentials_inputs)\n"
            "    return calls[0]['key']\n"
        ),
        "broken_receiver.py": "raise OSError('two\\nlines')\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in stand_ins():  # other tests' own
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in stand_ins():
        del sys.modules[name]


def stand_ins() -> list[str]:
    """Return the modules that are loaded of a stand-in for the platform."""
    return [name for name in sys.modules if name.partition(".")[0] in {"backend", "broken_receiver"}]


@pytest.mark.usefixtures("platform")
async def test_platforms_function_gets_credentials_as_its_own_objects(make: Make) -> None:
    """Inside the platform's environment credentials are CredentialsMetaInput; what is none is a refusal."""
    function = load_callable("backend.executor.utils:add_graph_execution")
    dispatch = make(function)
    assert await dispatch.dispatch(a_request()) == "cred-4711"
    [credentials] = sys.modules["backend.executor.utils"].calls
    assert type(credentials["key"]).__name__ == "CredentialsMetaInput"
    assert credentials["key"].model_dump() == CREDENTIALS["key"]
    refused = await _error(dispatch, credentials={"key": {"provider": "github"}})
    assert isinstance(refused, DispatchRefused)
    assert await make(functools.partial(function)).dispatch(a_request()) == "cred-4711"


@pytest.mark.usefixtures("platform")
def test_other_functions_get_credentials_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside the platform, or without its model, credentials stay plain dictionaries."""
    assert credentials_reader(test_other_functions_get_credentials_as_they_are)(CREDENTIALS) == CREDENTIALS
    function = load_callable("backend.executor.utils:add_graph_execution")
    monkeypatch.setitem(sys.modules, "backend.data.model", None)
    assert credentials_reader(function)(CREDENTIALS) == CREDENTIALS


@pytest.mark.usefixtures("platform")
def test_dotted_name_reaches_into_a_class() -> None:
    """A function may stand inside something else."""
    assert load_callable("backend.executor.utils:Starter.start").__name__ == "start"


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("", "does not name a function"),
        ("module", "does not name a function"),
        (":name", "does not name a function"),
        ("backend.executor.utils:", "does not name a function"),
        ("no_such_module:f", "can't import no_such_module .*ModuleNotFoundError"),
        (".relative:f", "can't import .relative "),
        ("broken_receiver:f", "can't import broken_receiver .*OSError: two lines"),
        ("backend.executor.utils:nothing", "has no 'nothing'"),
        ("backend.executor.utils:calls", "is not callable"),
    ],
)
def test_reference_to_nothing_is_a_clear_error(reference: str, message: str) -> None:
    """A wrong setting stops the start with one line that says what is wrong."""
    with pytest.raises(ValueError, match=message) as caught:
        load_callable(reference)
    assert "\n" not in str(caught.value)
