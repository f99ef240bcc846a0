"""How a receiver's answer is read: an execution's id, or one of the port's errors (design.md section 6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from adapters.http.session import Answer
from adapters.json_text import read_json
from adapters.receivers import is_about_graph, is_value_error, readable_id, refusal
from adapters.redaction import one_line, quotable
from ports.clock import Clock
from ports.dispatch import DispatchRequest
from ports.errors import DispatchFailed, DispatchMisdirected, DispatchRefused, DispatchTransient

_LONGEST_RETRY_AFTER = 9  # digits: thirty years
_NO_RIGHT_OR_PLACE: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.METHOD_NOT_ALLOWED: "wrong_method",
}
_LATER: Mapping[int, str] = {
    HTTPStatus.REQUEST_TIMEOUT: "try_later",
    HTTPStatus.TOO_EARLY: "try_later",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limited",
}
_FOR_GOOD: Mapping[int, str] = {
    HTTPStatus.PAYMENT_REQUIRED: "insufficient_balance",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
}
_ABOUT_THE_REQUEST = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY})
_NO_SUCH_THING = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_EMPTY_BY_NATURE = frozenset({HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})
_UNTYPED_404 = "not found"
"""The whole detail of a framework that has no such route."""


@dataclass(frozen=True, slots=True)
class Convention:
    """How one kind of receiver answers.

    `id_keys` name the execution's id in the answer, in order of preference. `json_only` says that every answer
    from the right place is JSON; without it a 2xx is a success and a 400, 409 or 422 a refusal whatever the body.
    """

    receiver: str
    id_keys: tuple[str, ...]
    json_only: bool = True


def execution_id(answer: Answer, request: DispatchRequest, *, convention: Convention, clock: Clock) -> str | None:
    """Return the id that `answer` tells, None where it tells none; raise the port's error for a failure."""
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        wish = retry_after_secs(answer.headers.get("Retry-After"), now=clock.now())
        raise _Failure(answer, request, convention, wish).error()
    try:
        document = read_json(answer.body)
    except (ValueError, RecursionError):
        _accept_without_json(answer, convention)
        return None
    if isinstance(document, dict):
        for key in convention.id_keys:
            if (found := readable_id(document.get(key))) is not None:
                return found
    # A success in a shape of its own is one all the same: to repeat it would start the graph twice.
    return None


def retry_after_secs(value: str | None, *, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for, given as a number or a date; None for nonsense."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) <= _LONGEST_RETRY_AFTER else None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # "-0000": UTC, says RFC 5322
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _accept_without_json(answer: Answer, convention: Convention) -> None:
    """Accept a 2xx whose body is no JSON where that may be, else raise."""
    if not convention.json_only or (answer.status in _EMPTY_BY_NATURE and not answer.body):
        return
    if not _claims_json(answer):
        reason = f"{convention.receiver} answered {answer.status} with something else than JSON"
        raise DispatchMisdirected(reason, code="wrong_content")
    if answer.cut:
        # Too long to read, which the platform's answer is when it repeats large inputs. It accepted, so: success.
        return
    reason = f"{convention.receiver} answered {answer.status} with broken JSON"
    raise DispatchTransient(reason, code="broken_answer", ambiguous=True)


def _claims_json(answer: Answer) -> bool:
    declared = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if declared:
        return declared == "application/json" or declared.endswith("+json")
    return not answer.body.lstrip().startswith(b"<")


class _Failure:
    """An answer other than 2xx, and the port's error that it means."""

    def __init__(
        self, answer: Answer, request: DispatchRequest, convention: Convention, wish_secs: float | None
    ) -> None:
        self._status = answer.status
        self._request = request
        self._convention = convention
        self._wish_secs = wish_secs
        self._document = _json_object(answer.body)
        self._detail = _detail(self._document)

    def error(self) -> DispatchFailed:
        """Return the error: the status decides where it is clear, then the exception's type, then the detail."""
        return self._by_status() or self._by_type() or self._by_class() or self._by_detail()

    def _by_status(self) -> DispatchFailed | None:
        status = self._status
        if code := _NO_RIGHT_OR_PLACE.get(status):
            return DispatchMisdirected(self._told(self._detail), code=code)
        if not HTTPStatus.BAD_REQUEST <= status < 600:  # noqa: PLR2004  the end of HTTP's last class
            redirected = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
            return DispatchMisdirected(self._told(), code="redirected" if redirected else "odd_status")
        if code := _LATER.get(status):
            return DispatchTransient(self._told(self._detail), code=code, retry_after_secs=self._wish_secs)
        if code := _FOR_GOOD.get(status):
            return DispatchRefused(self._told(self._detail), code=code)
        return None

    def _by_type(self) -> DispatchFailed | None:
        """Read `{"type", "args"}`, at any status (compat/outgoing.md, "The convention")."""
        typed = _type_and_message(self._document)
        if typed is None:
            return None
        name, message = typed
        final = is_value_error(name)
        blames_request = self._status < HTTPStatus.INTERNAL_SERVER_ERROR
        # The platform answers 4xx to ValueErrors only, so a name that we don't know is one.
        if final or (final is None and blames_request):
            return refusal([name], message, self._request)
        return DispatchTransient(
            self._told(f"{name}: {message}"),
            code="receiver_error",
            ambiguous=not blames_request,
            retry_after_secs=self._wish_secs,
        )

    def _by_class(self) -> DispatchFailed | None:
        if self._status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return None
        return DispatchTransient(
            self._told(self._detail), code="server_error", ambiguous=True, retry_after_secs=self._wish_secs
        )

    def _by_detail(self) -> DispatchFailed:
        """Tell a refusal of this request from a 4xx of somebody who does not know what is asked of him."""
        told = self._told(self._detail)
        detailed = bool(self._document.get("detail"))
        if self._status in _NO_SUCH_THING:
            if not detailed or self._detail.casefold().strip(" .") == _UNTYPED_404:
                return DispatchMisdirected(told, code="wrong_path")
            return DispatchRefused(told, code="not_found", target_gone=is_about_graph(self._detail, self._request))
        if self._status in _ABOUT_THE_REQUEST:
            detailed = bool(self._document) or not self._convention.json_only
        if detailed:
            return DispatchRefused(told, code="refused")
        return DispatchMisdirected(told, code="odd_status")

    def _told(self, words: str = "") -> str:
        said = f"{self._convention.receiver} answered {self._status}"
        return one_line(f"{said}: {quotable(words, self._request)}") if words else said


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        document = read_json(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _type_and_message(document: Mapping[str, Any]) -> tuple[str, str] | None:
    name, args = document.get("type"), document.get("args")
    if not isinstance(name, str) or not name.isidentifier() or not isinstance(args, list | None):
        return None
    if "args" not in document and is_value_error(name) is None:
        return None  # "type" is a common word
    return name, str(args[0]) if args else ""


def _detail(document: Mapping[str, Any]) -> str:
    """Return FastAPI's `detail` in words, without the input that a validation error repeats."""
    detail = document.get("detail") or document.get("message") or document.get("error")
    if isinstance(detail, list):
        return "; ".join(_validation_error(item) for item in detail if isinstance(item, dict))
    if isinstance(detail, dict):
        detail = detail.get("message")
    return detail if isinstance(detail, str) else ""


def _validation_error(item: Mapping[str, Any]) -> str:
    where = item.get("loc")
    path = ".".join(str(step) for step in where) if isinstance(where, list) else ""
    return f"{path}: {item.get('msg', '')}"
