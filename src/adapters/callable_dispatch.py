"""Graph executions started by a function in this process."""

import asyncio
import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from adapters.receivers import readable_id, refusal
from adapters.redaction import one_line, quotable
from ports.dispatch import DispatchRequest
from ports.errors import DispatchFailed, DispatchTransient

Receiver = Callable[..., Any]
CredentialsReader = Callable[[Mapping[str, Any]], dict[str, Any]]

_KEY = "idempotency_key"
_CREDENTIALS_MODULE = "backend.data.model"


class CallableExecutionDispatch:
    """Calls `function` with the keywords of the platform's `add_graph_execution` (compat/outgoing.md).

    `idempotency_key` is passed too where the signature takes it by name or through `**kwargs`. An async function
    runs on the event loop, any other in one of `threads` threads. A ValueError is permanent, all else transient
    (design.md section 6). A sync function that outlives `timeout_secs` keeps its thread until it returns.
    """

    def __init__(self, *, function: Receiver, timeout_secs: float, threads: int) -> None:
        self._function = function
        self._timeout_secs = timeout_secs
        self._is_async = _is_async(function)
        self._takes_key = _takes_key(function)
        self._credentials = credentials_reader(function)
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="receiver")

    async def dispatch(self, request: DispatchRequest) -> str | None:
        """Call the function; return its result's `id`, as attribute or key, None for a result without one."""
        deadline = asyncio.timeout(self._timeout_secs)
        call = _Call()
        try:
            async with deadline:
                return _execution_id(await self._result(request, call))
        except DispatchFailed:
            raise
        except asyncio.CancelledError:
            if _we_are_cancelled():
                raise
            raise DispatchTransient("the receiver was cancelled", code="cancelled", ambiguous=True) from None
        except (Exception, SystemExit) as error:  # noqa: BLE001  process boundary: foreign code may raise anything
            if deadline.expired():
                reason = f"the receiver did not return within {self._timeout_secs:g} s"
                raise DispatchTransient(reason, code="timeout", ambiguous=call.started) from None
            # Without the cause: its text may quote inputs and credentials.
            raise _translated(error, request) from None

    async def aclose(self) -> None:
        """Let go of the threads without waiting for calls that still run."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _result(self, request: DispatchRequest, call: "_Call") -> Any:
        keywords: dict[str, Any] = {
            "user_id": request.user_id,
            "graph_id": request.graph_id,
            "graph_version": request.graph_version,
            "inputs": dict(request.inputs),
            "graph_credentials_inputs": self._credentials(request.credentials),
        }
        if self._takes_key:
            keywords[_KEY] = request.idempotency_key
        if self._is_async:
            return await call.run(self._function, keywords)
        result = await asyncio.wrap_future(self._threads.submit(call.run, self._function, keywords))
        # A plain function may hand back a coroutine, as decorators do.
        return await result if inspect.isawaitable(result) else result


class _Call:
    """Whether the function was entered: a call that only waited for a thread can't have acted."""

    def __init__(self) -> None:
        self.started = False

    def run(self, function: Receiver, keywords: Mapping[str, Any]) -> Any:
        self.started = True
        return function(**keywords)


def load_callable(reference: str) -> Receiver:
    """Return the function that `module:name` (dotted names allowed) stands for; raise ValueError, of one line."""
    module_name, _, path = reference.partition(":")
    if not module_name or not path:
        raise ValueError(f"{reference!r} does not name a function as module:name")
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        said = one_line(f"{type(error).__name__}: {error}")
        raise ValueError(f"can't import {module_name} for the receiver {reference!r}: {said}") from error
    try:
        found = functools.reduce(getattr, path.split("."), found)
    except AttributeError as error:
        raise ValueError(f"{module_name} has no {path!r}, which the receiver {reference!r} names") from error
    if not callable(found):
        raise ValueError(f"the receiver {reference!r} is not callable")  # noqa: TRY004  a setting's value is wrong
    return cast("Receiver", found)


def credentials_reader(function: Receiver) -> CredentialsReader:
    """Return what makes `graph_credentials_inputs` of stored credentials.

    The platform's own functions want its CredentialsMetaInput objects; any other gets the plain dictionaries.
    """
    while isinstance(function, functools.partial):
        function = function.func
    package = (getattr(function, "__module__", None) or "").partition(".")[0]
    if package != _CREDENTIALS_MODULE.partition(".")[0]:
        return dict
    try:
        model: Callable[..., Any] = importlib.import_module(_CREDENTIALS_MODULE).CredentialsMetaInput
    except (ImportError, AttributeError):
        return dict
    return functools.partial(_modelled, model)


def _modelled(model: Callable[..., Any], credentials: Mapping[str, Any]) -> dict[str, Any]:
    return {name: model(**meta) if isinstance(meta, Mapping) else meta for name, meta in credentials.items()}


def _is_async(function: Receiver) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _takes_key(function: Receiver) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some C functions have no signature to look at
        return False
    by_name = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    return any(
        parameter.kind is inspect.Parameter.VAR_KEYWORD or (parameter.name == _KEY and parameter.kind in by_name)
        for parameter in parameters
    )


def _we_are_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _execution_id(result: Any) -> str | None:
    return readable_id(result.get("id") if isinstance(result, Mapping) else getattr(result, "id", None))


def _translated(error: BaseException, request: DispatchRequest) -> DispatchFailed:
    names = [base.__name__ for base in type(error).__mro__]
    try:
        message = str(error)
    except Exception:  # noqa: BLE001  process boundary: not even the text of a foreign exception can be trusted
        message = "(without a readable text)"
    if isinstance(error, ValueError):
        return refusal(names, message, request)
    code = "timeout" if isinstance(error, TimeoutError) else "receiver_error"
    return DispatchTransient(quotable(f"{names[0]}: {message}", request), code=code, ambiguous=True)
