"""Who may look and who may act: sessions in one strict cookie, and the token that every change must carry.

The cookie never holds the operator's token, only what it signed: an end and a nonce. The same token signs alike in
every worker and replica. What a form carries is signed over the cookie's nonce, so no other site can make it.
"""

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Any

from litestar.connection import Request
from litestar.datastructures import Cookie

_AnyRequest = Request[Any, Any, Any]

COOKIE = "scheduler_page"
FORM_TOKEN = "form_token"  # noqa: S105  the name of a field
_SESSION_SECS = 12 * 3600
_PATH = "/ui"


class LoginNeededError(Exception):
    """Nobody is logged in and the operator asks for the token."""


class ForbiddenError(Exception):
    """The visitor may not do this; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who may look. `form_token` is what changes must carry; `cookie` is to be set where it is new."""

    may_act: bool
    form_token: str
    logged_in: bool
    cookie: Cookie | None = None


class Access:
    """What is asked of visitors.

    With `token` they must enter it once to read or act. Without, they may read, and act where `open_without_token`:
    in the embedded mode. `key` signs sessions where there is no token to do so.
    """

    def __init__(self, *, token: str | None, open_without_token: bool, key: bytes) -> None:
        self._token = None if token is None else token.encode()
        self._key = key if token is None else hashlib.sha256(b"agpt-scheduler page\0" + token.encode()).digest()
        self.needs_token = token is not None
        self.may_act = self.needs_token or open_without_token

    def visitor(self, request: _AnyRequest) -> Visitor:
        """Return who asks. Raises LoginNeededError."""
        nonce = self._nonce(request.cookies.get(COOKIE, ""))
        if nonce is not None:
            return self._admitted(nonce)
        if self.needs_token:
            raise LoginNeededError
        return self._new(request)

    def log_in(self, request: _AnyRequest, token: str) -> Visitor:
        """Return a visitor who brought the token. Raises ForbiddenError for a wrong one, or another site's form."""
        _require_same_site(request)
        # The comparison takes the same time wherever the two differ.
        if self._token is None or not hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self._token):
            raise ForbiddenError("That is not the token.")
        return self._new(request)

    def log_out(self) -> Cookie:
        """Return the cookie that ends a session in this browser."""
        return Cookie(key=COOKIE, value="", max_age=0, path=_PATH, httponly=True, samesite="strict")

    def require_actor(self, request: _AnyRequest, visitor: Visitor, form_token: str) -> None:
        """Raise ForbiddenError for who may not change anything, and for a form that is not ours."""
        _require_same_site(request)
        if not visitor.may_act:
            raise ForbiddenError("This page is read-only: set SCHEDULER_RPC_TOKEN to act on it.")
        sent = form_token.encode("utf-8", "surrogatepass")
        if visitor.cookie is not None or not hmac.compare_digest(sent, visitor.form_token.encode()):
            raise ForbiddenError("The form is too old. Go back, reload the page and try again.")

    def _new(self, request: _AnyRequest) -> Visitor:
        ends, nonce = int(time.time()) + _SESSION_SECS, secrets.token_urlsafe(16)
        cookie = Cookie(
            key=COOKIE,
            value=f"{ends}.{nonce}.{self._signed('session', str(ends), nonce)}",
            max_age=_SESSION_SECS,
            path=_PATH,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return self._admitted(nonce, cookie)

    def _admitted(self, nonce: str, cookie: Cookie | None = None) -> Visitor:
        return Visitor(self.may_act, self._signed("form", nonce), self.needs_token, cookie)

    def _nonce(self, cookie: str) -> str | None:
        """Return the nonce of a session that is ours and has not ended."""
        ends, _, rest = cookie.partition(".")
        nonce, _, signature = rest.partition(".")
        expected = self._signed("session", ends, nonce)
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), expected.encode()):
            return None
        return nonce if int(ends) > time.time() else None

    def _signed(self, *parts: str) -> str:
        message = ".".join(parts).encode("utf-8", "replace")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()


def _require_same_site(request: _AnyRequest) -> None:
    """Refuse what a browser says comes from elsewhere; one that doesn't say is held to the form's token."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise ForbiddenError("This request came from another site.")
