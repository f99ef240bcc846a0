"""Rows of APScheduler's tables: read and written by id, under a lock or without."""

from datetime import UTC, datetime

from apscheduler.util import datetime_to_utc_timestamp
from sqlalchemy import Connection

from adapters.apscheduler.job_state import decode, encode
from adapters.postgres.job_index import INDEXED, STORE_WITH, entry_columns, own_entry
from adapters.postgres.names import Names, storable
from ports.jobs import Job, StoreName, UnreadableRow

NOTIFY_IF_SOON = """
    SELECT id, CASE WHEN next_run_time <= extract(epoch FROM clock_timestamp()) + %(notify_within)s
        THEN pg_notify(%(channel)s, '') END
    FROM stored
"""
"""The end of a statement that writes rows: names those that were, and wakes replicas for what is due soon.

NOTIFY makes commits wait for each other, and for what is due later a replica's own poll is soon enough.
"""

_UPDATE = """
    WITH stored AS (
        UPDATE {jobs} SET next_run_time = %(next_run_time)s, job_state = %(job_state)s
        WHERE id = %(id)s RETURNING id, next_run_time
    )
"""
_SELECT = "SELECT id, job_state, next_run_time FROM {jobs} WHERE id = %(id)s"


class JobRows:
    """The statements on single rows of one of the tables. Reading takes unreadable rows for none."""

    def __init__(self, names: Names, store: StoreName, *, channel: str, notify_within_secs: float) -> None:
        self._indexed = store is INDEXED
        entry = f", entry AS ({STORE_WITH})" if self._indexed else ""
        self._update, self._select = (
            names.sql(text, store=store) for text in (_UPDATE + entry + NOTIFY_IF_SOON, _SELECT)
        )
        self._wake = {"channel": channel, "notify_within": notify_within_secs}

    def update(self, connection: Connection, job: Job) -> bool:
        """Overwrite the row of `job`; False when there is none."""
        job_state = encode(job)
        parameters = {
            "id": job.id,
            "next_run_time": timestamp(job.next_run_at),
            "job_state": job_state,
            **self._wake,
            **(entry_columns([own_entry(job, job_state)]) if self._indexed else {}),
        }
        return connection.exec_driver_sql(self._update, parameters).first() is not None

    def read(self, connection: Connection, job_id: str, *, lock: bool = False) -> Job | UnreadableRow | None:
        """Return what is in a row, locked until the transaction ends where `lock`; None when there is none."""
        if not storable(job_id):
            return None
        statement = f"{self._select} FOR UPDATE" if lock else self._select
        row = connection.exec_driver_sql(statement, {"id": job_id}).first()
        return None if row is None else decode(row[0], bytes(row[1]), row[2])


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
