"""Lists on the wire: cursors for those who page, and long lists written as they are read."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from litestar.enums import MediaType
from litestar.response import Response, Stream
from pydantic import AwareDatetime, Field, TypeAdapter

from domain.errors import InvalidScheduleError
from domain.models import GraphExecutionJobInfo
from entrypoints.rpc.wire import JsonResponse, infos_to_json
from ports.jobs import Position

NEXT_CURSOR = "X-Next-Cursor"
"""The header that holds the cursor of the next page, absent after the last. The body stays the list."""

_PLACE = TypeAdapter(tuple[Literal[""] | AwareDatetime, Annotated[str, Field(pattern="^[^\\x00]*$")]])

_AT_ONCE = 1000
_IN_A_CHUNK = 100


def cursor_after(info: GraphExecutionJobInfo) -> str:
    """Return the cursor of what follows `info` in a list."""
    place = json.dumps([info.next_run_time, info.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(place.encode()).decode()


def position_of(cursor: str) -> Position:
    """Return the place that a cursor names. Raises InvalidScheduleError for text that no answer of ours held."""
    try:
        next_run_at, last_id = _PLACE.validate_json(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except ValueError:
        raise InvalidScheduleError("cursor is not one that a list was answered with", field="cursor") from None
    return Position(next_run_at or None, last_id)


async def answer_page(found: AsyncIterator[GraphExecutionJobInfo], *, limit: int) -> Response[Any]:
    """Answer up to `limit` schedules out of `found`, which goes on to the one behind them."""
    infos = [info async for info in found]
    response = JsonResponse.of_items(infos_to_json(infos[:limit]))
    if len(infos) > limit:
        response.set_header(NEXT_CURSOR, cursor_after(infos[limit - 1]))
    return response


async def answer_all(found: AsyncIterator[GraphExecutionJobInfo]) -> Response[Any]:
    """Answer every schedule: a short list as a whole, a long one as it is read, so that it never stands in memory.

    A failure behind the first thousand cuts the answer off; its end is missing, so nobody takes it for whole.
    """
    infos: list[GraphExecutionJobInfo] = []
    async for info in found:
        infos.append(info)
        if len(infos) == _AT_ONCE:
            beginning = b"[" + b",".join(infos_to_json(infos))
            return Stream(_written(beginning, found), media_type=MediaType.JSON)
    return JsonResponse.of_items(infos_to_json(infos))


async def _written(beginning: bytes, rest: AsyncIterator[GraphExecutionJobInfo]) -> AsyncIterator[bytes]:
    yield beginning
    some: list[GraphExecutionJobInfo] = []
    async with aclosing(rest) as infos:  # type: ignore[type-var]  # every use case here is a generator
        async for info in infos:
            some.append(info)
            if len(some) == _IN_A_CHUNK:
                yield b"".join(b"," + items for items in infos_to_json(some))
                some.clear()
    yield b"".join(b"," + items for items in infos_to_json(some)) + b"]"
