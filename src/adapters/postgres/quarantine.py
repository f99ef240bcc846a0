"""Due rows that can't be read, remembered so that claims step around them without looking again."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from adapters.postgres.literals import array
from adapters.postgres.names import Names
from ports.jobs import StoreName, UnreadableRow

RECHECK_AFTER = timedelta(hours=1)
"""A row that stays as it is gets another look now and then: a new release or time zone may make it readable."""

NOT_QUARANTINED = """NOT EXISTS (
    SELECT FROM {quarantine} AS q
    WHERE q.store = %(store)s AND q.job_id = j.id
        AND q.row_version = j.xmin::text AND q.checked_at > %(checked_after)s
)"""
"""Condition on row `j`: not remembered, changed since, or due for another look.

`xmin` names the transaction that wrote the row, so a repaired row counts at once, and nothing is hashed.
"""

_REMEMBER = """
    INSERT INTO {quarantine} AS q (store, job_id, row_version, reason, detail, first_seen_at, checked_at)
    SELECT %(store)s, n.*, %(now)s, %(now)s
    FROM unnest(%(ids)s::text[], %(versions)s::text[], %(reasons)s::text[], %(details)s::text[]) AS n
    ON CONFLICT (store, job_id) DO UPDATE SET
        row_version = excluded.row_version, reason = excluded.reason, detail = excluded.detail,
        checked_at = excluded.checked_at,
        first_seen_at = CASE WHEN q.row_version = excluded.row_version
            THEN q.first_seen_at ELSE excluded.first_seen_at END
"""
_FORGET = """
    DELETE FROM {quarantine} AS q WHERE q.store = %(store)s AND NOT EXISTS (
        SELECT FROM {jobs} AS j WHERE j.id = q.job_id AND j.xmin::text = q.row_version
    )
"""


def remember(
    connection: Connection,
    names: Names,
    rows: Sequence[tuple[UnreadableRow, str]],
    *,
    store: StoreName,
    now: datetime,
) -> None:
    """Remember rows, each with its version, and forget those that were deleted or changed meanwhile."""
    if not rows:
        return
    connection.exec_driver_sql(names.sql(_FORGET, store=store), {"store": store.value})
    connection.exec_driver_sql(
        names.sql(_REMEMBER),
        {
            "store": store.value,
            "now": now,
            "ids": array(row.id for row, _ in rows),
            "versions": array(version for _, version in rows),
            "reasons": array(row.reason.value for row, _ in rows),
            "details": array(row.detail for row, _ in rows),
        },
    )
