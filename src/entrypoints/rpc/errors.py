"""How exceptions become answers: the one table of statuses, and the framework's bodies as recorded."""

import logging
import math
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from litestar.connection import Request
from litestar.enums import MediaType
from litestar.exceptions import HTTPException, ValidationException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.types import ExceptionHandlersMap
from pydantic import ValidationError

from domain.errors import DomainError, NotAuthorizedError, NotFoundError, UnstorableInputError
from entrypoints.rpc.wire import JsonResponse, to_json, to_strict_json
from ports.errors import RemoteCallError, StoreUnavailable

log = logging.getLogger(__name__)

_AnyRequest = Request[Any, Any, Any]


class InvalidBodyError(Exception):
    """A body that is no JSON or lacks what is asked for; `details` as FastAPI's 422 lists them."""

    def __init__(self, details: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(f"{len(details)} validation errors")
        self.details = details


class UnauthenticatedError(Exception):
    """The operator asks for a bearer token and the caller has not sent it."""


class UnhealthyError(Exception):
    """The engine's loop is stuck."""


@dataclass(frozen=True, slots=True)
class _Row:
    """What a class of exceptions is answered with; `name` where the wire has another than the class's own."""

    status: HTTPStatus
    name: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


# Looked up by the exception's class, then by its bases in order.
_TABLE: Mapping[type[BaseException], _Row] = {
    NotFoundError: _Row(HTTPStatus.BAD_REQUEST),
    NotAuthorizedError: _Row(HTTPStatus.BAD_REQUEST),
    ValidationError: _Row(HTTPStatus.BAD_REQUEST),
    DomainError: _Row(HTTPStatus.BAD_REQUEST, "ValueError"),
    ValueError: _Row(HTTPStatus.BAD_REQUEST),
    UnauthenticatedError: _Row(HTTPStatus.UNAUTHORIZED, "NotAuthorizedError", {"WWW-Authenticate": "Bearer"}),
    RequestEntityTooLarge: _Row(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "ValueError"),
    UnhealthyError: _Row(HTTPStatus.SERVICE_UNAVAILABLE, "RuntimeError"),
    StoreUnavailable: _Row(HTTPStatus.INTERNAL_SERVER_ERROR, "OperationalError"),
    Exception: _Row(HTTPStatus.INTERNAL_SERVER_ERROR),
}

_VALUE_ERRORS = frozenset(
    {
        "InsufficientBalanceError",
        "JSONDecodeError",
        "NotAuthorizedError",
        "NotFoundError",
        "UnicodeDecodeError",
        "UnicodeEncodeError",
        "UnicodeError",
        "UnicodeTranslateError",
        "ValidationError",
        "ValueError",
    }
)
"""Names under which neighbours report what is a ValueError on the platform (compat/outgoing.md)."""


def typed_error(
    status: int, name: str, args: Sequence[Any], headers: Mapping[str, str] | None = None
) -> JsonResponse[Any]:
    """Answer `{"type", "args"}`, which the platform's clients raise again by type."""
    content = {"type": name, "args": [_plain(arg) for arg in args]}
    return JsonResponse(
        content=content, status_code=status, media_type=MediaType.JSON, headers=dict(headers) if headers else None
    )


def answer_error(_request: _AnyRequest, error: Exception) -> JsonResponse[Any]:
    """Answer any exception by the table; what nobody foresaw is logged, without its message."""
    if isinstance(error, RemoteCallError):
        refused = error.type_name in _VALUE_ERRORS
        status = HTTPStatus.BAD_REQUEST if refused else HTTPStatus.INTERNAL_SERVER_ERROR
        return typed_error(status, error.type_name, error.remote_args)
    if isinstance(error, StoreUnavailable) and error.overloaded:
        # The name that SQLAlchemy gives to a pool without a free connection, which clients know besides.
        wait = {"Retry-After": str(math.ceil(error.retry_after_secs))}
        return typed_error(HTTPStatus.SERVICE_UNAVAILABLE, "TimeoutError", error.args, wait)
    row = next(_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE)
    if row is _TABLE[Exception]:
        # A message may hold somebody's input: the log gets the place only.
        place = "".join(traceback.format_tb(error.__traceback__))
        log.error("%s answered with 500\n%s", type(error).__name__, place)
    return typed_error(row.status, row.name or type(error).__name__, error.args or (str(error),), row.headers)


def answer_too_large(request: _AnyRequest, _error: Exception) -> JsonResponse[Any]:
    """Answer a body beyond the limit."""
    row = _TABLE[RequestEntityTooLarge]
    limit = request.app.request_max_body_size
    return typed_error(row.status, row.name or "", (f"The request's body is larger than {limit} bytes",))


def answer_http_error(_request: _AnyRequest, error: Exception) -> JsonResponse[Any]:
    """Answer what the framework raises, in the shape of the original's framework."""
    assert isinstance(error, HTTPException)
    return JsonResponse(
        content={"detail": error.detail},
        status_code=error.status_code,
        media_type=MediaType.JSON,
        headers=error.headers,
    )


def answer_validation_error(request: _AnyRequest, error: Exception) -> JsonResponse[Any]:
    """Answer a body that pydantic refused; without pydantic's word there was no body."""
    found = getattr(error.__cause__, "errors", None)
    if found is None:
        missing = {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
        return answer_invalid_body(request, InvalidBodyError([missing]))
    return answer_invalid_body(request, InvalidBodyError([_like_fastapi(detail) for detail in found]))


def answer_invalid_body(request: _AnyRequest, error: Exception) -> JsonResponse[Any]:
    """Answer 422 with the list of what is wrong.

    Since the list repeats the input, it can't be written when that holds NaN ("add graph_version NaN").
    """
    assert isinstance(error, InvalidBodyError)
    try:
        body = to_strict_json({"detail": error.details})
    except ValueError as unwritable:
        return answer_error(request, unwritable)
    except RecursionError:
        return answer_error(request, UnstorableInputError("The body is nested too deeply"))
    return JsonResponse(content=body, status_code=HTTPStatus.UNPROCESSABLE_ENTITY, media_type=MediaType.JSON)


HANDLERS: ExceptionHandlersMap = {
    Exception: answer_error,
    HTTPException: answer_http_error,
    InvalidBodyError: answer_invalid_body,
    RequestEntityTooLarge: answer_too_large,
    ValidationException: answer_validation_error,
}


def _like_fastapi(detail: Mapping[str, Any]) -> dict[str, Any]:
    return {key: ["body", *value] if key == "loc" else value for key, value in detail.items() if key != "url"}


def _plain(arg: Any) -> Any:
    """Return an exception's argument if JSON can hold it, else its text."""
    try:
        to_json(arg)
    except (TypeError, ValueError, RecursionError):
        return str(arg)
    return arg
