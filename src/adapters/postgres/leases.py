"""Replicas and their beats in PostgreSQL."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection

from adapters.postgres.database import Database, Lane
from adapters.postgres.names import Names
from ports.clock import Clock
from ports.errors import LeaseLost
from ports.leases import Pulse

HELD_BY = """
    SELECT id FROM {firings} WHERE rare_state = 'leased' AND owner = %(owner)s
    UNION ALL SELECT id FROM {firings}
    WHERE id >= %(holds_from)s AND owner = %(owner)s AND rare_state IS NULL AND finished_at IS NULL
"""
"""The firings that `owner` leases: those it picked up again, and those of its claims, which begin at an id."""

_FREE = """
    UPDATE {firings} SET
        owner = NULL,
        rare_state = CASE WHEN cancelled THEN 'cancelled' ELSE 'waiting' END,
        attempt_at = CASE WHEN NOT cancelled THEN %(now)s::timestamptz END,
        finished_at = CASE WHEN cancelled THEN %(now)s::timestamptz END,
        payload = CASE WHEN NOT cancelled THEN payload END
"""
# What is held is looked at once more in the UPDATE's own condition: it alone is asked again after waiting for an
# outcome that is being settled, which must not be overwritten. (CASE for the planner's sake, as in `settle`.)
_FREE_HELD = f"""
    {_FREE} WHERE id = ANY (ARRAY({HELD_BY})) AND CASE WHEN owner = %(owner)s AND state = 'leased' THEN true END
"""
_FREE_ORPHANS = f"""
    {_FREE} WHERE id >= %(first)s AND id < %(end)s AND state = 'leased'
    AND NOT EXISTS (SELECT FROM {{replicas}} AS r WHERE r.replica = owner)
"""
_REGISTER = """
    INSERT INTO {replicas} (replica, beat, seen_at, holds_from)
    VALUES (%(replica)s, 0, %(now)s, (SELECT coalesce(max(id), 0) + 1 FROM {firings}))
    ON CONFLICT (replica) DO UPDATE SET beat = 0
"""
_RENEW = """
    WITH beat AS (
        UPDATE {replicas} SET beat = beat + 1, seen_at = %(now)s, holds_from = coalesce(%(holds_from)s, holds_from)
        WHERE replica = %(replica)s RETURNING replica, beat
    )
    SELECT replica, beat FROM beat
    UNION ALL SELECT replica, beat FROM {replicas} WHERE replica <> %(replica)s
"""
_RETIRE = (
    "DELETE FROM {replicas} WHERE replica = %(replica)s AND beat = coalesce(%(beat)s, beat) RETURNING holds_from"
)
# Ends claims whose client takes no answer any more. A server ends a transaction that waits for its client's next
# statement (`idle_in_transaction_session_timeout`), but not one that waits to be rid of a long result.
_END_STUCK = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user
        AND application_name = current_setting('application_name')
        AND state = 'active' AND wait_event = 'ClientWrite'
        AND query_start < clock_timestamp() - make_interval(secs => %(stuck_secs)s)
"""
_ORPHANS_BATCH = 20_000


class PostgresLeases:
    """A row for each living replica in `scheduler_replicas`; a dead one has none."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._names = database.names
        self._clock = clock

    async def register(self, replica: str) -> None:
        """Make `replica` known."""
        parameters = {"replica": replica, "now": self._clock.now()}
        await self._database.run_statement(
            Lane.ENGINE, lambda connection: connection.exec_driver_sql(self._names.sql(_REGISTER), parameters)
        )

    async def renew(self, replica: str, *, holds_from: int | None = None) -> Pulse:
        """Count one beat and say what is seen."""
        parameters = {"replica": replica, "now": self._clock.now(), "holds_from": holds_from}

        def write(connection: Connection) -> Pulse:
            rows = connection.exec_driver_sql(self._names.sql(_RENEW), parameters)
            peers: dict[str, int] = {row[0]: row[1] for row in rows}
            return Pulse(alive=peers.pop(replica, None) is not None, peers=peers)

        return await self._database.run_statement(Lane.ENGINE, write)

    async def expire(self, replica: str, *, beat: int) -> int:
        """Declare `replica` dead if its beat still stands, and free its firings."""
        parameters = {"stuck_secs": self._database.idle_secs / 2}  # long enough to be sure, sooner than the lease
        await self._database.run_statement(
            Lane.ENGINE, lambda connection: connection.exec_driver_sql(_END_STUCK, parameters)
        )
        return await self._retire(replica, beat)

    async def release(self, replica: str) -> int:
        """Retire `replica` and free its firings."""
        return await self._retire(replica, None)

    async def _retire(self, replica: str, beat: int | None) -> int:
        parameters = {"replica": replica, "beat": beat}

        def write(connection: Connection) -> int:
            # Waits for a claim of the replica's that is under way, which holds the row (require_alive). So what
            # it claims is there to be freed: by a second statement, since the first one's view is older.
            row = connection.exec_driver_sql(self._names.sql(_RETIRE), parameters).first()
            if row is None:
                return 0
            held = {"owner": replica, "holds_from": row[0], "now": self._clock.now()}
            freed = connection.exec_driver_sql(self._names.sql(_FREE_HELD), held).rowcount
            if freed:
                connection.exec_driver_sql("SELECT pg_notify(%(channel)s, '')", {"channel": self._database.channel})
            return freed

        return await self._database.run(Lane.ENGINE, write)

    async def free_orphans(self) -> int:
        """Free firings whose owner is known to nobody, as after part of our tables was restored or emptied.

        Looks at every firing, in batches. Raises StoreUnavailable.
        """
        first, last = await self._database.run_statement(Lane.RPC, self._id_range)
        freed = 0
        while first <= last:
            parameters = {"first": first, "end": first + _ORPHANS_BATCH, "now": self._clock.now()}
            freed += await self._database.run_statement(
                Lane.RPC, partial(self._free_orphans, parameters=parameters)
            )
            first += _ORPHANS_BATCH
        return freed

    def _id_range(self, connection: Connection) -> tuple[int, int]:
        statement = self._names.sql("SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM {firings}")
        first, last = connection.exec_driver_sql(statement).one()
        return first, last

    def _free_orphans(self, connection: Connection, *, parameters: Mapping[str, Any]) -> int:
        return connection.exec_driver_sql(self._names.sql(_FREE_ORPHANS), parameters).rowcount


def require_alive(connection: Connection, names: Names, owner: str, *, alone: bool = False) -> int:
    """Keep `owner` from being retired until the transaction ends; return the id from which on it holds firings.

    `alone` waits for claims of its own that are still being committed, though their connections are gone.
    Raises LeaseLost when it is no living replica.
    """
    lock = "UPDATE" if alone else "KEY SHARE"
    found = connection.exec_driver_sql(
        names.sql(f"SELECT holds_from FROM {{replicas}} WHERE replica = %(owner)s FOR {lock}"),  # noqa: S608  ours
        {"owner": owner},
    ).first()
    if found is None:
        raise LeaseLost(owner)
    holds_from: int = found[0]
    return holds_from
