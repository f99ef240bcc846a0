"""Logging in with the operator's token, and out."""

import asyncio
from http import HTTPStatus
from typing import Any

from litestar import get, post
from litestar.connection import Request
from litestar.di import NamedDependency
from litestar.response import Response
from litestar.response.template import Template

from entrypoints.page.access import Access, ForbiddenError, Visitor
from entrypoints.page.answers import page, redirect
from entrypoints.page.forms import actors_form, text_form, text_query

_AnyRequest = Request[Any, Any, Any]
_HOME = "/ui"
_PAUSE_AFTER_MISTAKE_SECS = 0.5


@get("/login")
async def ask_for_token(request: _AnyRequest, access: NamedDependency[Access]) -> Response[Any]:
    """Ask for the token."""
    if not access.needs_token:
        return redirect(_HOME)
    return page("login", None, then=_own(text_query(request).get("next", "")), mistake="")


@post("/login", status_code=HTTPStatus.OK)
async def log_in(request: _AnyRequest, access: NamedDependency[Access]) -> Response[Any] | Template:
    """Take the token, once, for a session."""
    form = await text_form(request)
    then = _own(form.get("next", ""))
    try:
        visitor = access.log_in(request, form.get("token", ""))
    except ForbiddenError as error:
        await asyncio.sleep(_PAUSE_AFTER_MISTAKE_SECS)
        return page("login", None, status=HTTPStatus.FORBIDDEN, then=then, mistake=str(error))
    answer = redirect(then)
    assert visitor.cookie is not None
    answer.set_cookie(visitor.cookie)
    return answer


@post("/logout", status_code=HTTPStatus.OK)
async def log_out(
    request: _AnyRequest, access: NamedDependency[Access], visitor: NamedDependency[Visitor]
) -> Response[Any]:
    """End the session in this browser."""
    await actors_form(request, access, visitor)
    answer = redirect(_HOME)
    answer.set_cookie(access.log_out())
    return answer


def _own(path: str) -> str:
    """Return a path of this page, never an address elsewhere."""
    own = path == _HOME or path.startswith((f"{_HOME}/", f"{_HOME}?"))
    return path if own and not any(letter in path for letter in "\\\r\n") else _HOME


HANDLERS = [ask_for_token, log_in, log_out]
