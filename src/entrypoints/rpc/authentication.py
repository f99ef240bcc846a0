"""The optional bearer token (design.md section 10)."""

import hmac
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from entrypoints.rpc.errors import UnauthenticatedError

PUBLIC = "public"
"""The option of handlers that need no token: what probes call."""


def require_token(token: str) -> Guard:
    """Return a guard that lets through who sends `Authorization: Bearer {token}`."""
    expected = token.encode()

    def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        if handler.opt.get(PUBLIC):
            return
        scheme, _, sent = connection.headers.get("authorization", "").partition(" ")
        # The comparison takes the same time wherever the two differ.
        matches = hmac.compare_digest(sent.strip().encode("latin-1"), expected)
        if scheme.lower() != "bearer" or not matches:
            raise UnauthenticatedError("A valid bearer token is required")

    return guard
