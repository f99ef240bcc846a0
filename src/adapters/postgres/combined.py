"""Calls that share a transaction: those that come while one is under way go together in the next.

A commit waits for the disk, and costs the same for one row as for fifty. So a call that comes alone is served at
once, as if there were nobody else, and many at a time wait for one another's commit instead of in a line. When
enough have come, a second transaction begins beside the first, unless that or the one before is known as slow: two
that wait for a lock leave reads without a thread. A rush that meets a lock does so once, until its time is up.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection

from adapters.postgres.database import Database, Lane
from ports.errors import StoreUnavailable

I = TypeVar("I")  # noqa: E741  an item
R = TypeVar("R")

_MOST_AT_ONCE = 64
_AT_WORK = 2  # transactions under way: the server is at one while this process is at the other's callers
_WORTH_ANOTHER = 4  # calls that have to wait before a second transaction begins
_QUICK_SECS = 0.25  # one that takes longer may wait for a lock, for which a second would only wait too
_MOST_WAITING = 1024


class Combined(Generic[I, R]):
    """Runs `work` for items, as many at once as have come, each call getting its own item's result or exception.

    `work` returns one result an item, in order; an exception among them is raised to that item's caller and
    concerns no other. It runs in one transaction, and is repeated as a whole after a conflict. Where it is but
    one statement, `single_statement` saves the round trips of beginning and committing.
    """

    def __init__(
        self,
        database: Database,
        work: Callable[[Connection, Sequence[I]], Sequence[R | Exception]],
        *,
        single_statement: bool = False,
    ) -> None:
        self._database = database
        self._run = database.run_statement if single_statement else database.run
        self._work = work
        self._waiting: list[_Call[I, R]] = []
        self._flushing: set[asyncio.Task[None] | None] = set()
        self._began = 0.0  # when the latest transaction did
        self._quick = True  # whether the one that ended last was

    async def __call__(self, item: I) -> R:
        """Return what became of `item`. Raises StoreUnavailable, and what `work` returned to be raised."""
        if len(self._waiting) >= _MOST_WAITING:
            raise StoreUnavailable("too many calls wait for the database", overloaded=True)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        now = loop.time()
        self._waiting.append(_Call(item, future, now + self._database.wait_secs))
        if not self._flushing or self._is_worth_another(now):
            self._began = now
            self._flushing.add(asyncio.create_task(self._flush()))
        return await future

    def _is_worth_another(self, now: float) -> bool:
        return (
            len(self._flushing) < _AT_WORK
            and len(self._waiting) >= _WORTH_ANOTHER
            and self._quick
            and now - self._began < _QUICK_SECS
        )

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting and (self._quick or len(self._flushing) == 1):
                batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
                now = self._began = loop.time()
                for call in batch:
                    if call.until < now:
                        call.fail(StoreUnavailable("no database connection became free in time", overloaded=True))
                if batch := [call for call in batch if not call.future.done()]:
                    await self._serve(batch)
                    self._quick = loop.time() - now < _QUICK_SECS
        finally:
            self._flushing.discard(asyncio.current_task())

    async def _serve(self, batch: "Sequence[_Call[I, R]]") -> None:
        items = [call.item for call in batch]
        try:
            results = await self._run(Lane.RPC, lambda connection: self._work(connection, items))
        except StoreUnavailable as error:
            for call in batch:  # each with an exception of its own, since raising one leaves traces in it
                call.fail(StoreUnavailable(str(error), overloaded=error.overloaded))
        except Exception as error:  # noqa: BLE001  whatever it is, it is the caller's whose item it was
            if len(batch) == 1:
                batch[0].fail(error)
                return
            for call in batch:
                await self._serve([call])
        else:
            for call, result in zip(batch, results, strict=True):
                call.answer(result)


@dataclass(slots=True)
class _Call(Generic[I, R]):
    """One call that waits, and until when (seconds of the loop) it may have to for its turn."""

    item: I
    future: asyncio.Future[R]
    until: float

    def answer(self, result: R | Exception) -> None:
        """Hand over what came of it, unless nobody waits any more."""
        if isinstance(result, Exception):
            self.fail(result)
        elif not self.future.done():
            self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        """Raise `error` to the caller, unless nobody waits any more."""
        if not self.future.done():
            self.future.set_exception(error)
