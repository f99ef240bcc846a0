"""Wake-ups through LISTEN and NOTIFY, over a connection of their own beside the pool."""

import asyncio
import logging
import os
import select
import threading
from typing import Any

import psycopg2
from sqlalchemy import NullPool
from sqlalchemy.exc import SQLAlchemyError

from adapters.postgres.connections import channel, new_engine

logger = logging.getLogger(__name__)

_FIRST_BACKOFF_SECS = 0.1
_LONGEST_BACKOFF_SECS = 5.0


class PostgresWakeUps:
    """Listens in a thread from `open` to `close`, and connects again by itself when cut off."""

    def __init__(self, url: str, *, schema: str) -> None:
        self._engine = new_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._listen_statement = f"LISTEN {channel(schema)}"
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = threading.Event()
        self._ended, self._ender = os.pipe()
        self._thread = threading.Thread(target=self._listen_on, name="database-listen", daemon=True)
        self.listening = threading.Event()

    async def open(self) -> None:
        """Start to listen."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def aclose(self) -> None:
        """Stop listening and close the connection."""
        self._closing.set()
        os.close(self._ender)
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join)
        os.close(self._ended)

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109  the port's own signature
        """Return True as soon as somebody woke us, False after `timeout` seconds."""
        if not self._woken.is_set():
            try:
                await asyncio.wait_for(self._woken.wait(), timeout)
            except TimeoutError:
                return False
        self._woken.clear()
        return True

    def wake(self) -> None:
        """Wake the waiter, from any thread."""
        if self._loop is None:
            self._woken.set()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    def _listen_on(self) -> None:
        backoff = _FIRST_BACKOFF_SECS
        while not self._closing.is_set():
            try:
                self._listen()
            except (SQLAlchemyError, psycopg2.Error) as error:
                if self.listening.is_set():
                    backoff = _FIRST_BACKOFF_SECS
                self.listening.clear()
                logger.debug("not listening for wake-ups: %s", type(error).__name__)
                self._closing.wait(backoff)
                backoff = min(2 * backoff, _LONGEST_BACKOFF_SECS)

    def _listen(self) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(self._listen_statement)
            raw: Any = connection.connection.dbapi_connection
            self.listening.set()
            self.wake()  # something may have been stored while nobody listened
            while not self._closing.is_set():
                select.select([raw, self._ended], [], [])
                raw.poll()
                if raw.notifies:
                    raw.notifies.clear()
                    self.wake()
