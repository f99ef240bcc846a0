"""What came of one try of a call: a result, an error to raise, and whether another try makes sense."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from entrypoints.client.calls import Call, SchedulePage
from entrypoints.client.errors import (
    CallTimeoutError,
    InvalidRequestError,
    NotAuthorizedError,
    NotFoundError,
    RemoteCallError,
    SchedulerClientError,
    ServiceUnavailableError,
    ServiceUnreachableError,
)

T = TypeVar("T")

_LONGEST_BACKOFF_SECS = 30.0
_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}
"""By what they read, since to make one takes longer than to use it."""
_SHOWN = 200
_REFUSALS: Mapping[str, type[NotFoundError] | type[NotAuthorizedError]] = {
    "NotFoundError": NotFoundError,
    "NotAuthorizedError": NotAuthorizedError,
}
# The driver's words for a database that is away, and for a pool without a free connection (rpc/errors.py).
_UNAVAILABLE = frozenset({"OperationalError", "TimeoutError"})
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_GATEWAY = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
_NOT_ALLOWED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})


class Again(IntEnum):
    """Which calls may be made again after a failure."""

    NONE = 0
    REPEATABLE = 1  # those that come to the same when they are made twice
    ANY = 2  # all: this one did not arrive, or was turned away


@dataclass(frozen=True, slots=True)
class Failure:
    """A try that failed: what to raise, what may be tried again, and the pause that the service wishes."""

    error: SchedulerClientError
    again: Again = Again.NONE
    wish_secs: float = 0.0


@dataclass(frozen=True, slots=True)
class Success(Generic[T]):
    """A try that worked."""

    value: T


def content_of(call: Call[Any]) -> bytes:
    """Return a call's body: compact JSON of what was given, as the platform's client writes it.

    Raises InvalidRequestError for what JSON can't hold.
    """
    try:
        plain = to_jsonable_python(dict(call.arguments))
        return json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (PydanticSerializationError, TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError(f"{call.method} can't be sent: {error}") from None


def pause_before(
    attempt: int, call: Call[Any], failure: Failure, *, retries: int, backoff_secs: float
) -> float | None:
    """Return how long to wait before the try after the `attempt`-th (from 1), None when there is to be none.

    The pause doubles, and up to half of it is left off by chance, so that callers that failed together don't come
    back together.
    """
    wanted = Again.REPEATABLE if call.repeatable else Again.ANY
    if attempt > retries or failure.again < wanted:
        return None
    backoff = backoff_secs * 2.0 ** min(attempt - 1, 16) * random.uniform(0.5, 1)  # noqa: S311  spread, not secrecy
    return min(max(backoff, failure.wish_secs), _LONGEST_BACKOFF_SECS)


def not_answered(error: httpx.HTTPError | httpx.InvalidURL, url: str) -> Failure:
    """Return what the lack of a whole answer means.

    A call that ran into the timeout is never repeated: the service has had its time, and may be at it still.
    """
    what = str(error) or type(error).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return Failure(ServiceUnreachableError(f"no scheduler answers at {url}: {what}"), Again.ANY)
    if isinstance(error, httpx.TimeoutException):
        return Failure(CallTimeoutError(f"{url} did not answer in time"))
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return Failure(ServiceUnreachableError(f"the connection to {url} broke: {what}"), Again.REPEATABLE)
    return Failure(ServiceUnreachableError(f"{url} can't be called: {what}"))


def answered(call: Call[T], response: httpx.Response) -> Success[T] | Failure:
    """Return what a whole answer means."""
    try:
        document = json.loads(response.content)
    except (ValueError, RecursionError):
        return _failure(response, None)
    if not response.is_success:
        return _failure(response, document)
    if call.answer is SchedulePage:
        document = {"schedules": document, "next_cursor": response.headers.get("x-next-cursor")}
    try:
        return Success(_adapter(call.answer).validate_python(document))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        message = f"{response.url} answered something else than a scheduler: {where} {first['msg']}".strip()
        return Failure(RemoteCallError(message, status=response.status_code))


def _adapter(answer: Any) -> TypeAdapter[Any]:
    if answer not in _ADAPTERS:
        _ADAPTERS[answer] = TypeAdapter(answer)
    return _ADAPTERS[answer]


def _failure(response: httpx.Response, document: Any) -> Failure:
    known = document if isinstance(document, dict) else {}
    name, args, details = known.get("type"), known.get("args"), known.get("detail")
    said = _said(args) if isinstance(args, list) else ""
    if not said:
        said = f"{response.url} answered {response.status_code} {response.reason_phrase}".rstrip()
    if document is None:
        said += " with what is no JSON; is it the scheduler?"
    elif response.is_redirect:
        said += "; is it the scheduler?"
    if response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and isinstance(details, list):
        found = [detail for detail in details if isinstance(detail, dict)]
        return Failure(InvalidRequestError(_explained(found) or said, details=found))
    return _typed_failure(
        response,
        RemoteCallError(
            said,
            status=response.status_code,
            type_name=name if isinstance(name, str) else "",
            remote_args=args if isinstance(args, list) else (),
        ),
    )


def _typed_failure(response: httpx.Response, error: RemoteCallError) -> Failure:
    """Return the failure by the class that the service named, else by the status."""
    status, said = error.status, str(error)
    if error.type_name in _REFUSALS:
        return Failure(_REFUSALS[error.type_name](said))
    if status in _NOT_ALLOWED:
        return Failure(NotAuthorizedError(said))
    if error.type_name and status in _REFUSED:
        return Failure(InvalidRequestError(said))
    broken = status >= HTTPStatus.INTERNAL_SERVER_ERROR and error.type_name in _UNAVAILABLE
    if not broken and status not in _BUSY | _GATEWAY:
        return Failure(error)
    wish = _retry_after(response.headers.get("retry-after"))
    # Who says when to come back has turned the call away; else it may have been carried out.
    again = Again.ANY if status in _BUSY and wish is not None else Again.REPEATABLE
    unavailable = ServiceUnavailableError(
        said, status=status, type_name=error.type_name, remote_args=error.remote_args
    )
    return Failure(unavailable, again, wish or 0.0)


def _said(args: Sequence[Any]) -> str:
    """Return an exception's text as Python would print it."""
    return str(args[0]) if len(args) == 1 else ", ".join(map(str, args))


def _explained(details: Sequence[Mapping[str, Any]]) -> str:
    """Return a 422's list in one line: what is wrong with which argument."""
    lines = []
    for detail in details:
        loc = detail.get("loc")
        where = ".".join(str(part) for part in loc[1:]) if isinstance(loc, list) else ""
        lines.append(f"{where}: {detail.get('msg')}" if where else str(detail.get("msg")))
    return "; ".join(lines)[:_SHOWN]


def _retry_after(text: str | None) -> float | None:
    if text is None:
        return None
    return float(text) if text.isascii() and text.isdigit() else 0.0  # a date says too that it was turned away
