"""One pool of kept-alive connections to a receiver, healed when they go bad."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

import aiohttp
from aiohttp import hdrs
from yarl import URL

from adapters.http.shared_timeout import SharedTimeout
from ports.errors import DispatchFailed, DispatchMisdirected, DispatchTransient

LONGEST_ANSWER = 1 << 20
"""Bytes of an answer that are read; what is longer is cut off."""

_KEEP_ALIVE_SECS = 4.0
"""Under uvicorn's five seconds: else a call may meet a connection that the receiver is just closing."""
_CONNECT_SECS = 10.0
_FAILURES_TO_HEAL = 3
_LARGE_BODY = 1 << 20
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "agpt-scheduler",
}


@dataclass(slots=True)
class Answer:
    """What a receiver answered. `cut` says that `body` is only the beginning."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False


@dataclass(slots=True, eq=False)
class _Pool:
    session: aiohttp.ClientSession
    users: int = 0
    failures: int = 0
    retired: bool = False


class HttpSession:
    """POSTs to one receiver, following no redirect, keeping no cookie.

    `timeout_secs` bounds a call from its start to the end of the answer, the wait for one of `connections`
    included. After several connection errors in a row the pool is replaced by a fresh one, which looks the host up
    anew; calls under way keep theirs. Bound to the event loop of the first call.
    """

    def __init__(self, *, timeout_secs: float, connections: int) -> None:
        self._timeout = SharedTimeout(timeout_secs)  # aiohttp's own sets up a timer for each call
        self._client_timeout = aiohttp.ClientTimeout(total=None, sock_connect=min(timeout_secs, _CONNECT_SECS))
        self._connections = connections
        self._pool: _Pool | None = None
        self._closed = False

    async def post(self, url: URL, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Return the answer, whatever its status; raise DispatchTransient or DispatchMisdirected without one."""
        pool = self._pool or self._open()
        pool.users += 1
        try:
            # aiohttp warns about large bodies given as bytes, which it would write in one go.
            data = aiohttp.BytesPayload(body) if len(body) < _LARGE_BODY else BytesIO(body)
            with self._timeout.call():
                response = await pool.session.post(url, data=data, headers=headers, allow_redirects=False)
                content, cut = _whole(response) or await _read(response)
            answer = Answer(status=response.status, headers=response.headers, body=content, cut=cut)
        except (OSError, aiohttp.ClientError) as error:  # TimeoutError is an OSError
            self._count_failure(pool, error)
            # aiohttp's reader keeps the error. With the frames in it they would keep each other, and the answer.
            error.__traceback__ = None
            # Without the cause: aiohttp quotes the whole URL, in which webhooks carry their tokens.
            raise self._translated(error, url) from None
        else:
            pool.failures = 0
            return answer
        finally:
            pool.users -= 1
            if pool.retired and not pool.users:
                await pool.session.close()

    async def aclose(self) -> None:
        """Close every connection. Later calls fail as transient."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.session.close()
        self._timeout.close()

    def _open(self) -> _Pool:
        if self._closed:
            raise DispatchTransient("the dispatcher is closed", code="closed")
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=_KEEP_ALIVE_SECS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            timeout=self._client_timeout,
        )
        self._pool = _Pool(session)
        return self._pool

    def _count_failure(self, pool: _Pool, error: Exception) -> None:
        if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError):
            return  # a slow answer says nothing of the connections
        pool.failures += 1
        if pool.failures >= _FAILURES_TO_HEAL and pool is self._pool:
            pool.retired = True
            self._pool = None

    def _translated(self, error: Exception, url: URL) -> DispatchFailed:
        place = authority(url)
        name = type(error).__name__
        if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
            return DispatchMisdirected(f"no trusted connection to {place} ({name})", code="tls")
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return DispatchTransient(f"no connection to {place} in time", code="timeout")
        if isinstance(error, TimeoutError):
            reason = f"no answer from {place} within {self._timeout.secs:g} s"
            return DispatchTransient(reason, code="timeout", ambiguous=True)
        if isinstance(error, aiohttp.ClientConnectorError):
            return DispatchTransient(f"can't connect to {place} ({name})", code="connect_failed")
        if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientResponseError):
            return DispatchTransient(f"broken answer from {place} ({name})", code="broken_answer", ambiguous=True)
        return DispatchTransient(f"lost the connection to {place} ({name})", code="connection_lost", ambiguous=True)


def receiver_url(url: str) -> URL:
    """Return `url` parsed; raise ValueError, without quoting it, unless it is http or https and names a host."""
    try:
        parsed = URL(url)
    except ValueError:
        parsed = URL()
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError("a receiver's URL must look like http://host:port/path")
    return parsed.with_fragment(None)


def authority(url: URL) -> str:
    """Return host and port, all of a URL that may be told: the rest may hold a password or a token."""
    return f"{url.host}:{url.port}"


def _whole(response: aiohttp.ClientResponse) -> tuple[bytes, bool] | None:
    """Return the body, and whether it was cut off, of an answer that came in one piece, as most do; else None.

    Its connection is in the pool again, unless it has something else on its way.
    """
    if not response.content.is_eof():
        return None
    content = response.content.read_nowait()
    if response.connection is not None:
        response.release()
    return content[:LONGEST_ANSWER], len(content) > LONGEST_ANSWER


async def _read(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """Return the body, and whether it was cut off."""
    async with response:
        length = response.content_length
        if length is not None and length <= LONGEST_ANSWER and hdrs.CONTENT_ENCODING not in response.headers:
            return await response.read(), False
        read = response.content.read
        content = await read(LONGEST_ANSWER)
        while chunk := await read(LONGEST_ANSWER):
            content += chunk
            if len(content) > LONGEST_ANSWER:
                response.close()  # else leaving the block would wait for the rest
                return content[:LONGEST_ANSWER], True
        return content, False
