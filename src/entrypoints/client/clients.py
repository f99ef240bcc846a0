"""The two clients: one for event loops, one for threads, over the same calls."""

import asyncio
import inspect
import os
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from entrypoints.client import calls
from entrypoints.client.answers import Failure, Success, answered, content_of, not_answered, pause_before
from entrypoints.client.calls import Call
from entrypoints.client.settings import ClientSettings

P = ParamSpec("P")
T = TypeVar("T")

_CONNECT_SECS = 10.0
_MOST_CONNECTIONS = 100
# Below the five seconds after which uvicorn closes a quiet connection, so that no call meets one that is closing.
_KEEP_SECS = 2.0


def _asynchronous(
    build: Callable[P, Call[T]],
) -> Callable[Concatenate["SchedulerClient", P], Coroutine[Any, Any, T]]:
    async def method(self: "SchedulerClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.send(build(*args, **kwargs))

    return _described(method, build)


def _synchronous(build: Callable[P, Call[T]]) -> Callable[Concatenate["SyncSchedulerClient", P], T]:
    def method(self: "SyncSchedulerClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.send(build(*args, **kwargs))

    return _described(method, build)


_M = TypeVar("_M", bound=Callable[..., Any])


def _described(method: _M, build: Callable[..., Any]) -> _M:
    """Give a method the name, signature and documentation of its call, for `help()` and editors."""
    signature = inspect.signature(build)
    me = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__name__ = build.__name__
    method.__doc__ = build.__doc__
    vars(method)["__signature__"] = signature.replace(parameters=[me, *signature.parameters.values()])
    return method


class _Client:
    """What both clients know: where the scheduler is."""

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        retries: int | None = None,
        call_timeout_secs: float | None = None,
        settings: ClientSettings | None = None,
    ) -> None:
        self.settings = settings or ClientSettings.from_environment(
            url=url, token=token, retries=retries, call_timeout_secs=call_timeout_secs
        )
        self._base = self.settings.url.rstrip("/")
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._base!r})"

    def _url(self, call: Call[Any]) -> str:
        return f"{self._base}/{call.method}"

    def _transport_options(self) -> dict[str, Any]:
        settings = self.settings
        headers = {"content-type": "application/json", "accept": "application/json", "user-agent": "agpt-scheduler"}
        if settings.token is not None:
            headers["authorization"] = f"Bearer {settings.token}"
        timeout = settings.call_timeout_secs
        return {
            "headers": headers,
            "timeout": httpx.Timeout(timeout, connect=min(timeout, _CONNECT_SECS)),
            "limits": httpx.Limits(max_connections=_MOST_CONNECTIONS, keepalive_expiry=_KEEP_SECS),
            "trust_env": False,  # a proxy for the way out is none for the way to a neighbour
        }

    def _pause(self, attempt: int, call: Call[Any], failure: Failure) -> float | None:
        settings = self.settings
        return pause_before(attempt, call, failure, retries=settings.retries, backoff_secs=settings.backoff_secs)


class SchedulerClient(_Client):
    """The scheduler for event loops. Where it is, and its token, come from the environment or from what is given.

    Method names and the order of arguments are those of the platform's own client, as far as it has them. Errors
    are those of `entrypoints.client.errors`. A call that failed on its way is repeated `retries` times if that is
    safe: at any time for most, before it can have arrived for the rest. `call_timeout_secs` is how long the service
    may be silent within one try; a call that ran into it is not repeated.

    It may be shared between tasks, event loops and forked processes: each loop of each process has a pool of its
    own, made at the first call and made anew after `aclose`.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        retries: int | None = None,
        call_timeout_secs: float | None = None,
        settings: ClientSettings | None = None,
    ) -> None:
        super().__init__(url, token=token, retries=retries, call_timeout_secs=call_timeout_secs, settings=settings)
        self._pools: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}

    async def send(self, call: Call[T]) -> T:
        """Make a call of `entrypoints.client.calls`; the methods below do this."""
        content, attempt = content_of(call), 1
        while isinstance(result := await self._try(call, content), Failure):
            pause = self._pause(attempt, call, result)
            if pause is None:
                raise result.error
            await asyncio.sleep(pause)
            attempt += 1
        return result.value

    async def _try(self, call: Call[T], content: bytes) -> Success[T] | Failure:
        try:
            response = await self._pool().post(self._url(call), content=content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return not_answered(error, self._base)
        return answered(call, response)

    def _pool(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._process != os.getpid():
            self._pools, self._process = {}, os.getpid()
        if loop not in self._pools:
            # What is left of loops that have ended can't even be closed any more.
            self._pools = {other: pool for other, pool in self._pools.items() if not other.is_closed()}
            self._pools[loop] = httpx.AsyncClient(**self._transport_options())
        return self._pools[loop]

    async def aclose(self) -> None:
        """Close this loop's connections."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None and self._process == os.getpid():
            await pool.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    add_execution_schedule = _asynchronous(calls.add_execution_schedule)
    delete_schedule = _asynchronous(calls.delete_schedule)
    get_execution_schedules = _asynchronous(calls.get_execution_schedules)
    get_execution_schedules_page = _asynchronous(calls.get_execution_schedules_page)
    get_schedule = _asynchronous(calls.get_schedule)
    update_schedule = _asynchronous(calls.update_schedule)
    pause_schedule = _asynchronous(calls.pause_schedule)
    resume_schedule = _asynchronous(calls.resume_schedule)
    run_schedule_now = _asynchronous(calls.run_schedule_now)
    backfill_schedule = _asynchronous(calls.backfill_schedule)
    preview_schedule = _asynchronous(calls.preview_schedule)
    get_schedule_firings = _asynchronous(calls.get_schedule_firings)
    resend_firing = _asynchronous(calls.resend_firing)
    health_check = _asynchronous(calls.health_check)
    execute_process_existing_batches = _asynchronous(calls.execute_process_existing_batches)
    execute_process_weekly_summary = _asynchronous(calls.execute_process_weekly_summary)
    execute_report_late_executions = _asynchronous(calls.execute_report_late_executions)
    execute_report_block_error_rates = _asynchronous(calls.execute_report_block_error_rates)
    execute_cleanup_expired_files = _asynchronous(calls.execute_cleanup_expired_files)


class SyncSchedulerClient(_Client):
    """The scheduler for threads: `SchedulerClient` without `await`. It may be shared between threads."""

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        retries: int | None = None,
        call_timeout_secs: float | None = None,
        settings: ClientSettings | None = None,
    ) -> None:
        super().__init__(url, token=token, retries=retries, call_timeout_secs=call_timeout_secs, settings=settings)
        self._lock = threading.Lock()
        self._connections: httpx.Client | None = None

    def send(self, call: Call[T]) -> T:
        """Make a call of `entrypoints.client.calls`; the methods below do this."""
        content, attempt = content_of(call), 1
        while isinstance(result := self._try(call, content), Failure):
            pause = self._pause(attempt, call, result)
            if pause is None:
                raise result.error
            time.sleep(pause)
            attempt += 1
        return result.value

    def _try(self, call: Call[T], content: bytes) -> Success[T] | Failure:
        try:
            response = self._pool().post(self._url(call), content=content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return not_answered(error, self._base)
        return answered(call, response)

    def _pool(self) -> httpx.Client:
        if self._process != os.getpid():
            # A lock that another thread held at the fork stays held here for ever.
            self._lock, self._connections, self._process = threading.Lock(), None, os.getpid()
        with self._lock:
            if self._connections is None:
                self._connections = httpx.Client(**self._transport_options())
            return self._connections

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            pool, self._connections = self._connections, None
        if pool is not None and self._process == os.getpid():
            pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    add_execution_schedule = _synchronous(calls.add_execution_schedule)
    delete_schedule = _synchronous(calls.delete_schedule)
    get_execution_schedules = _synchronous(calls.get_execution_schedules)
    get_execution_schedules_page = _synchronous(calls.get_execution_schedules_page)
    get_schedule = _synchronous(calls.get_schedule)
    update_schedule = _synchronous(calls.update_schedule)
    pause_schedule = _synchronous(calls.pause_schedule)
    resume_schedule = _synchronous(calls.resume_schedule)
    run_schedule_now = _synchronous(calls.run_schedule_now)
    backfill_schedule = _synchronous(calls.backfill_schedule)
    preview_schedule = _synchronous(calls.preview_schedule)
    get_schedule_firings = _synchronous(calls.get_schedule_firings)
    resend_firing = _synchronous(calls.resend_firing)
    health_check = _synchronous(calls.health_check)
    execute_process_existing_batches = _synchronous(calls.execute_process_existing_batches)
    execute_process_weekly_summary = _synchronous(calls.execute_process_weekly_summary)
    execute_report_late_executions = _synchronous(calls.execute_report_late_executions)
    execute_report_block_error_rates = _synchronous(calls.execute_report_block_error_rates)
    execute_cleanup_expired_files = _synchronous(calls.execute_cleanup_expired_files)
