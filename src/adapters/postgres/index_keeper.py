"""Keeps the index beside `apscheduler_jobs` right about rows that somebody else wrote.

Three ways lead there. A trigger marks each such row as it is written; marks are worked off every second, and until
then lists take marked rows into account by themselves. At the first start on an existing table every row is looked
at once (the backfill), page by page, by one replica at a time, and gone on with after a restart. And every hour all
rows are looked at again, for what no trigger sees: a restore with triggers off, a hand in our tables.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import Connection

from adapters.apscheduler.job_state import decode_to_patch
from adapters.postgres.database import Database, Lane
from adapters.postgres.job_index import FORGET, INDEXED, MATCHES, JobEntry, entry_of, store_entries
from adapters.postgres.literals import array
from ports.errors import StoreUnavailable
from ports.jobs import UnreadableRow

logger = logging.getLogger(__name__)

_PAGE = 1000
_MARKS = 500
_MARKS_EVERY_SECS = 1.0
_LONG_BACKOFF_SECS = 30.0
_PROGRESS_EVERY_ROWS = 50_000
_BACKOFF_SECS = 2.0

# The rows are locked against writers until their entries are there, so that no entry is older than its row.
_CHANGED = f"""
    SELECT j.id, j.job_state, j.next_run_time FROM {{jobs}} AS j
    WHERE j.id > %(after)s AND j.id <= %(until)s
        AND NOT EXISTS (SELECT FROM {{index}} AS x WHERE x.job_id = j.id AND {MATCHES})
    FOR SHARE OF j
"""  # noqa: S608  texts of ours
_PAGE_END = (
    "SELECT max(id), count(*) FROM (SELECT id FROM {jobs} WHERE id > %(after)s ORDER BY id LIMIT %(size)s) AS p"
)
_ORPHANS = """
    DELETE FROM {index} AS x WHERE x.job_id > %(after)s AND (%(until)s::text IS NULL OR x.job_id <= %(until)s)
        AND NOT EXISTS (SELECT FROM {jobs} AS j WHERE j.id = x.job_id) RETURNING x.job_id
"""
_TAKE_MARKS = """
    DELETE FROM {marks} WHERE id = ANY (ARRAY(
        SELECT id FROM {marks} ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )) RETURNING job_id
"""
_MARKED = "SELECT id, job_state, next_run_time FROM {jobs} WHERE id = ANY (%(ids)s::text[]) FOR SHARE"
# In order, so that two replicas do not wait for each other, and before any entry, as claims do.
_LOCK = "SELECT FROM {jobs} WHERE id = ANY (%(ids)s::text[]) ORDER BY id FOR SHARE"
_STATE = "SELECT position, complete FROM {index_state}"
# One replica at a time; the others find it held and look again later.
_STATE_LOCKED = _STATE + " FOR UPDATE SKIP LOCKED"
_SWEEP = """
    UPDATE {index_state} SET swept_at = now()
    WHERE complete AND (
        coalesce(swept_at, '-infinity') < now() - interval '1 hour'
        OR swept_at < now() - interval '1 minute'
            AND NOT EXISTS (SELECT FROM {index}) AND EXISTS (SELECT FROM {jobs})
    ) RETURNING true
"""
_SAVE = "UPDATE {index_state} SET position = %(position)s, complete = %(complete)s, swept_at = now()"


class Backfill(StrEnum):
    """How far the first look at all rows has come."""

    UNKNOWN = "unknown"
    RUNNING = "running"
    COMPLETE = "complete"


class IndexKeeper:
    """Works until cancelled. `backfill` says how far it is, `looked_at` how many rows this process looked at."""

    def __init__(self, database: Database) -> None:
        self._database = database
        names = database.names
        self._statements = {
            name: names.sql(text, store=INDEXED)
            for name, text in {
                "changed": _CHANGED,
                "page_end": _PAGE_END,
                "orphans": _ORPHANS,
                "take_marks": _TAKE_MARKS,
                "marked": _MARKED,
                "lock": _LOCK,
                "forget": FORGET,
                "state": _STATE,
                "state_locked": _STATE_LOCKED,
                "sweep": _SWEEP,
                "save": _SAVE,
            }.items()
        }
        self.backfill = Backfill.UNKNOWN
        self.looked_at = 0

    async def run(self) -> None:
        """Keep the index for as long as the service runs; a database that is away is waited for."""
        while True:
            try:
                if self.backfill is not Backfill.COMPLETE:
                    await self.backfill_all()
                while await self.work_off_marks() >= _MARKS:
                    pass
                if await self._database.run_statement(Lane.RPC, self._begins_sweep):
                    await self.look_at_all()
            except StoreUnavailable as error:
                logger.debug("the index waits for the database: %s", error)
                await asyncio.sleep(_BACKOFF_SECS)
            except Exception:
                # Process boundary: lists are right without the index, so it is no reason to stop the service.
                logger.exception("the index of schedules is not kept")
                await asyncio.sleep(_LONG_BACKOFF_SECS)
            await asyncio.sleep(_MARKS_EVERY_SECS)

    def _begins_sweep(self, connection: Connection) -> bool:
        """Whether all rows are to be looked at again: after an hour, or since somebody emptied the index."""
        return self._execute(connection, "sweep").first() is not None

    async def backfill_all(self) -> None:
        """Go on with the first look at all rows, to its end unless another replica is at it.

        Raises StoreUnavailable.
        """
        position: str | None = None
        while self.backfill is not Backfill.COMPLETE:
            found = await self._database.run(Lane.RPC, self._backfill_page)
            if found == position:
                return  # somebody else has it
            position = found
        logger.info("index of schedules complete", extra={"rows": self.looked_at})

    async def look_at_all(self) -> None:
        """Look at every row again, and drop the entries of rows that are gone. Raises StoreUnavailable."""
        after, more = "", True
        while more:
            after, more = await self._database.run(Lane.RPC, partial(self._look_at_page, after=after))
            await asyncio.sleep(0)

    async def work_off_marks(self) -> int:
        """Look at rows that others wrote; return how many marks there were. Raises StoreUnavailable."""
        return await self._database.run(Lane.RPC, self._work_off_marks)

    def _execute(self, connection: Connection, statement: str, **parameters: Any) -> Any:
        return connection.exec_driver_sql(self._statements[statement], parameters)

    def _backfill_page(self, connection: Connection) -> str | None:
        """Look at the next page; return where it ended, None where another replica is at it."""
        state = self._execute(connection, "state_locked").first()
        if state is None:
            state = self._execute(connection, "state").first()
            if state is not None and state[1]:
                self.backfill = Backfill.COMPLETE
            return None
        position, complete = state
        if complete:
            self.backfill = Backfill.COMPLETE
            return str(position)
        self.backfill = Backfill.RUNNING
        before = self.looked_at
        end, more = self._look_at_page(connection, after=position)
        self._execute(connection, "save", position=end, complete=not more)
        if before // _PROGRESS_EVERY_ROWS != self.looked_at // _PROGRESS_EVERY_ROWS:
            logger.info("building the index of schedules", extra={"rows": self.looked_at})
        if not more:
            self.backfill = Backfill.COMPLETE
        return end

    def _look_at_page(self, connection: Connection, *, after: str) -> tuple[str, bool]:
        """Look at the rows behind `after`; return the last one's id and whether there may be more."""
        until, count = self._execute(connection, "page_end", after=after, size=_PAGE).one()
        more = count == _PAGE
        if count:
            changed = self._execute(connection, "changed", after=after, until=until).all()
            store_entries(connection, self._database.names, _entries(changed))
        gone = self._execute(connection, "orphans", after=after, until=until if more else None).scalars().all()
        self._look_at(connection, gone)  # for one may have been added again while the deletion waited for it
        self.looked_at += count
        return until if count else after, more

    def _work_off_marks(self, connection: Connection) -> int:
        marked: Sequence[str] = self._execute(connection, "take_marks", limit=_MARKS).scalars().all()
        if marked:
            self._execute(connection, "lock", ids=array(set(marked)))
            # Forgotten before they are looked at, so that no entry is deleted that came after the look.
            self._execute(connection, "forget", ids=array(set(marked)))
            self._look_at(connection, marked)
        return len(marked)

    def _look_at(self, connection: Connection, ids: Sequence[str]) -> None:
        """Store the entries of rows, if they are there."""
        if ids:
            rows = self._execute(connection, "marked", ids=array(set(ids))).all()
            store_entries(connection, self._database.names, _entries(rows))


def _entries(rows: Iterable[Sequence[Any]]) -> list[JobEntry]:
    """Return the entries of those rows that can be read; the others have none."""
    entries = []
    for row_id, job_state, next_run_time in rows:
        state = bytes(job_state)
        found = decode_to_patch(row_id, state, next_run_time)
        if not isinstance(found, UnreadableRow):
            job, offset = found
            # What can't be written as an entry is decoded by claims, which say why it does not fire.
            with suppress(ValueError, TypeError, RecursionError, OverflowError):
                entries.append(entry_of(job, state, offset=offset))
    return entries
