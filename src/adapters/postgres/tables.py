"""Counts and a look at the tables, for operators."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from adapters.postgres import maintenance
from adapters.postgres.database import Database, Lane
from adapters.postgres.names import REPLICAS, STOCK_TABLES, Names
from adapters.postgres.quarantine import NOT_QUARANTINED, RECHECK_AFTER
from ports.clock import Clock
from ports.jobs import StoreName, UnreadableReason
from ports.tables import Census, Inspection

COUNTED_EXACTLY = 10_000
"""Beyond so many rows PostgreSQL's own estimates are taken: of the rows, and of how many have no next run."""

_COUNT = f"""
    SELECT
        CASE WHEN c.reltuples > %(exactly)s THEN c.reltuples::bigint
            ELSE (SELECT count(*) FROM (SELECT FROM {{jobs}} LIMIT %(exactly)s) AS few) END,
        CASE WHEN c.reltuples > %(exactly)s THEN (c.reltuples * coalesce(s.null_frac, 0))::bigint
            ELSE (SELECT count(*) FROM (
                SELECT FROM {{jobs}} WHERE next_run_time IS NULL LIMIT %(exactly)s
            ) AS paused) END,
        (SELECT count(*) FROM {{replicas}}),
        (SELECT extract(epoch FROM clock_timestamp()) - j.next_run_time FROM {{jobs}} AS j
            WHERE j.next_run_time > '-infinity'::float8 AND {NOT_QUARANTINED} ORDER BY j.next_run_time LIMIT 1)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_stats AS s
        ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = 'next_run_time'
    WHERE n.nspname = %(schema)s AND c.relname = %(table)s
"""  # noqa: S608  texts of ours
_QUARANTINED = "SELECT reason, count(*) FROM {quarantine} GROUP BY reason"
_SERVER = """
    SELECT current_setting('server_version'), clock_timestamp(),
        pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
        current_setting('max_connections')::int
            - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = %(schema)s AND tablename = ANY (%(wanted)s)"
_REPLICAS = """
    SELECT replica, greatest(0, extract(epoch FROM clock_timestamp() - seen_at))::float8
    FROM {replicas} ORDER BY replica
"""


class PostgresTables:
    """The tables of one schema."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def census(self) -> Census:
        """Count schedules, quarantined rows and replicas."""
        store = StoreName.EXECUTION
        parameters = {
            "store": store.value,
            "schema": self._database.schema,
            "table": STOCK_TABLES[store],
            "exactly": COUNTED_EXACTLY,
            "checked_after": self._clock.now() - RECHECK_AFTER,
        }

        def count(connection: Connection) -> Census:
            return _counted(connection, self._database.names, parameters)

        return await self._database.run(Lane.RPC, count)

    async def inspect(self) -> Inspection:
        """Look at the server and the schema."""
        database, stock = self._database, list(STOCK_TABLES.values())
        parameters: dict[str, Any] = {"schema": database.schema, "wanted": [*stock, REPLICAS]}
        migrated = (await maintenance.status(database)).migrated

        def look(connection: Connection) -> Inspection:
            version, now, read_only, free = connection.exec_driver_sql(_SERVER).one()
            there = set(connection.exec_driver_sql(_TABLES, parameters).scalars())
            found = connection.exec_driver_sql(database.names.sql(_REPLICAS)) if REPLICAS in there else ()
            return Inspection(
                version=version,
                now=now,
                read_only=read_only,
                connections_free=free,
                missing_tables=tuple(table for table in stock if table not in there),
                migrated=migrated,
                replicas=tuple((replica, silent) for replica, silent in found),
            )

        return await database.run(Lane.RPC, look)


def _counted(connection: Connection, names: Names, parameters: Mapping[str, Any]) -> Census:
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
