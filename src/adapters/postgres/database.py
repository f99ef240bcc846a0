"""The one way to the database: a pool of connections, and two lanes of threads that share it."""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from typing import Any, TypeVar

import psycopg2
from sqlalchemy import Connection, QueuePool

from adapters.postgres.connections import channel, new_engine
from adapters.postgres.failures import DATABASE_ERRORS, is_conflict, may_be_shown, unavailable
from adapters.postgres.names import Names
from ports.errors import StoreUnavailable

T = TypeVar("T")
_TRIES = 5
_LONGEST_REPEAT_PAUSE_SECS = 0.02


class Lane(StrEnum):
    """Who is asking. A lane has fewer threads than the pool has connections, if it has more than one."""

    RPC = "rpc"
    ENGINE = "engine"


class Database:
    """Runs pieces of work on pooled connections, in threads, since psycopg2 blocks.

    At most `pool_size` connections are ever open. A call that waits for a connection longer than `wait_secs`, or
    finds `max_waiting` others before it, raises StoreUnavailable and has changed nothing.
    The server ends a transaction that stands still for `idle_secs`: a replica that was paused in the middle of a
    claim must not keep its rows from the others for longer than its lease.
    """

    def __init__(
        self,
        url: str,
        *,
        schema: str = "public",
        pool_size: int = 3,
        wait_secs: float = 5.0,
        idle_secs: float = 15.0,
        max_waiting: int = 512,
    ) -> None:
        self.url = url
        self.schema = schema
        self.names = Names(schema)
        self.channel = channel(schema)
        self.engine = new_engine(
            url, idle_secs=idle_secs, pool_size=pool_size, max_overflow=0, pool_timeout=wait_secs
        )
        self.wait_secs = wait_secs
        self.idle_secs = idle_secs
        self._max_waiting = max_waiting
        self._waiting = dict.fromkeys(Lane, 0)
        threads = max(1, pool_size - 1)
        self._lanes = {lane: ThreadPoolExecutor(threads, thread_name_prefix=f"database-{lane}") for lane in Lane}

    @property
    def in_use(self) -> int:
        """How many of the pool's connections are at work."""
        pool = self.engine.pool
        assert isinstance(pool, QueuePool)
        return pool.checkedout()

    async def run(self, lane: Lane, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and return its result, committed.

        `work` is repeated as a whole after a serialization failure or a deadlock, so it must keep nothing outside.
        Raises StoreUnavailable; what `work` itself raises comes out after a rollback.
        """
        return await self._call(lane, lambda turn: self._repeat(turn, _committing, work))

    async def run_statement(self, lane: Lane, work: Callable[[Connection], T]) -> T:
        """Run `work`, each of whose statements is a transaction of its own: one of them, or some that only read.

        Saves two round trips.
        """
        return await self._call(lane, lambda turn: self._repeat(turn, _autocommitting, work))

    async def aclose(self) -> None:
        """Let what runs finish, then close every connection."""
        for executor in self._lanes.values():
            await asyncio.to_thread(executor.shutdown)
        await asyncio.to_thread(self.engine.dispose)

    async def _call(self, lane: Lane, work: "Callable[[_Turn], T]") -> T:
        if self._waiting[lane] >= self._max_waiting:
            raise StoreUnavailable("too many calls wait for the database", overloaded=True)
        turn = _Turn()
        future = asyncio.get_running_loop().run_in_executor(self._lanes[lane], work, turn)
        future.add_done_callback(_forget)
        self._waiting[lane] += 1
        try:
            done, _ = await asyncio.wait({future}, timeout=self.wait_secs)
        except asyncio.CancelledError:
            turn.give_up()
            raise
        finally:
            self._waiting[lane] -= 1
        if not done and turn.give_up():
            raise StoreUnavailable("no database connection became free in time", overloaded=True)
        return await future

    def _repeat(self, turn: "_Turn", mode: "_Mode", work: Callable[[Connection], T]) -> T:
        for last in (tries == _TRIES for tries in range(1, _TRIES + 1)):
            try:
                with self.engine.connect() as connection, mode(connection):
                    turn.begin()
                    return work(connection)
            except DATABASE_ERRORS as error:
                if is_conflict(error) and not last:
                    time.sleep(random.uniform(0, _LONGEST_REPEAT_PAUSE_SECS))  # noqa: S311  spread, not secrecy
                    continue
                translated = unavailable(error)
                if translated is None:
                    raise
                raise translated from (error if may_be_shown(error) else None)
        raise AssertionError  # the last try returns or raises


_Mode = Callable[[Connection], AbstractContextManager[None]]


@contextmanager
def _committing(connection: Connection) -> Iterator[None]:
    yield
    connection.commit()


@contextmanager
def _autocommitting(connection: Connection) -> Iterator[None]:
    """Switch psycopg2 itself, which asks the server nothing.

    SQLAlchemy's isolation level AUTOCOMMIT does, when it switches back; where the server has gone meanwhile that
    fails in the middle of giving the connection back, and the pool is one connection smaller for good.
    """
    raw: Any = connection.connection.dbapi_connection
    raw.autocommit = True
    try:
        yield
    finally:
        try:
            raw.autocommit = False
        except psycopg2.Error:
            connection.invalidate()


class _GivenUpError(Exception):
    """Nobody waits for this call any more."""


class _Turn:
    """Settles between a caller and a thread whether a call has begun or was given up: never both."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun = False
        self._given_up = False

    def begin(self) -> None:
        """Begin, or raise _GivenUpError."""
        with self._lock:
            if self._given_up:
                raise _GivenUpError
            self._begun = True

    def give_up(self) -> bool:
        """Give up unless the call has begun; say whether that worked."""
        with self._lock:
            self._given_up = not self._begun
            return self._given_up


def _forget(future: "asyncio.Future[T]") -> None:
    """Look at an error that nobody may wait for any more, so that asyncio doesn't complain."""
    if not future.cancelled():
        future.exception()
