"""What an operator's check asks of the database itself: nothing is changed, and our own tables may be missing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adapters.postgres.database import Database, Lane
from adapters.postgres.names import REPLICAS, STOCK_TABLES

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


@dataclass(frozen=True, slots=True)
class Inspection:
    """A server and a schema. `replicas` are names, and for how many seconds each has been silent."""

    version: str
    now: datetime
    read_only: bool
    connections_free: int
    missing_tables: tuple[str, ...]
    replicas: tuple[tuple[str, float], ...]


async def inspect(database: Database) -> Inspection:
    """Look. Raises StoreUnavailable."""
    stock = list(STOCK_TABLES.values())

    def look(connection: Connection) -> Inspection:
        version, now, read_only, free = connection.exec_driver_sql(_SERVER).one()
        parameters: dict[str, Any] = {"schema": database.schema, "wanted": [*stock, REPLICAS]}
        there = set(connection.exec_driver_sql(_TABLES, parameters).scalars())
        found = connection.exec_driver_sql(database.names.sql(_REPLICAS)) if REPLICAS in there else ()
        return Inspection(
            version=version,
            now=now,
            read_only=read_only,
            connections_free=free,
            missing_tables=tuple(table for table in stock if table not in there),
            replicas=tuple((replica, silent) for replica, silent in found),
        )

    return await database.run(Lane.RPC, look)
