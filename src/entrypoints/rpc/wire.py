"""How values become JSON: compact UTF-8 by the standard library's rules, as the original's framework writes it."""

import json
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from litestar import Litestar, Request
from litestar.enums import MediaType
from litestar.response import Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send, Serializer
from pydantic import BaseModel

from domain.models import GraphExecutionJobInfo

T = TypeVar("T")
Header = tuple[bytes, bytes]

_WRITER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ASCII_WRITER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))

_TOGETHER = 20  # schedules, of which each may be large

JSON_HEADER = (b"content-type", b"application/json")
_WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_OF_ITS_OWN = ("headers", "cookies", "background", "is_head_response")

NOT_COMPLIANT = "Out of range float values are not JSON compliant"
"""The standard library's words for NaN and infinities, to which its newer versions append the value."""


def to_json(value: Any) -> bytes:
    """Write plain values; NaN and infinities become null, as recorded ("add input_data NaN").

    Raises RecursionError for what is nested too deeply.
    """
    try:
        return to_strict_json(value)
    except ValueError:
        return to_strict_json(json.loads(json.dumps(value), parse_constant=_null))


def to_strict_json(value: Any) -> bytes:
    """Write plain values. Raises ValueError for NaN and infinities, as the original's 422s do.

    Text with a lone surrogate has no UTF-8, so then everything beyond ASCII is written as escapes.
    """
    try:
        text = _WRITER.encode(value)
    except ValueError as error:
        raise ValueError(NOT_COMPLIANT) from error
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _ASCII_WRITER.encode(value).encode()


def info_to_json(info: GraphExecutionJobInfo) -> bytes:
    """Write a schedule."""
    fields = _fields(info)
    try:
        return to_json(fields)
    except RecursionError:
        # Only a row that somebody else stored nests that deep; without its input it can still be seen and deleted.
        return to_json(fields | {"input_data": {}})


def infos_to_json(infos: Sequence[GraphExecutionJobInfo]) -> Iterator[bytes]:
    """Write schedules as items of a list, each as `info_to_json` does, but some together, which is faster."""
    for begin in range(0, len(infos), _TOGETHER):
        some = infos[begin : begin + _TOGETHER]
        try:
            yield _WRITER.encode(list(map(_fields, some)))[1:-1].encode()
        except (ValueError, RecursionError):  # one of them is odd, and the others are written as ever
            yield from map(info_to_json, some)


def _fields(info: GraphExecutionJobInfo) -> dict[str, Any]:
    """Return what `model_dump` does, which would copy input data that is plain already."""
    credentials = {name: each.model_dump() for name, each in info.input_credentials.items()}
    return {**vars(info), "input_credentials": credentials}


async def send_answer(send: Send, status: int, body: bytes, headers: Iterable[Header]) -> None:
    """Send an answer with its length and `headers`."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


class _PlainAnswer(ASGIResponse):
    """A JSON answer without headers of its own, sent without the trouble that Litestar takes to look for some."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status_code = status
        self.body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        del scope, receive
        await send_answer(send, self.status_code, self.body, [JSON_HEADER])


class JsonResponse(Response[T]):
    """An answer written by this module."""

    @classmethod
    def of_items(cls, items: Iterable[bytes]) -> "JsonResponse[Any]":
        """Answer a list whose items are written already, by themselves or some together."""
        return JsonResponse(content=b"[" + b",".join(items) + b"]", media_type=MediaType.JSON)

    def to_asgi_response(
        self, app: Litestar | None, request: Request[Any, Any, Any], *, status_code: int | None = None, **more: Any
    ) -> ASGIResponse:
        """Return what is sent."""
        own = self.headers or self.cookies or self.background or any(more.get(name) for name in _OF_ITS_OWN)
        status = self.status_code or status_code or HTTPStatus.OK
        if own or self.media_type != MediaType.JSON or status in _WITHOUT_BODY:
            return super().to_asgi_response(app, request, status_code=status_code, **more)
        return _PlainAnswer(status, self.render(self.content, MediaType.JSON))

    def render(self, content: Any, media_type: str, enc_hook: Serializer = str) -> bytes:  # noqa: ARG002  Litestar's
        """Return the body; bytes are taken for JSON."""
        if isinstance(content, GraphExecutionJobInfo):
            return info_to_json(content)
        if isinstance(content, BaseModel):
            return to_json(content.model_dump())
        return content if isinstance(content, bytes) else to_json(content)


def _null(_constant: str) -> None:
    return None
