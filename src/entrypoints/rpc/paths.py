"""Paths and methods as the original's framework (Starlette) sees them, which Litestar's router would blur.

Litestar reads `/a/` and `//a` as `/a`, answers OPTIONS by itself and words 404 and 405 its own way.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from urllib.parse import quote

from litestar.enums import ScopeType
from litestar.routes import HTTPRoute
from litestar.routes.base import BaseRoute
from litestar.types import ASGIApp, Receive, Scope, Send
from litestar.types.asgi_types import HTTPScope

from entrypoints.rpc.wire import JSON_HEADER, send_answer

_NOT_FOUND = b'{"detail":"Not Found"}'
_NOT_ALLOWED = b'{"detail":"Method Not Allowed"}'


class ExactPaths:
    """Lets through what is a route's exact path and method, and answers everything else."""

    def __init__(self, app: ASGIApp, *, allowed: Mapping[str, frozenset[str]]) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        methods = self._allowed.get(scope["path"])
        if methods is not None and scope["method"] in methods:
            await self._app(scope, receive, send)
        elif methods is not None:
            allow = ", ".join(sorted(methods, reverse=True)).encode()  # "POST, GET", as recorded
            await send_answer(send, HTTPStatus.METHOD_NOT_ALLOWED, _NOT_ALLOWED, [(b"allow", allow), JSON_HEADER])
        elif scope["path"] != "/" and (other := _other_slash(scope["path"])) in self._allowed:
            location = quote(_absolute(scope, other), safe=":/%#?=@[]!$&'()*+,;").encode()
            await send_answer(send, HTTPStatus.TEMPORARY_REDIRECT, b"", [(b"location", location)])
        else:
            await send_answer(send, HTTPStatus.NOT_FOUND, _NOT_FOUND, [JSON_HEADER])


def exact_paths(routes: Iterable[BaseRoute]) -> dict[str, frozenset[str]]:
    """Return the methods of every route without path parameters; OPTIONS is nobody's."""
    return {
        route.path: frozenset(route.methods) - {"OPTIONS"}
        for route in routes
        if isinstance(route, HTTPRoute) and not route.path_parameters
    }


def _other_slash(path: str) -> str:
    return path.rstrip("/") if path.endswith("/") else f"{path}/"


def _absolute(scope: HTTPScope, path: str) -> str:
    """Return the URL of `path` on the host that the caller named."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), None)
    if host is None and scope["server"] is not None:
        name, port = scope["server"]
        host = name if port is None else f"{name}:{port}"
    query = scope["query_string"].decode("latin-1")
    url = path if host is None else f"{scope['scheme']}://{host}{path}"
    return f"{url}?{query}" if query else url
