"""The ledger of firings in PostgreSQL.

One table, pruned in small batches, rather than partitions by time. Partitions would have to be cut by the due
time, since the identity of a firing holds it: one that is late, or comes from a clock that stepped, would need a
partition that is not there, and successes and failures, which are kept for different times, lie in the same ones.
A batch of deletes along an index costs about what the inserts did, and needs no DDL while the service runs.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from adapters.postgres.database import Database, Lane
from adapters.postgres.firing_rows import (
    FIRING,
    RECORD,
    enqueue_firings,
    insert_firings,
    to_firing,
    to_record,
)
from adapters.postgres.job_index import payload_bytes
from adapters.postgres.leases import HELD_BY, require_alive
from adapters.postgres.literals import array
from adapters.postgres.names import escaped, hash_key, job_key
from ports.clock import Clock
from ports.firings import Firing, FiringRecord, FiringState, NewFiring, Outcome, Retention
from ports.jobs import StoreName

_PICK_UP = f"""
    WITH due AS MATERIALIZED (
        SELECT id, attempt_at FROM {{firings}} WHERE attempt_at <= %(now)s
        ORDER BY attempt_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), picked AS (
        UPDATE {{firings}} AS f SET rare_state = 'leased', owner = %(owner)s, attempt_at = NULL
        FROM due WHERE f.id = due.id RETURNING f.*, due.attempt_at AS was_due
    )
    SELECT {FIRING} FROM picked AS f ORDER BY f.was_due, f.id
"""  # noqa: S608  column names of ours
_STRANDED = f"""
    SELECT {FIRING} FROM {{firings}} AS f
    WHERE f.id = ANY (ARRAY({HELD_BY})) AND f.id <> ALL (%(holding)s::bigint[]) ORDER BY f.id
"""  # noqa: S608  column names of ours
_STOPPED = "(f.cancelled AND NOT o.final)"  # its job was removed or paused meanwhile
_SETTLE = f"""
    UPDATE {{firings}} AS f SET
        rare_state = CASE
            WHEN {_STOPPED} THEN 'cancelled' WHEN o.state <> 'succeeded' THEN o.state
        END,
        attempt_at = CASE WHEN NOT {_STOPPED} THEN o.attempt_at END,
        finished_at = CASE WHEN {_STOPPED} OR o.final THEN o.finished_at END,
        payload = CASE WHEN NOT {_STOPPED} AND o.state IN ('waiting', 'held', 'failed', 'dead') THEN f.payload END,
        dispatched_at = coalesce(o.dispatched_at, f.dispatched_at),
        attempts = o.attempts, execution_id = o.execution_id, code = o.code, error = o.error
    FROM unnest(
        %(ids)s::bigint[], %(states)s::text[], %(final)s::bool[], %(dispatched)s::timestamptz[],
        %(finished)s::timestamptz[], %(attempts)s::int[], %(executions)s::text[], %(codes)s::text[],
        %(errors)s::text[], %(attempt_at)s::timestamptz[]
    ) AS o (id, state, final, dispatched_at, finished_at, attempts, execution_id, code, error, attempt_at)
    WHERE f.id = o.id
        AND CASE WHEN f.owner = %(owner)s AND f.state = 'leased' AND f.attempts = o.attempts - 1 THEN true END
    RETURNING f.id
"""  # noqa: S608  texts of ours
# The CASE hides the fence from the planner, which would take it for rare in a table that it has no statistics of
# yet, and read all of the table for each batch to find those rows first.
# Most outcomes, with what differs between them only.
_SETTLE_SUCCEEDED = """
    UPDATE {firings} AS f SET
        finished_at = o.finished_at, payload = NULL, dispatched_at = o.dispatched_at,
        rare_state = NULL, attempts = o.attempts, execution_id = o.execution_id, code = NULL, error = NULL
    FROM unnest(
        %(ids)s::bigint[], %(dispatched)s::timestamptz[], %(finished)s::timestamptz[], %(attempts)s::int[],
        %(executions)s::text[]
    ) AS o (id, dispatched_at, finished_at, attempts, execution_id)
    WHERE f.id = o.id
        AND CASE WHEN f.owner = %(owner)s AND f.state = 'leased' AND f.attempts = o.attempts - 1 THEN true END
    RETURNING f.id
"""
_RESEND = """
    WITH sent AS (
        UPDATE {firings} SET rare_state = 'waiting', attempt_at = %(now)s, finished_at = NULL, cancelled = false
        WHERE id = %(id)s AND rare_state IN ('failed', 'dead', 'held') RETURNING id
    )
    SELECT id, pg_notify(%(channel)s, '') FROM sent
"""
_COUNTS = """
    SELECT rare_state, count(*) FROM {firings} WHERE rare_state IS NOT NULL AND rare_state <> 'leased'
    GROUP BY rare_state
"""
_PRUNE_SUCCEEDED = """
    WITH seen AS MATERIALIZED (
        SELECT id, rare_state, finished_at, claimed_at FROM {firings} WHERE id >= %(first)s
        ORDER BY id LIMIT %(window)s
    ), gone AS MATERIALIZED (
        SELECT id FROM seen WHERE rare_state IS NULL AND finished_at < %(before)s ORDER BY id LIMIT %(limit)s
    ), deleted AS (
        DELETE FROM {firings} WHERE id = ANY (ARRAY(SELECT id FROM gone)) RETURNING id
    )
    SELECT (SELECT count(*) FROM deleted),
        coalesce(min(id) FILTER (WHERE rare_state IS NULL AND id <> ALL (ARRAY(SELECT id FROM gone))), max(id) + 1),
        count(*) = %(window)s AND max(claimed_at) < %(before)s
    FROM seen HAVING count(*) > 0
"""
_PRUNE_FAILED = """
    DELETE FROM {firings} WHERE id = ANY (ARRAY(
        SELECT id FROM {firings} WHERE rare_state = %(state)s AND finished_at < %(before)s
        ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ))
"""
_UNSUCCESSFUL = (FiringState.FAILED, FiringState.DEAD, FiringState.CANCELLED, FiringState.DROPPED)
_PRUNE_WINDOW = 5000
_PRUNE_ALL_EVERY = timedelta(hours=1)
_OPEN = frozenset({FiringState.LEASED, FiringState.WAITING, FiringState.HELD})


class PostgresFiringLedger:
    """Firings in `scheduler_firings`, leased to the replicas of `scheduler_replicas`."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._names = database.names
        self._clock = clock
        self._pruned_to = 0
        self._pruned_from_the_start_at = datetime.min.replace(tzinfo=UTC)

    async def record(self, firings: Sequence[NewFiring], *, store: str, owner: str) -> Sequence[Firing]:
        """Record firings, leased to `owner`; return those not recorded before."""
        encoded = [(firing, payload_bytes(firing.payload)) for firing in firings]
        now = self._clock.now()

        def insert(connection: Connection) -> Sequence[Firing]:
            require_alive(connection, self._names, owner)
            return insert_firings(connection, self._names, encoded, store=store, owner=owner, now=now)

        return await self._database.run(Lane.ENGINE, insert)

    async def enqueue(self, firings: Sequence[NewFiring], *, store: str) -> frozenset[datetime]:
        """Record firings that wait for whoever picks them up, and wake the replicas."""
        now, channel = self._clock.now(), self._database.channel

        def insert(connection: Connection) -> frozenset[datetime]:
            return enqueue_firings(connection, self._names, firings, store=store, now=now, channel=channel)

        return await self._database.run(Lane.RPC, insert)

    async def pick_up(self, *, now: datetime, limit: int, owner: str) -> Sequence[Firing]:
        """Lease waiting and held firings whose time has come, soonest first."""
        return await self._leased(_PICK_UP, owner, now=now, limit=limit)

    async def stranded(self, *, owner: str, holding: frozenset[int]) -> Sequence[Firing]:
        """Return the firings leased to `owner` that it doesn't know of."""
        return await self._leased(_STRANDED, owner, alone=True, holding=array(holding))

    async def _leased(
        self, statement: str, owner: str, *, alone: bool = False, **parameters: Any
    ) -> Sequence[Firing]:
        def read(connection: Connection) -> Sequence[Firing]:
            holds_from = require_alive(connection, self._names, owner, alone=alone)
            named = {"owner": owner, "holds_from": holds_from, **parameters}
            rows = connection.exec_driver_sql(self._names.sql(statement), named)
            return [to_firing(row) for row in rows]

        return await self._database.run(Lane.ENGINE, read)

    async def next_attempt(self) -> datetime | None:
        """Return the earliest `attempt_at` of the waiting and held firings."""
        statement = self._names.sql("SELECT min(attempt_at) FROM {firings} WHERE attempt_at IS NOT NULL")

        def read(connection: Connection) -> datetime | None:
            found: datetime | None = connection.exec_driver_sql(statement).scalar_one()
            return found

        return await self._database.run_statement(Lane.ENGINE, read)

    async def settle(self, outcomes: Sequence[Outcome], *, owner: str) -> frozenset[int]:
        """Write outcomes of firings that `owner` leases."""
        # A firing's second outcome in one call would fail the fence after the first.
        first = list({outcome.firing_id: outcome for outcome in reversed(outcomes)}.values())
        if not first:
            return frozenset()
        plain = all(map(_is_plain_success, first))
        parameters = {
            "owner": owner,
            "ids": array(outcome.firing_id for outcome in first),
            "dispatched": array(outcome.dispatched_at for outcome in first),
            "finished": array(outcome.finished_at for outcome in first),
            "attempts": array(outcome.attempts for outcome in first),
            "executions": array(escaped(outcome.execution_id) for outcome in first),
            **({} if plain else _rare_columns(first)),
        }
        statement = self._names.sql(_SETTLE_SUCCEEDED if plain else _SETTLE)

        def write(connection: Connection) -> frozenset[int]:
            return frozenset(connection.exec_driver_sql(statement, parameters).scalars())

        return await self._database.run_statement(Lane.ENGINE, write)

    async def history(
        self,
        *,
        job_id: str | None = None,
        user_id: str | None = None,
        states: frozenset[FiringState] | None = None,
        limit: int = 100,
        before_id: int | None = None,
    ) -> Sequence[FiringRecord]:
        """Return firings that match, newest first."""
        conditions = ["true"]
        if job_id is not None:
            # A job's key needs its store; ids are unique within one, and every store may be asked for.
            conditions.append("f.job_key = ANY (%(job_keys)s::uuid[]) AND f.job_id = %(job_id)s")
        if user_id is not None:
            conditions.append("f.user_key = %(user_key)s AND f.user_id = %(user_id)s")
        if before_id is not None:
            conditions.append("f.id < %(before_id)s")
        parameters = {
            "job_keys": None if job_id is None else array(job_key(store, job_id) for store in StoreName),
            "job_id": job_id,
            "user_key": None if user_id is None else hash_key(user_id),
            "user_id": escaped(user_id),
            "before_id": before_id,
            "limit": limit,
        }
        statement = self._names.sql(_history(" AND ".join(conditions), states))

        def read(connection: Connection) -> Sequence[FiringRecord]:
            return [to_record(row) for row in connection.exec_driver_sql(statement, parameters)]

        return await self._database.run_statement(Lane.RPC, read)

    async def resend(self, firing_id: int, *, now: datetime) -> bool:
        """Make a failed, dead or held firing wait for dispatch at once, and wake the replicas."""
        parameters = {"id": firing_id, "now": now, "channel": self._database.channel}

        def write(connection: Connection) -> bool:
            return connection.exec_driver_sql(self._names.sql(_RESEND), parameters).first() is not None

        return await self._database.run_statement(Lane.RPC, write)

    async def counts(self) -> Mapping[FiringState, int]:
        """Count firings by state, leased and succeeded ones left out."""

        def read(connection: Connection) -> Mapping[FiringState, int]:
            found: dict[str, int] = {row[0]: row[1] for row in connection.exec_driver_sql(self._names.sql(_COUNTS))}
            uncounted = (FiringState.LEASED, FiringState.SUCCEEDED)
            return {state: found.get(state.value, 0) for state in FiringState if state not in uncounted}

        return await self._database.run_statement(Lane.RPC, read)

    async def prune(self, *, now: datetime, keep: Retention, limit: int) -> int:
        """Delete finished firings that are old enough."""
        if now - self._pruned_from_the_start_at > _PRUNE_ALL_EVERY:
            # Now and then from the lowest id on: what was sent again and succeeded long after lies back there.
            self._pruned_to, self._pruned_from_the_start_at = 0, now
        deleted, more = 0, True
        while more and deleted < limit:
            found, self._pruned_to, more = await self._database.run_statement(
                Lane.ENGINE,
                partial(self._prune_succeeded, before=now - keep.successes, limit=limit - deleted),
            )
            deleted += found
        for state in _UNSUCCESSFUL:
            if deleted < limit:
                parameters = {"state": state.value, "before": now - keep.failures, "limit": limit - deleted}
                deleted += await self._database.run_statement(
                    Lane.ENGINE, partial(self._prune_failed, parameters=parameters)
                )
        return deleted

    def _prune_succeeded(self, connection: Connection, *, before: datetime, limit: int) -> tuple[int, int, bool]:
        """Look at one window of ids; return how many are gone, where the next begins, and whether to go on.

        Ids are in the order of claims, so the first window that reaches into what is kept is the last. What
        failed is kept for longer and passed over.
        """
        parameters = {"first": self._pruned_to, "before": before, "limit": limit, "window": _PRUNE_WINDOW}
        row = connection.exec_driver_sql(self._names.sql(_PRUNE_SUCCEEDED), parameters).first()
        return (0, self._pruned_to, False) if row is None else (row[0], row[1], row[2])

    def _prune_failed(self, connection: Connection, *, parameters: Mapping[str, Any]) -> int:
        return connection.exec_driver_sql(self._names.sql(_PRUNE_FAILED), parameters).rowcount


def _is_plain_success(outcome: Outcome) -> bool:
    return outcome.state is FiringState.SUCCEEDED and outcome.dispatched_at is not None and outcome.code is None


def _rare_columns(outcomes: Sequence[Outcome]) -> dict[str, str]:
    return {
        "states": array(outcome.state.value for outcome in outcomes),
        "final": array(outcome.state not in _OPEN for outcome in outcomes),
        "codes": array(escaped(outcome.code) for outcome in outcomes),
        "errors": array(escaped(outcome.error) for outcome in outcomes),
        "attempt_at": array(outcome.attempt_at if outcome.state in _OPEN else None for outcome in outcomes),
    }


def _history(condition: str, states: frozenset[FiringState] | None) -> str:
    """Return the query. A state that is rare is looked up by it; the usual two are most of what there is."""
    select = f"SELECT {RECORD} FROM {{firings}} AS f WHERE {condition}"  # noqa: S608  texts of ours
    order = "ORDER BY id DESC LIMIT %(limit)s"
    if states is None:
        return f"{select} {order}"
    if not states:
        return f"{select} AND false {order}"
    legs = " UNION ALL ".join(f"({select} AND {_IN_STATE[state]} {order})" for state in sorted(states))
    return f"SELECT * FROM ({legs}) AS f {order}"  # noqa: S608  texts of ours


_IN_STATE = {state: f"f.rare_state = '{state.value}'" for state in FiringState} | {
    FiringState.LEASED: "f.state = 'leased'",
    FiringState.SUCCEEDED: "f.state = 'succeeded'",
}
