"""Lists of jobs: all along the order's own index, those of a user or a graph through the index beside the table."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from math import inf, nan, nextafter
from typing import Any, TypeVar

from sqlalchemy import Connection

from adapters.apscheduler.job_state import decode
from adapters.postgres.database import Database, Lane
from adapters.postgres.job_index import INDEXED, MATCHES, KnownTriggers, job_of
from adapters.postgres.job_rows import timestamp
from adapters.postgres.literals import array
from adapters.postgres.names import hash_key
from ports.jobs import Job, Position, StoreName, UnreadableRow

_PAGE = 500
_MANY = 50_000  # ids that are read at once
_T = TypeVar("_T")
# Ids are compared by code point, as Python does, whatever the database's own collation.
_SCHEDULED = """
    FROM {jobs} WHERE next_run_time >= %(time)s AND (next_run_time > %(time)s OR id COLLATE "C" > %(id)s)
    ORDER BY next_run_time, id COLLATE "C" LIMIT %(size)s
"""
_PAUSED = """
    FROM {jobs} WHERE next_run_time IS NULL AND id COLLATE "C" > %(id)s ORDER BY id COLLATE "C" LIMIT %(size)s
"""
# Rows that somebody else wrote and the index has not looked at yet count as if they matched: who reads the list
# looks at every job again.
_MATCHING = """
    FROM {jobs} WHERE id = ANY (ARRAY(
        SELECT job_id FROM {index}
        WHERE (%(user)s::bigint IS NULL OR user_key = %(user)s)
            AND (%(graph)s::bigint IS NULL OR graph_key = %(graph)s)
        UNION SELECT job_id FROM {marks}
    )) AND (next_run_time IS NOT NULL OR %(paused)s) AND (
        next_run_time > %(time)s OR (next_run_time = %(time)s AND id COLLATE "C" > %(id)s)
        OR (next_run_time IS NULL AND (%(time)s::float8 IS NOT NULL OR id COLLATE "C" > %(id)s))
    ) ORDER BY next_run_time NULLS LAST, id COLLATE "C"
"""
_DUE_TOGETHER = """
    SELECT id FROM {jobs}
    WHERE CASE WHEN %(time)s::float8 IS NULL THEN next_run_time IS NULL ELSE next_run_time = %(time)s END
        AND id COLLATE "C" > %(id)s ORDER BY id COLLATE "C" LIMIT %(size)s
"""
_BY_ID = "FROM {jobs} WHERE id = ANY (%(ids)s::text[])"
# The pickle is sent only of rows that the index does not describe.
_ROWS = f"""
    WITH j AS MATERIALIZED (SELECT id, next_run_time, job_state {{selected}})
    SELECT j.id, j.next_run_time, e.kind, e.name, e.options, e.payload, e.trigger_key,
        CASE WHEN e.trigger_key IS NULL THEN j.job_state END
    FROM j LEFT JOIN LATERAL (
        SELECT x.kind, x.name, x.options, x.payload, x.trigger_key::text FROM {{index}} AS x
        WHERE x.job_id = j.id AND x.payload IS NOT NULL AND {MATCHES}
    ) AS e ON true
    ORDER BY j.next_run_time NULLS LAST, j.id COLLATE "C"
"""  # noqa: S608  texts of ours
_UNINDEXED_ROWS = """
    SELECT id, next_run_time, NULL, NULL, NULL, NULL, NULL, job_state {selected}
"""
_STATES = "SELECT id, next_run_time, job_state FROM {jobs} WHERE id = ANY (%(ids)s::text[])"


@dataclass(frozen=True, slots=True)
class _Rows:
    """A page: its jobs, how many rows it has, when the first is due, and the due time and id of the last."""

    jobs: Sequence[Job | UnreadableRow]
    count: int
    first_time: float | None
    last: tuple[float | None, str]


class JobListing:
    """Reads one table in pages, so that a slow reader holds no connection and a long list no memory."""

    def __init__(self, database: Database, store: StoreName) -> None:
        self._database = database
        self._has_index = store is INDEXED
        self._complete = False
        self._triggers = KnownTriggers(database.names)
        names = database.names
        rows = _ROWS if self._has_index else _UNINDEXED_ROWS
        self._scheduled, self._paused, self._first, self._by_id = (
            names.sql(rows.replace("{selected}", text), store=store)
            for text in (_SCHEDULED, _PAUSED, f"{_MATCHING} LIMIT %(size)s", _BY_ID)
        )
        self._ids = names.sql(f"SELECT id {_MATCHING}", store=store)
        self._due_together, self._states = (names.sql(text, store=store) for text in (_DUE_TOGETHER, _STATES))
        self._is_complete = names.sql("SELECT complete FROM {index_state}")

    async def pages(
        self,
        *,
        user_id: str | None = None,
        graph_id: str | None = None,
        paused: bool,
        after: Position | None,
        limit: int | None = None,
    ) -> AsyncGenerator[Sequence[Job | UnreadableRow], None]:
        """Yield pages of jobs in order, among them every one that matches; others may be, too.

        `limit` is how many the reader wants: no page is longer.
        """
        size = _PAGE if limit is None else min(limit, _PAGE)
        start = (float("-inf"), "") if after is None else (timestamp(after.next_run_at), after.id)
        if (user_id is None and graph_id is None) or not await self._index_is_complete():
            pages = self._all(start, paused=paused, size=size)
        else:
            pages = self._matching(start, _keys(user_id, graph_id), paused=paused, size=size, whole=limit is None)
        async with aclosing(_read_ahead(pages) if limit is None else pages) as read:
            async for page in read:
                yield page

    async def _index_is_complete(self) -> bool:
        """Whether the index has looked at every row once (`index_keeper.py`); then it stays so."""
        if self._has_index and not self._complete:
            self._complete = await self._database.run_statement(
                Lane.RPC, lambda connection: connection.exec_driver_sql(self._is_complete).scalar() is True
            )
        return self._complete

    async def _all(
        self, start: tuple[float | None, str], *, paused: bool, size: int
    ) -> AsyncGenerator[Sequence[Job | UnreadableRow], None]:
        time, last_id = start
        while True:
            statement = self._paused if time is None else self._scheduled
            rows = await self._rows(statement, {"time": time, "id": last_id, "size": size})
            yield rows.jobs
            if rows.count == size:
                time, last_id = rows.last
                if size == _PAGE and rows.first_time == time:
                    # Very many are due at once, and finding each page of them would sort them all again.
                    async for jobs in self._due_at(time, last_id):
                        yield jobs
                    if time is None:
                        return
                    time, last_id = (nextafter(time, inf) if time < inf else nan), ""  # which PostgreSQL sorts last
            elif paused and time is not None:
                time, last_id = None, ""
            else:
                return

    async def _due_at(
        self, time: float | None, last_id: str
    ) -> AsyncGenerator[Sequence[Job | UnreadableRow], None]:
        """Yield pages of the rest of those that are due at one time, or paused."""
        ids = [last_id] * _MANY
        while len(ids) == _MANY:
            ids = await self._read_ids(self._due_together, {"time": time, "id": ids[-1], "size": _MANY})
            async for jobs in self._by_ids(ids):
                yield jobs

    async def _by_ids(self, ids: Sequence[str]) -> AsyncGenerator[Sequence[Job | UnreadableRow], None]:
        for begin in range(0, len(ids), _PAGE):
            page = ids[begin : begin + _PAGE]
            found = {job.id: job for job in (await self._rows(self._by_id, {"ids": array(page)})).jobs}
            yield [found[row_id] for row_id in page if row_id in found]

    async def _matching(
        self, start: tuple[float | None, str], keys: dict[str, int | None], *, paused: bool, size: int, whole: bool
    ) -> AsyncGenerator[Sequence[Job | UnreadableRow], None]:
        time, last_id = start
        parameters = {**keys, "paused": paused, "time": time, "id": last_id, "size": size}
        rows = await self._rows(self._first, parameters)
        yield rows.jobs
        while rows.count == size and not whole:
            time, last_id = rows.last
            rows = await self._rows(self._first, parameters | {"time": time, "id": last_id})
            yield rows.jobs
        if rows.count < size:
            return
        # Longer than most lists are: the ids of the rest at once, since to find them costs as much each time.
        time, last_id = rows.last
        rest = await self._read_ids(self._ids, parameters | {"time": time, "id": last_id})
        async for jobs in self._by_ids(rest):
            yield jobs

    async def _rows(self, statement: str, parameters: dict[str, Any]) -> "_Rows":
        def read(connection: Connection) -> _Rows:
            found = connection.exec_driver_sql(statement, parameters).all()
            if self._has_index:
                self._triggers.learn(connection, ((row[0], row[6]) for row in found if row[6] is not None))
            jobs = list(map(self._job, found))
            stateless = [row[0] for row, job in zip(found, jobs, strict=True) if job is None]
            if stateless:
                states = connection.exec_driver_sql(self._states, {"ids": array(stateless)})
                decoded = {row_id: decode(row_id, bytes(state), time) for row_id, time, state in states}
                jobs = [decoded.get(row[0]) if job is None else job for row, job in zip(found, jobs, strict=True)]
            last = (found[-1][1], found[-1][0]) if found else (None, "")
            first_time = found[0][1] if found else None
            return _Rows([job for job in jobs if job is not None], len(found), first_time, last)

        return await self._database.run_statement(Lane.RPC, read)

    def _job(self, row: Sequence[Any]) -> Job | UnreadableRow | None:
        """Return what a row holds, None where its entry does not tell."""
        row_id, time, kind, name, options, payload, key, state = row
        if key is None:
            return decode(row_id, bytes(state), time)
        trigger = self._triggers.get(key)
        return None if trigger is None else job_of(row_id, time, (kind, name, options, bytes(payload)), trigger)

    async def _read_ids(self, statement: str, parameters: dict[str, Any]) -> list[str]:
        def read(connection: Connection) -> list[str]:
            return list(connection.exec_driver_sql(statement, parameters).scalars())

        return await self._database.run_statement(Lane.RPC, read)


async def _read_ahead(pages: AsyncGenerator[_T, None]) -> AsyncGenerator[_T, None]:
    """Yield what `pages` does; while the reader is at one page, the next is read already."""

    async def next_page() -> _T | None:
        return await anext(pages, None)

    reading = asyncio.create_task(next_page())
    try:
        while (page := await reading) is not None:
            reading = asyncio.create_task(next_page())
            await asyncio.sleep(0)  # for a reader that never waits keeps the task from its start
            yield page
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await pages.aclose()


def _keys(user_id: str | None, graph_id: str | None) -> dict[str, int | None]:
    return {
        "user": None if user_id is None else hash_key(user_id),
        "graph": None if graph_id is None else hash_key(graph_id),
    }
