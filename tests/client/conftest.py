"""Both clients behind one face, so that each test runs over both."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from entrypoints.client import ClientSettings, SchedulerClient, SyncSchedulerClient

Caller: TypeAlias = Callable[..., Any]
"""Calls a method by its name at a URL: `(url, method, *args, retries=3, timeout=10, token=None, **kwargs)`."""


def _settings(url: str, retries: int, timeout: float, token: str | None) -> ClientSettings:
    return ClientSettings(url, token=token, retries=retries, call_timeout_secs=timeout, backoff_secs=0.001)


def _asynchronous(
    url: str,
    method: str,
    *args: Any,
    retries: int = 3,
    timeout: float = 10,
    token: str | None = None,
    **kwargs: Any,
) -> Any:
    async def call() -> Any:
        async with SchedulerClient(settings=_settings(url, retries, timeout, token)) as client:
            return await getattr(client, method)(*args, **kwargs)

    return asyncio.run(call())


def _synchronous(
    url: str,
    method: str,
    *args: Any,
    retries: int = 3,
    timeout: float = 10,
    token: str | None = None,
    **kwargs: Any,
) -> Any:
    with SyncSchedulerClient(settings=_settings(url, retries, timeout, token)) as client:
        return getattr(client, method)(*args, **kwargs)


@pytest.fixture(params=[_asynchronous, _synchronous], ids=["async", "sync"])
def call(request: pytest.FixtureRequest) -> Caller:
    """Return a caller over one of the clients."""
    caller: Caller = request.param
    return caller


@pytest.fixture
def schedule() -> dict[str, Any]:
    """Return a schedule as the service shows it."""
    return {
        "user_id": "u1",
        "graph_id": "g1",
        "graph_version": 1,
        "cron": "@daily",
        "input_data": {},
        "input_credentials": {},
        "id": "some-id",
        "name": "execute_graph",
        "next_run_time": "2026-11-24T00:00:00+00:00",
        "timezone": "UTC",
        "paused": False,
    }
