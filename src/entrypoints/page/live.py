"""Following firings live: server-sent events that bring the newest rows whenever they are others than before."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import jinja2
from litestar.response import ServerSentEvent, ServerSentEventMessage

from entrypoints.page.access import ForbiddenError
from ports.errors import StoreUnavailable
from ports.firings import FiringRecord

_LOOK_EVERY_SECS = 1.0
_ALIVE_EVERY_LOOKS = 15
_MOST_FOLLOWERS = 20

Read = Callable[[], Awaitable[Sequence[FiringRecord]]]


class LiveFirings:
    """Serves followers, each with a look at the ledger a second, until they leave or the service stops."""

    def __init__(self, env: jinja2.Environment, *, stopping: Callable[[], bool]) -> None:
        self._env = env
        self._stopping = stopping
        self.followers = 0

    def follow(self, read: Read) -> ServerSentEvent:
        """Return a stream of what `read` returns, as rows of a table. Raises ForbiddenError for one too many."""
        if self.followers >= _MOST_FOLLOWERS:
            raise ForbiddenError("Too many are following already.")
        return ServerSentEvent(self._events(read), headers={"cache-control": "no-store"})

    async def _events(self, read: Read) -> AsyncIterator[ServerSentEventMessage]:
        self.followers += 1
        try:
            shown: Sequence[FiringRecord] | None = None
            looks = 0
            while not self._stopping():
                try:
                    found = await read()
                except StoreUnavailable:
                    found = shown or ()
                if found != shown:
                    rows = self._env.get_template("_firing_rows.html").render(records=found, whose=True)
                    newest = 0 if not shown else shown[0].id
                    fresh = sum(record.id > newest for record in found) if shown is not None else 0
                    shown = found
                    yield ServerSentEventMessage(data=rows, event="rows")
                    if fresh:
                        yield ServerSentEventMessage(data=str(fresh), event="fresh")
                elif looks % _ALIVE_EVERY_LOOKS == 0:
                    yield ServerSentEventMessage(comment="alive")
                looks += 1
                await asyncio.sleep(_LOOK_EVERY_SECS)
        finally:
            self.followers -= 1
