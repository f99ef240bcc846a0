"""What there is in the tables, counted for metrics: in milliseconds, however long they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from adapters.postgres.database import Database, Lane
from adapters.postgres.names import STOCK_TABLES, Names
from adapters.postgres.quarantine import NOT_QUARANTINED, RECHECK_AFTER
from ports.clock import Clock
from ports.jobs import StoreName, UnreadableReason

COUNTED_EXACTLY = 100_000
"""Beyond so many rows PostgreSQL's own estimate is taken."""

_COUNT = f"""
    SELECT
        CASE WHEN c.reltuples > %(exactly)s THEN c.reltuples::bigint
            ELSE (SELECT count(*) FROM (SELECT FROM {{jobs}} LIMIT %(exactly)s) AS few) END,
        (SELECT count(*) FROM (SELECT FROM {{jobs}} WHERE next_run_time IS NULL LIMIT %(exactly)s) AS paused),
        (SELECT count(*) FROM {{replicas}}),
        (SELECT extract(epoch FROM clock_timestamp()) - j.next_run_time FROM {{jobs}} AS j
            WHERE j.next_run_time > '-infinity'::float8 AND {NOT_QUARANTINED} ORDER BY j.next_run_time LIMIT 1)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = %(table)s
"""  # noqa: S608  texts of ours
_QUARANTINED = "SELECT reason, count(*) FROM {quarantine} GROUP BY reason"


@dataclass(frozen=True, slots=True)
class Census:
    """Rows of the execution store, system tasks included, due rows that are left alone, and living replicas.

    `overdue_secs` is for how long the first readable row has been due, 0.0 when none is.
    """

    scheduled: int
    paused: int
    unreadable: Mapping[UnreadableReason, int]
    replicas: int
    overdue_secs: float


class PostgresCensus:
    """Takes a census of one schema."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def take(self) -> Census:
        """Count. Raises StoreUnavailable."""
        store = StoreName.EXECUTION
        parameters = {
            "store": store.value,
            "schema": self._database.schema,
            "table": STOCK_TABLES[store],
            "exactly": COUNTED_EXACTLY,
            "checked_after": self._clock.now() - RECHECK_AFTER,
        }

        def count(connection: Connection) -> Census:
            return _census(connection, self._database.names, parameters)

        return await self._database.run(Lane.RPC, count)


def _census(connection: Connection, names: Names, parameters: Mapping[str, Any]) -> Census:
    rows, paused, replicas, overdue = connection.exec_driver_sql(
        names.sql(_COUNT, store=StoreName.EXECUTION), parameters
    ).one()
    found: dict[str, int] = {row[0]: row[1] for row in connection.exec_driver_sql(names.sql(_QUARANTINED))}
    return Census(
        scheduled=max(0, rows - paused),
        paused=paused,
        unreadable={reason: found.get(reason.value, 0) for reason in UnreadableReason},
        replicas=replicas,
        overdue_secs=max(0.0, float(overdue or 0.0)),
    )
