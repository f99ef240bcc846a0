"""How the page answers: pages, redirects, refusals, each with headers that keep a browser from anything else."""

import hashlib
import logging
from collections.abc import Mapping
from http import HTTPStatus
from importlib import resources
from typing import Any, TypeVar
from urllib.parse import quote

import jinja2
from litestar.connection import Request
from litestar.enums import MediaType
from litestar.exceptions import HTTPException, ValidationException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.response import Response
from litestar.response.template import Template
from litestar.types import ExceptionHandlersMap

from domain.errors import DomainError, NotFoundError
from entrypoints.page import words
from entrypoints.page.access import ForbiddenError, LoginNeededError, Visitor
from ports.errors import StoreUnavailable

T = TypeVar("T")

logger = logging.getLogger(__name__)

_AnyRequest = Request[Any, Any, Any]

HEADERS: Mapping[str, str] = {
    # Everything comes from this server, and nothing is written into a page: no script, no style.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

_ASSET_TYPES = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def _assets() -> Mapping[str, bytes]:
    folder = resources.files("entrypoints.page") / "static"
    return {name: (folder / name).read_bytes() for name in _ASSET_TYPES}


class Assets:
    """The files that pages load, and a version that changes with them."""

    def __init__(self) -> None:
        self._files = _assets()
        self.version = hashlib.sha256(b"".join(self._files.values())).hexdigest()[:12]

    def answer(self, name: str) -> Response[bytes]:
        """Return one; browsers may keep it, since its address changes when it does."""
        return Response(
            content=self._files[name],
            media_type=_ASSET_TYPES[name],
            headers={"cache-control": "public, max-age=31536000, immutable"},
        )


def environment(assets: Assets, **known: Any) -> jinja2.Environment:
    """Return the templates; whatever they show is escaped, and a name that is not there is a mistake."""
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("entrypoints.page", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        iso=words.iso, clock=words.clock, seconds=words.seconds, short=words.short, grouped=words.grouped
    )
    env.globals.update(
        link=words.link,
        lag_of=words.lag_of,
        state_words=words.STATE_WORDS,
        assets_version=assets.version,
        **known,
    )
    return env


def page(
    name: str,
    visitor: Visitor | None,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    **context: Any,
) -> Template:
    """Return a page; a visitor who is new gets the cookie with it."""
    cookies = [] if visitor is None or visitor.cookie is None else [visitor.cookie]
    return Template(
        f"{name}.html",
        context={"visitor": visitor, **context},
        status_code=status,
        media_type=MediaType.HTML,
        cookies=cookies,
        headers={"cache-control": "no-store"},
    )


def redirect(path: str) -> Response[None]:
    """Send the browser on to another of our pages."""
    return Response(content=None, status_code=HTTPStatus.SEE_OTHER, headers={"location": path})


def secured(response: Response[T]) -> Response[T]:
    """Add the headers to an answer."""
    response.headers.update(HEADERS)
    return response


def _refuse(_request: _AnyRequest, error: Exception) -> Response[Any]:
    """Say what is wrong, in the page's own clothes; what broke on our side goes to the log."""
    status, said = _explained(error)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("a page broke", exc_info=error)
    return secured(page("error", None, status=status, title=status.phrase, said=said))


def _explained(error: Exception) -> tuple[HTTPStatus, str]:
    match error:
        case NotFoundError():
            return HTTPStatus.NOT_FOUND, "There is no such schedule (any more)."
        case ForbiddenError():
            return HTTPStatus.FORBIDDEN, str(error)
        case StoreUnavailable():
            return (
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The database does not answer at the moment. What comes due meanwhile fires once it is back.",
            )
        case DomainError() | ValueError():
            return HTTPStatus.BAD_REQUEST, str(error)
        case HTTPException():
            return HTTPStatus(error.status_code), error.detail
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR, "Something broke on this side; the log says what."


def _ask_to_log_in(request: _AnyRequest, _error: Exception) -> Response[Any]:
    """Send the visitor to the login, and from there to where he wanted to go."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET" or request.headers.get("sec-fetch-mode", "navigate") != "navigate":
        status = HTTPStatus.UNAUTHORIZED
        return secured(page("error", None, status=status, title=status.phrase, said="Log in again."))
    return secured(redirect(f"/ui/login?next={quote(wanted, safe='')}"))


REFUSALS: ExceptionHandlersMap = {
    LoginNeededError: _ask_to_log_in,
    Exception: _refuse,
    HTTPException: _refuse,
    RequestEntityTooLarge: _refuse,
    ValidationException: _refuse,
}
