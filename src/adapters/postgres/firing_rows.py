"""Rows of `scheduler_firings`: written by claims, cancelled with their job, read as records."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adapters.postgres.job_index import payload_bytes
from adapters.postgres.literals import array
from adapters.postgres.names import Names, escaped, hash_key, job_key, unescaped
from adapters.postgres.payloads import JsonPayload
from ports.firings import Firing, FiringRecord, FiringState, NewFiring

FIRING = "f.id, f.store, f.job_id, f.kind, f.scheduled_at, f.claimed_at, f.payload, f.attempts, f.coalesced"
RECORD = (
    "f.id, f.store, f.job_id, f.kind, f.user_id, f.graph_id, f.scheduled_at, f.claimed_at, f.dispatched_at,"
    " f.finished_at, f.state, f.attempts, f.coalesced, f.execution_id, f.code, f.error, f.attempt_at"
)

_INSERT = """
    INSERT INTO {firings} AS f (
        store, job_key, job_id, kind, scheduled_at, claimed_at, coalesced, user_key, user_id, graph_id,
        rare_state, owner, finished_at, payload
    )
    SELECT %(store)s, n.job_key, n.job_id, n.kind, n.scheduled_at, %(now)s, n.coalesced,
        n.user_key, n.user_id, n.graph_id,
        CASE WHEN n.dropped THEN 'dropped' END,
        CASE WHEN NOT n.dropped THEN %(owner)s END,
        CASE WHEN n.dropped THEN %(now)s::timestamptz END,
        CASE WHEN NOT n.dropped THEN n.payload END
    FROM unnest(
        %(job_keys)s::uuid[], %(job_ids)s::text[], %(kinds)s::text[], %(scheduled)s::timestamptz[],
        %(coalesced)s::bigint[], %(dropped)s::bool[], %(user_keys)s::bigint[], %(user_ids)s::text[],
        %(graph_ids)s::text[], %(payloads)s::bytea[]
    ) AS n (
        job_key, job_id, kind, scheduled_at, coalesced, dropped, user_key, user_id, graph_id, payload
    )
    ON CONFLICT (job_key, scheduled_at) DO NOTHING
    RETURNING f.id, f.job_id, f.scheduled_at
"""
_ENQUEUE = """
    WITH fresh AS (
        INSERT INTO {firings} (
            store, job_key, job_id, kind, scheduled_at, claimed_at, coalesced, user_key, user_id, graph_id,
            rare_state, attempt_at, payload
        )
        SELECT %(store)s, n.job_key, n.job_id, n.kind, n.scheduled_at, %(now)s, n.coalesced,
            n.user_key, n.user_id, n.graph_id, 'waiting', %(now)s, n.payload
        FROM unnest(
            %(job_keys)s::uuid[], %(job_ids)s::text[], %(kinds)s::text[], %(scheduled)s::timestamptz[],
            %(coalesced)s::bigint[], %(user_keys)s::bigint[], %(user_ids)s::text[],
            %(graph_ids)s::text[], %(payloads)s::bytea[]
        ) AS n (job_key, job_id, kind, scheduled_at, coalesced, user_key, user_id, graph_id, payload)
        ON CONFLICT (job_key, scheduled_at) DO NOTHING
        RETURNING scheduled_at
    )
    SELECT scheduled_at, pg_notify(%(channel)s, '') FROM fresh
"""
CANCEL = """
    UPDATE {firings} AS f SET
        cancelled = true,
        rare_state = CASE WHEN f.state = 'leased' THEN f.rare_state ELSE 'cancelled' END,
        finished_at = CASE WHEN f.state <> 'leased' THEN %(now)s::timestamptz END,
        attempt_at = NULL,
        payload = CASE WHEN f.state = 'leased' THEN payload END
    WHERE f.job_key = ANY (%(job_keys)s::uuid[]) AND f.state IN ('leased', 'waiting', 'held')
"""
"""Cancels jobs' firings that wait, and marks the leased ones, whose outcome decides (`settle`)."""


def insert_firings(
    connection: Connection,
    names: Names,
    firings: Sequence[tuple[NewFiring, bytes]],
    *,
    store: str,
    owner: str,
    now: datetime,
) -> list[Firing]:
    """Record firings, each with its payload's bytes; return those that are new and to be dispatched, in order."""
    if not firings:
        return []
    new = [firing for firing, _ in firings]
    rows = connection.exec_driver_sql(
        names.sql(_INSERT),
        {
            "owner": owner,
            "now": now,
            "dropped": array(firing.dropped for firing in new),
            "payloads": array(payload for _, payload in firings),
            **_columns(new, store),
        },
    )
    ids = {(job_id, scheduled_at): firing_id for firing_id, job_id, scheduled_at in rows}
    return [
        Firing(
            id=firing_id,
            store=store,
            job_id=firing.job_id,
            kind=str(firing.kind),
            scheduled_at=firing.scheduled_at,
            claimed_at=now,
            payload=firing.payload,
            coalesced=firing.coalesced,
        )
        for firing in new
        if not firing.dropped and (firing_id := ids.pop((firing.job_id, firing.scheduled_at), None)) is not None
    ]


def enqueue_firings(
    connection: Connection,
    names: Names,
    firings: Sequence[NewFiring],
    *,
    store: str,
    now: datetime,
    channel: str,
) -> frozenset[datetime]:
    """Record firings that wait for pick-up; return the due times of those that are new, and notify for them."""
    if not firings:
        return frozenset()
    rows = connection.exec_driver_sql(
        names.sql(_ENQUEUE),
        {
            "now": now,
            "channel": channel,
            "payloads": array(payload_bytes(firing.payload) for firing in firings),
            **_columns(firings, store),
        },
    )
    return frozenset(scheduled_at for scheduled_at, _ in rows)


def _columns(firings: Sequence[NewFiring], store: str) -> dict[str, str]:
    """Return what every way of recording firings writes of them."""
    users = [_text(firing.payload.get("user_id")) for firing in firings]
    return {
        "store": store,
        "job_keys": array(job_key(store, firing.job_id) for firing in firings),
        "job_ids": array(firing.job_id for firing in firings),
        "kinds": array(str(firing.kind) for firing in firings),
        "scheduled": array(firing.scheduled_at for firing in firings),
        "coalesced": array(firing.coalesced for firing in firings),
        "user_keys": array(None if user is None else hash_key(user) for user in users),
        "user_ids": array(escaped(user) for user in users),
        "graph_ids": array(escaped(_text(firing.payload.get("graph_id"))) for firing in firings),
    }


def cancel_firings(
    connection: Connection, names: Names, *, store: str, job_ids: Iterable[str], now: datetime
) -> None:
    """Do what `CANCEL` does."""
    connection.exec_driver_sql(names.sql(CANCEL), cancel_parameters(store=store, job_ids=job_ids, now=now))


def cancel_parameters(*, store: str, job_ids: Iterable[str], now: datetime) -> dict[str, object]:
    """Return what `CANCEL` takes."""
    return {"job_keys": array(job_key(store, job_id) for job_id in job_ids), "now": now}


def to_firing(row: Sequence[Any]) -> Firing:
    """Return the firing of a row with the columns of `FIRING`, in that order."""
    return Firing(
        id=row[0],
        store=row[1],
        job_id=row[2],
        kind=row[3],
        scheduled_at=row[4],
        claimed_at=row[5],
        payload={} if row[6] is None else JsonPayload(bytes(row[6])),
        attempts=row[7],
        coalesced=row[8],
    )


def to_record(row: Sequence[Any]) -> FiringRecord:
    """Return the record of a row with the columns of `RECORD`, in that order."""
    return FiringRecord(
        id=row[0],
        store=row[1],
        job_id=row[2],
        kind=row[3],
        user_id=unescaped(row[4]),
        graph_id=unescaped(row[5]),
        scheduled_at=row[6],
        claimed_at=row[7],
        dispatched_at=row[8],
        finished_at=row[9],
        state=FiringState(row[10]),
        attempts=row[11],
        coalesced=row[12],
        execution_id=unescaped(row[13]),
        code=unescaped(row[14]),
        error=unescaped(row[15]),
        attempt_at=row[16],
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
