"""Calls that share a transaction: those that come while one is under way go together in the next.

A commit waits for the disk, and costs the same for one row as for fifty. So a call that comes alone is served at
once, as if there were nobody else, and many at a time wait for one another's commit instead of in a line.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy import Connection

from adapters.postgres.database import Database, Lane
from ports.errors import StoreUnavailable

I = TypeVar("I")  # noqa: E741  an item
R = TypeVar("R")

_MOST_AT_ONCE = 64
_MOST_WAITING = 1024


class Combined(Generic[I, R]):
    """Runs `work` for items, as many at once as have come, each call getting its own item's result or exception.

    `work` returns one result an item, in order; an exception among them is raised to that item's caller and
    concerns no other. It runs in one transaction, and is repeated as a whole after a conflict.
    """

    def __init__(
        self, database: Database, work: Callable[[Connection, Sequence[I]], Sequence[R | Exception]]
    ) -> None:
        self._database = database
        self._work = work
        self._waiting: list[tuple[I, asyncio.Future[R]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def __call__(self, item: I) -> R:
        """Return what became of `item`. Raises StoreUnavailable, and what `work` returned to be raised."""
        if len(self._waiting) >= _MOST_WAITING:
            raise StoreUnavailable("too many calls wait for the database", overloaded=True)
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return await future

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
                batch = [(item, future) for item, future in batch if not future.cancelled()]
                if batch:
                    await self._serve(batch)
        finally:
            self._flushing = None

    async def _serve(self, batch: Sequence[tuple[I, asyncio.Future[R]]]) -> None:
        items = [item for item, _ in batch]
        results: Sequence[R | Exception]
        try:
            results = await self._database.run(Lane.RPC, lambda connection: self._work(connection, items))
        except Exception as error:  # noqa: BLE001  whatever it is, it is every caller's, and nobody else looks at it
            results = [error] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            if future.cancelled():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
