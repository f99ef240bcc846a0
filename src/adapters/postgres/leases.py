"""Replicas and their beats in PostgreSQL."""

from sqlalchemy import Connection

from adapters.postgres.database import Database, Lane
from adapters.postgres.names import Names
from ports.clock import Clock
from ports.errors import LeaseLost
from ports.leases import Pulse

_FREE = """
    UPDATE {firings} SET
        owner = NULL,
        state = CASE WHEN cancelled THEN 'cancelled' ELSE 'waiting' END,
        attempt_at = CASE WHEN NOT cancelled THEN %(now)s::timestamptz END,
        finished_at = CASE WHEN cancelled THEN %(now)s::timestamptz END,
        payload = CASE WHEN NOT cancelled THEN payload END
"""
_FREE_OWNED = _FREE + " WHERE owner = %(replica)s"
_FREE_ORPHANS = (
    _FREE + " WHERE owner IS NOT NULL AND NOT EXISTS (SELECT FROM {replicas} AS r WHERE r.replica = owner)"
)
_REGISTER = """
    INSERT INTO {replicas} (replica, beat, seen_at) VALUES (%(replica)s, 0, %(now)s)
    ON CONFLICT (replica) DO UPDATE SET beat = 0
"""
_RENEW = """
    WITH beat AS (
        UPDATE {replicas} SET beat = beat + 1, seen_at = %(now)s WHERE replica = %(replica)s RETURNING replica, beat
    )
    SELECT replica, beat FROM beat
    UNION ALL SELECT replica, beat FROM {replicas} WHERE replica <> %(replica)s
"""
_RETIRE = "DELETE FROM {replicas} WHERE replica = %(replica)s AND beat = coalesce(%(beat)s, beat)"


class PostgresLeases:
    """A row for each living replica in `scheduler_replicas`; a dead one has none."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._names = database.names
        self._clock = clock

    async def register(self, replica: str) -> None:
        """Make `replica` known; firings whose owner is known to nobody, as after a restore, are freed."""
        parameters = {"replica": replica, "now": self._clock.now()}

        def write(connection: Connection) -> None:
            connection.exec_driver_sql(self._names.sql(_REGISTER), parameters)
            connection.exec_driver_sql(self._names.sql(_FREE_ORPHANS), parameters)

        await self._database.run(Lane.ENGINE, write)

    async def renew(self, replica: str) -> Pulse:
        """Count one beat and say what is seen."""
        parameters = {"replica": replica, "now": self._clock.now()}

        def write(connection: Connection) -> Pulse:
            rows = connection.exec_driver_sql(self._names.sql(_RENEW), parameters)
            peers: dict[str, int] = {row[0]: row[1] for row in rows}
            return Pulse(alive=peers.pop(replica, None) is not None, peers=peers)

        return await self._database.run_statement(Lane.ENGINE, write)

    async def expire(self, replica: str, *, beat: int) -> int:
        """Declare `replica` dead if its beat still stands, and free its firings."""
        return await self._retire(replica, beat)

    async def release(self, replica: str) -> int:
        """Retire `replica` and free its firings."""
        return await self._retire(replica, None)

    async def _retire(self, replica: str, beat: int | None) -> int:
        parameters = {"replica": replica, "beat": beat, "now": self._clock.now()}

        def write(connection: Connection) -> int:
            # Waits for a claim of the replica's that is under way, which holds the row (require_alive). So what
            # it claims is there to be freed: by a second statement, since the first one's view is older.
            if not connection.exec_driver_sql(self._names.sql(_RETIRE), parameters).rowcount:
                return 0
            freed = connection.exec_driver_sql(self._names.sql(_FREE_OWNED), parameters).rowcount
            if freed:
                connection.exec_driver_sql("SELECT pg_notify(%(channel)s, '')", {"channel": self._database.channel})
            return freed

        return await self._database.run(Lane.ENGINE, write)


def require_alive(connection: Connection, names: Names, owner: str) -> None:
    """Keep `owner` from being retired until the transaction ends. Raises LeaseLost when it is no living replica."""
    found = connection.exec_driver_sql(
        names.sql("SELECT 1 FROM {replicas} WHERE replica = %(owner)s FOR KEY SHARE"), {"owner": owner}
    ).first()
    if found is None:
        raise LeaseLost(owner)
