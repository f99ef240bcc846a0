"""Lists of jobs: all along the order's own index, those of a user or a graph through the index beside the table."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from sqlalchemy import Connection

from adapters.postgres.database import Database, Lane
from adapters.postgres.job_index import INDEXED
from adapters.postgres.job_rows import timestamp
from adapters.postgres.literals import array
from adapters.postgres.names import hash_key
from ports.jobs import Position, StoreName

JobRow = tuple[str, bytes, float | None]
"""Id, pickle and next run time."""

_PAGE = 500
# Ids are compared by code point, as Python does, whatever the database's own collation.
_SCHEDULED = """
    SELECT id, job_state, next_run_time FROM {jobs}
    WHERE next_run_time >= %(time)s AND (next_run_time > %(time)s OR id COLLATE "C" > %(id)s)
    ORDER BY next_run_time, id COLLATE "C" LIMIT %(size)s
"""
_PAUSED = """
    SELECT id, job_state, next_run_time FROM {jobs} WHERE next_run_time IS NULL AND id COLLATE "C" > %(id)s
    ORDER BY id COLLATE "C" LIMIT %(size)s
"""
# Rows that somebody else wrote and the index has not looked at yet count as if they matched: who reads the list
# decodes every row and looks again.
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
_FIRST = f"SELECT id, job_state, next_run_time {_MATCHING} LIMIT %(size)s"
_IDS = f"SELECT id {_MATCHING}"
_BY_ID = "SELECT id, job_state, next_run_time FROM {jobs} WHERE id = ANY (%(ids)s::text[])"


class JobListing:
    """Reads one table in pages, so that a slow reader holds no connection and a long list no memory."""

    def __init__(self, database: Database, store: StoreName) -> None:
        self._database = database
        self._has_index = store is INDEXED
        self._complete = False
        names = database.names
        self._scheduled, self._paused, self._first, self._ids, self._by_id = (
            names.sql(text, store=store) for text in (_SCHEDULED, _PAUSED, _FIRST, _IDS, _BY_ID)
        )
        self._is_complete = names.sql("SELECT complete FROM {index_state}")

    async def pages(
        self,
        *,
        user_id: str | None = None,
        graph_id: str | None = None,
        paused: bool,
        after: Position | None,
        limit: int | None = None,
    ) -> AsyncGenerator[Sequence[JobRow], None]:
        """Yield pages of rows in order, among them every row that matches; others may be, too.

        `limit` is how many the reader wants: no page is longer.
        """
        size = _PAGE if limit is None else min(limit, _PAGE)
        start = (float("-inf"), "") if after is None else (timestamp(after.next_run_at), after.id)
        if (user_id is None and graph_id is None) or not await self._index_is_complete():
            pages = self._all(start, paused=paused, size=size)
        else:
            pages = self._matching(start, _keys(user_id, graph_id), paused=paused, size=size)
        async for page in pages:
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
    ) -> AsyncGenerator[Sequence[JobRow], None]:
        time, last_id = start
        while True:
            statement = self._paused if time is None else self._scheduled
            rows = await self._rows(statement, {"time": time, "id": last_id, "size": size})
            yield rows
            if len(rows) == size:
                last_id, _, time = rows[-1]
            elif paused and time is not None:
                time, last_id = None, ""
            else:
                return

    async def _matching(
        self, start: tuple[float | None, str], keys: dict[str, int | None], *, paused: bool, size: int
    ) -> AsyncGenerator[Sequence[JobRow], None]:
        time, last_id = start
        parameters = {**keys, "paused": paused, "time": time, "id": last_id, "size": size}
        rows = await self._rows(self._first, parameters)
        yield rows
        if len(rows) < size:
            return
        # Longer than most lists are: the ids of the rest at once, since to find them costs as much each time.
        last_id, _, time = rows[-1]
        rest = await self._read_ids(parameters | {"time": time, "id": last_id})
        for begin in range(0, len(rest), _PAGE):
            ids = rest[begin : begin + _PAGE]
            found = {row[0]: row for row in await self._rows(self._by_id, {"ids": array(ids)})}
            yield [found[row_id] for row_id in ids if row_id in found]

    async def _rows(self, statement: str, parameters: dict[str, Any]) -> list[JobRow]:
        def read(connection: Connection) -> list[JobRow]:
            found = connection.exec_driver_sql(statement, parameters)
            return [(row_id, bytes(state), time) for row_id, state, time in found]

        return await self._database.run_statement(Lane.RPC, read)

    async def _read_ids(self, parameters: dict[str, Any]) -> list[str]:
        def read(connection: Connection) -> list[str]:
            return list(connection.exec_driver_sql(self._ids, parameters).scalars())

        return await self._database.run_statement(Lane.RPC, read)


def _keys(user_id: str | None, graph_id: str | None) -> dict[str, int | None]:
    return {
        "user": None if user_id is None else hash_key(user_id),
        "graph": None if graph_id is None else hash_key(graph_id),
    }
