"""Rows of APScheduler's tables: read and written by id, under a lock or without."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from apscheduler.util import datetime_to_utc_timestamp
from sqlalchemy import Connection

from adapters.apscheduler.job_state import decode, encode, written_offset
from adapters.postgres.job_index import INDEXED, STORE, entry_of
from adapters.postgres.names import Names, storable
from ports.jobs import Job, StoreName, UnreadableRow

# The statements below end in this; `entry` stands for a piece of work that is done even though nobody asks for it.
_NOTIFY_IF_SOON = """
    SELECT CASE WHEN next_run_time <= extract(epoch FROM clock_timestamp()) + %(notify_within)s
        THEN pg_notify(%(channel)s, '') END
    FROM stored
"""
_INSERT = """
    INSERT INTO {jobs} (id, next_run_time, job_state)
    VALUES (%(id)s, %(next_run_time)s, %(job_state)s) ON CONFLICT (id) DO NOTHING RETURNING id, next_run_time
"""
_UPDATE = """
    UPDATE {jobs} SET next_run_time = %(next_run_time)s, job_state = %(job_state)s
    WHERE id = %(id)s RETURNING id, next_run_time
"""
_DELETE = "DELETE FROM {jobs} WHERE id = %(id)s"
_SELECT = "SELECT id, job_state, next_run_time FROM {jobs} WHERE id = %(id)s"


class JobRows:
    """The statements on one of the tables. Reading takes unreadable rows for none.

    A row due within `notify_within_secs` notifies `channel` as it is written; NOTIFY makes commits wait for each
    other, and for later ones a replica's own poll is soon enough.
    """

    def __init__(self, names: Names, store: StoreName, *, channel: str, notify_within_secs: float) -> None:
        self._indexed = store is INDEXED
        stored, deleted = "WITH stored AS ({})", "{}"
        if self._indexed:
            stored = f"WITH stored AS ({{}}), entry AS ({STORE})"
            deleted = "WITH entry AS (DELETE FROM {index} WHERE job_id = %(id)s) {}"
        self._insert, self._update = (
            names.sql(stored.replace("{}", text) + _NOTIFY_IF_SOON, store=store) for text in (_INSERT, _UPDATE)
        )
        self._delete = names.sql(deleted.replace("{}", _DELETE), store=store)
        self._select = names.sql(_SELECT, store=store)
        self._wake = {"channel": channel, "notify_within": notify_within_secs}

    def insert(self, connection: Connection, job: Job) -> bool:
        """Insert `job`; False when its id is taken. A single statement."""
        return connection.exec_driver_sql(self._insert, self._parameters(job)).first() is not None

    def update(self, connection: Connection, job: Job) -> bool:
        """Overwrite the row of `job`; False when there is none."""
        return connection.exec_driver_sql(self._update, self._parameters(job)).first() is not None

    def delete(self, connection: Connection, job_id: str) -> None:
        """Delete a row."""
        connection.exec_driver_sql(self._delete, {"id": job_id})

    def read(self, connection: Connection, job_id: str, *, lock: bool = False) -> Job | UnreadableRow | None:
        """Return what is in a row, locked until the transaction ends where `lock`; None when there is none."""
        if not storable(job_id):
            return None
        statement = f"{self._select} FOR UPDATE" if lock else self._select
        row = connection.exec_driver_sql(statement, {"id": job_id}).first()
        return None if row is None else decode(row[0], bytes(row[1]), row[2])

    def _parameters(self, job: Job) -> Mapping[str, Any]:
        job_state = encode(job)
        entry = entry_of(job, job_state, offset=written_offset(job_state)).parameters() if self._indexed else {}
        return {
            "id": job.id,
            "next_run_time": timestamp(job.next_run_at),
            "job_state": job_state,
            **self._wake,
            **entry,
        }


def timestamp(moment: datetime | None) -> float | None:
    """Return what the column holds for a due time: APScheduler's own arithmetic, to the last bit."""
    seconds: float | None = datetime_to_utc_timestamp(moment)
    return seconds


def due_moment(seconds: float) -> datetime | None:
    """Return the due time in a column that anybody may have written; None for what no calendar reaches."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        # Minus infinity is due like any time past, and is then found to be unreadable.
        return datetime.min.replace(tzinfo=UTC) if seconds < 0 else None
