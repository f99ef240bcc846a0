"""Forms and queries as plain text: what is missing is empty, what is no text is refused."""

from typing import Any

from litestar.connection import Request

from domain.schedules import is_unicode
from entrypoints.page.access import FORM_TOKEN, Access, Visitor

_AnyRequest = Request[Any, Any, Any]


async def text_form(request: _AnyRequest) -> dict[str, str]:
    """Return a form's fields. Raises ValueError for what has no UTF-8 form."""
    return _plain(await request.form())


async def actors_form(request: _AnyRequest, access: Access, visitor: Visitor) -> dict[str, str]:
    """Return the form of somebody who may act. Raises ForbiddenError for anybody else."""
    form = await text_form(request)
    access.require_actor(request, visitor, form.pop(FORM_TOKEN, ""))
    return form


def text_query(request: _AnyRequest) -> dict[str, str]:
    """Return a query's parameters, stripped. Raises ValueError for what has no UTF-8 form."""
    return {name: value.strip() for name, value in _plain(request.query_params).items()}


def number(text: str | None) -> int | None:
    """Return a number of a query, None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else None  # noqa: PLR2004


def _plain(fields: Any) -> dict[str, str]:
    found = {name: value for name, value in fields.items() if isinstance(value, str)}
    if not all(map(is_unicode, found.values())):
        raise ValueError("That is no text.")
    return found
