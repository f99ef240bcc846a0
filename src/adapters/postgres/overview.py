"""Figures over whole tables, a batch at a time along an index each; never more than the batch is looked at."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from adapters.apscheduler.job_state import decode
from adapters.postgres.database import Database, Lane
from adapters.postgres.firing_rows import RECORD, to_record
from adapters.postgres.job_index import INDEXED, KnownTriggers
from adapters.postgres.job_rows import due_moment, timestamp
from adapters.postgres.literals import array
from adapters.postgres.names import job_key, storable
from ports.firings import FiringRecord, FiringState
from ports.jobs import Job, JobKind, Position, StoreName, UnreadableReason, UnreadableRow
from ports.overview import (
    LAG_STEPS,
    FiringBatch,
    FiringTally,
    Mentions,
    ReplicaSeen,
    ScheduledBatch,
    ScheduledTriggers,
)

# Rows that the index doesn't have are unreadable, somebody else's, or about to be looked at (`index_keeper.py`).
_SCHEDULED = f"""
    WITH page AS MATERIALIZED (
        SELECT id, next_run_time FROM {{jobs}} WHERE id > %(after)s ORDER BY id LIMIT %(limit)s
    )
    SELECT x.trigger_key::text, p.next_run_time, count(*), min(p.id), (SELECT max(id) FROM page)
    FROM page AS p LEFT JOIN {{index}} AS x ON x.job_id = p.id AND x.kind = '{JobKind.EXECUTE_GRAPH.value}'
    GROUP BY 1, 2
"""  # noqa: S608  texts of ours
# A pickle holds text as UTF-8, so the text is looked for among its bytes, written as ASCII to lower their case.
_MENTIONING = """
    WITH page AS MATERIALIZED (
        SELECT id, row_number() OVER (ORDER BY {order}) AS number FROM {{jobs}}
        WHERE {behind} ORDER BY {order} LIMIT %(limit)s
    ), looked_at AS (
        SELECT j.*, p.number,
            strpos(lower(encode(j.job_state, 'escape') COLLATE "C"), %(text)s COLLATE "C") > 0 AS mentions
        FROM page AS p JOIN {{jobs}} AS j ON j.id = p.id
    )
    SELECT id, job_state, next_run_time, mentions, number FROM looked_at
    WHERE mentions OR number = (SELECT count(*) FROM page) ORDER BY number LIMIT %(most)s
"""
_SCHEDULED_MENTIONING = _MENTIONING.format(
    order='next_run_time, id COLLATE "C"',
    behind='next_run_time >= %(time)s AND (next_run_time > %(time)s OR id COLLATE "C" > %(id)s)',
)
_PAUSED_MENTIONING = _MENTIONING.format(
    order='id COLLATE "C"', behind='next_run_time IS NULL AND id COLLATE "C" > %(id)s'
)
_FIRINGS = """
    WITH batch AS MATERIALIZED (
        SELECT id, claimed_at, scheduled_at, dispatched_at, attempts, state, owner FROM {firings}
        WHERE id < %(before)s ORDER BY id DESC LIMIT %(limit)s
    )
    SELECT date_trunc('minute', claimed_at), state, owner,
        CASE WHEN attempts <= 1
            THEN width_bucket(extract(epoch FROM dispatched_at - scheduled_at)::float8, %(steps)s::float8[]) END,
        count(*), min(id)
    FROM batch GROUP BY 1, 2, 3, 4
"""
_LATEST = f"""
    SELECT f.* FROM unnest(%(keys)s::uuid[]) AS k (job_key) CROSS JOIN LATERAL (
        SELECT {RECORD} FROM {{firings}} AS f WHERE f.job_key = k.job_key ORDER BY f.scheduled_at DESC LIMIT 1
    ) AS f
"""  # noqa: S608  texts of ours
_REPLICAS = "SELECT replica, seen_at FROM {replicas} ORDER BY replica"
_LEFT_ALONE = """
    SELECT q.job_id, q.reason, q.detail FROM {quarantine} AS q
    WHERE q.store = %(store)s
        AND EXISTS (SELECT FROM {jobs} AS j WHERE j.id = q.job_id AND j.xmin::text = q.row_version)
    ORDER BY q.job_id LIMIT %(limit)s
"""
_LARGEST_ID = 2**63 - 1


class PostgresOverview:
    """Answers from the tables as they are, through the RPC lane."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._names = database.names
        self._known = KnownTriggers(database.names)
        self._scheduled, self._mentioning, self._paused_mentioning = (
            self._names.sql(text, store=INDEXED) for text in (_SCHEDULED, _SCHEDULED_MENTIONING, _PAUSED_MENTIONING)
        )

    async def scheduled(self, *, after: str = "", limit: int) -> ScheduledBatch:
        """Return the triggers of some jobs, by id."""

        def read(connection: Connection) -> ScheduledBatch:
            return self._read_scheduled(connection, after, limit)

        return await self._database.run(Lane.RPC, read)

    def _read_scheduled(self, connection: Connection, after: str, limit: int) -> ScheduledBatch:
        rows = connection.exec_driver_sql(self._scheduled, {"after": after, "limit": limit}).all()
        counted = [(key, time, count, sample) for key, time, count, sample, _ in rows if key is not None]
        self._known.learn(connection, [(sample, key) for key, _, _, sample in counted])
        groups = [
            ScheduledTriggers(trigger, None if time is None else due_moment(time), count)
            for key, time, count, _ in counted
            if (trigger := self._known.get(key)) is not None
        ]
        end = rows[0][4] if sum(row[2] for row in rows) == limit else None
        return ScheduledBatch(groups, end)

    async def mentioning(self, text: str, *, after: Position | None = None, limit: int, most: int = 50) -> Mentions:
        """Return jobs whose pickles mention a text, in order."""
        time, last_id = (float("-inf"), "") if after is None else (timestamp(after.next_run_at), after.id)
        parameters = {"time": time, "id": last_id, "limit": limit, "most": most, "text": _among_bytes(text)}

        def read(connection: Connection) -> Mentions:
            statement = self._paused_mentioning if time is None else self._mentioning
            rows = connection.exec_driver_sql(statement, parameters).all()
            decoded = [decode(row[0], bytes(row[1]), row[2]) for row in rows if row[3]]
            jobs = [job for job in decoded if isinstance(job, Job) and job.kind is JobKind.EXECUTE_GRAPH]
            if rows and (len(rows) == most or rows[-1][4] == limit):
                last_id, _, last_time = rows[-1][:3]
                return Mentions(jobs, Position(None if last_time is None else due_moment(last_time), last_id))
            return Mentions(jobs, None if time is None else Position(None, ""))

        return await self._database.run_statement(Lane.RPC, read)

    async def firings(self, *, before_id: int | None = None, limit: int) -> FiringBatch:
        """Tally some firings, newest first."""
        before = _LARGEST_ID if before_id is None else before_id
        rows = await self._rows(self._names.sql(_FIRINGS), before=before, limit=limit, steps=array(LAG_STEPS))
        tallies = [
            FiringTally(minute, FiringState(state), owner, step, count)
            for minute, state, owner, step, count, _ in rows
        ]
        seen = sum(tally.count for tally in tallies)
        return FiringBatch(tallies, min(row[5] for row in rows) if seen == limit else None)

    async def latest(self, job_ids: Sequence[str]) -> Mapping[str, FiringRecord]:
        """Return the latest firings of some jobs."""
        keys = array(job_key(INDEXED, job_id) for job_id in job_ids if storable(job_id))
        records = [to_record(row) for row in await self._rows(self._names.sql(_LATEST), keys=keys)]
        return {record.job_id: record for record in records}

    async def replicas(self) -> Sequence[ReplicaSeen]:
        """Return the living replicas."""
        return [ReplicaSeen(name, seen_at) for name, seen_at in await self._rows(self._names.sql(_REPLICAS))]

    async def left_alone(self, *, limit: int) -> Sequence[UnreadableRow]:
        """Return rows that claims stepped around, and that are still as they were met."""
        found: list[UnreadableRow] = []
        for store in (StoreName.EXECUTION, StoreName.BATCHED_NOTIFICATIONS):
            statement = self._names.sql(_LEFT_ALONE, store=store)
            rows = await self._rows(statement, store=store.value, limit=limit - len(found))
            found += [UnreadableRow(row_id, UnreadableReason(reason), detail) for row_id, reason, detail in rows]
        return found

    async def _rows(self, statement: str, **parameters: Any) -> Sequence[Any]:
        def read(connection: Connection) -> Sequence[Any]:
            return connection.exec_driver_sql(statement, parameters).all()

        return await self._database.run_statement(Lane.RPC, read)


def _among_bytes(text: str) -> str:
    """Return how PostgreSQL writes the UTF-8 of a text, its ASCII letters in lower case."""
    escaped = {0x00: "\\000", 0x5C: "\\\\"}
    return "".join(
        escaped.get(byte, chr(byte) if byte < 0x80 else f"\\{byte:03o}")  # noqa: PLR2004  beyond ASCII
        for byte in text.encode("utf-8", "replace").lower()
    )
