"""A table read in pages: by due time and id, paused rows last."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from adapters.postgres.names import Names
from ports.jobs import StoreName

_SIZE = 500
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

JobRow = tuple[str, bytes, float | None]
"""Id, pickle and next run time."""


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page begins: after this due time and id; a time of None is among the paused rows."""

    time: float | None
    id: str


class JobPages:
    """Reads pages of one table."""

    def __init__(self, names: Names, store: StoreName) -> None:
        self._scheduled = names.sql(_SCHEDULED, store=store)
        self._paused = names.sql(_PAUSED, store=store)

    def first(self) -> Page:
        """Return where a listing begins."""
        return Page(float("-inf"), "")

    def reader(
        self,
        page: Page,
        paused: bool,  # noqa: FBT001  the one thing there is to say about a listing
    ) -> Callable[[Connection], tuple[Sequence[JobRow], Page | None]]:
        """Return the work that reads a page's rows and where the next begins, None after the last."""

        def read(connection: Connection) -> tuple[Sequence[JobRow], Page | None]:
            statement = self._paused if page.time is None else self._scheduled
            found = connection.exec_driver_sql(statement, {"time": page.time, "id": page.id, "size": _SIZE})
            rows = [(row_id, bytes(state), time) for row_id, state, time in found]
            if len(rows) == _SIZE:
                last_id, _, last_time = rows[-1]
                return rows, Page(last_time, last_id)
            return rows, Page(None, "") if paused and page.time is not None else None

        return read
