"""Calls of another service's methods, by the platform's convention (compat/outgoing.md)."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import httpx

from adapters.http.remote_errors import raised_here, remote_error
from ports.errors import RemoteCallError

LONGEST_ANSWER = 32 << 20
"""Bytes of an answer that are read. Failed executions come with their inputs and outputs, so: plenty."""

_CONNECT_SECS = 10.0
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "agpt-scheduler",
}


class Neighbour:
    """One service of the platform: a POST with named arguments is a call, a JSON answer its result.

    `timeout_secs` bounds a call from its start to the end of the answer. No call is repeated, since none is known
    to be harmless twice; the platform's client makes one attempt too (compat/notes.md). No redirect is followed
    and no proxy of the environment used.
    """

    def __init__(self, *, host: str, port: int, timeout_secs: float) -> None:
        self._base = httpx.URL(scheme="http", host=host, port=port)
        self._timeout_secs = timeout_secs
        self._client = httpx.AsyncClient(
            headers=_HEADERS,
            # Calls are minutes apart. And the platform's services drop the connection after a 500 without saying
            # so: the next call on it would fail (compat/notes.md).
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=httpx.Timeout(None, connect=min(timeout_secs, _CONNECT_SECS)),
            trust_env=False,
        )

    async def call(self, method: str, arguments: Mapping[str, Any]) -> Any:
        """Return what `method` answers; datetimes (aware) and enums among the arguments are written as recorded.

        Raises RemoteCallError: the neighbour's own error, or the HTTP library's by its name (ConnectError,
        ReadTimeout, ...), or JSONDecodeError for an answer that is no JSON.
        """
        url = self._base.copy_with(path=f"/{method}")
        try:
            async with asyncio.timeout(self._timeout_secs):
                response, body = await self._post(url, _written(arguments))
        except TimeoutError:
            raise RemoteCallError(
                "ReadTimeout", [f"no answer from {url} within {self._timeout_secs:g} s"]
            ) from None
        except httpx.HTTPError as error:
            raise RemoteCallError(type(error).__name__, [f"{url}: {error}"]) from error
        return _result(response, body)

    async def aclose(self) -> None:
        """Close every connection. No calls may follow."""
        await self._client.aclose()

    async def _post(self, url: httpx.URL, content: bytes) -> tuple[httpx.Response, bytes]:
        body = bytearray()
        async with self._client.stream("POST", url, content=content) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LONGEST_ANSWER:
                    raise RemoteCallError("Exception", [f"the answer from {url} exceeds {LONGEST_ANSWER} bytes"])
        return response, bytes(body)


def _written(arguments: Mapping[str, Any]) -> bytes:
    """Return the body as the platform's client writes it: compact, and UTF-8 rather than escapes."""
    try:
        return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can carry
        return json.dumps(arguments, separators=(",", ":"), default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} can't be sent")


def _result(response: httpx.Response, body: bytes) -> Any:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise raised_here(error) from None  # without the cause, which holds the whole answer
    try:
        response.raise_for_status()
    except httpx.HTTPStatusError as error:
        raise remote_error(document, status_text=str(error)) from None
    return document
