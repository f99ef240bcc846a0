"""The quick claim: rows that the index describes are never decoded.

The index gives a row's trigger and payload, the plan is asked once for each distinct trigger and due time, and one
statement moves the rows on and records their firings: it writes the column, and over the ten bytes of the pickle
that say when the job runs next. Everything else in the pickle stays as whoever wrote it left it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from adapters.apscheduler.job_state import next_run_bytes
from adapters.apscheduler.triggers import own_zone
from adapters.postgres.job_index import MATCHES, KnownTriggers
from adapters.postgres.job_rows import timestamp
from adapters.postgres.literals import array, element, joined
from adapters.postgres.names import Names
from adapters.postgres.payloads import JsonPayload
from adapters.postgres.planned import Planned
from ports.firings import Firing
from ports.jobs import Advance, StoreName

# The digest is looked at outside of the part that locks: in a WHERE there the planner would reckon it for every
# row that is due, not for those within the limit.
_DUE_INDEXED = f"""
    WITH j AS MATERIALIZED ({{due}})
    SELECT j.id, j.next_run_time, j.row_version, e.trigger_key, e.kind, e.payload,
        CASE WHEN e.trigger_key IS NULL THEN j.job_state END
    FROM j LEFT JOIN LATERAL (
        SELECT x.trigger_key::text, x.kind, x.payload FROM {{index}} AS x
        WHERE x.job_id = j.id AND x.next_run_offset IS NOT NULL AND x.payload IS NOT NULL AND {MATCHES}
    ) AS e ON true
    ORDER BY j.next_run_time
"""  # noqa: S608  texts of ours
_STATES = "SELECT id, next_run_time, job_state, xmin::text FROM {jobs} WHERE id = ANY (%(ids)s::text[])"
_PATCH = """
    WITH n AS MATERIALIZED (
        SELECT * FROM unnest(
            %(ids)s::text[], %(times)s::float8[], %(next_runs)s::bytea[], %(scheduled)s::timestamptz[],
            %(coalesced)s::bigint[], %(dropped)s::bool[]
        ) AS n (id, next_run_time, next_run, scheduled_at, coalesced, dropped)
    ), advanced AS (
        UPDATE {jobs} AS j SET
            next_run_time = n.next_run_time,
            job_state = overlay(j.job_state PLACING n.next_run FROM x.next_run_offset + 1)
        FROM n JOIN {index} AS x ON x.job_id = n.id
        WHERE j.id = n.id
    )
    INSERT INTO {firings} AS f (
        store, job_key, job_id, kind, scheduled_at, claimed_at, coalesced, user_key, user_id, graph_id,
        rare_state, owner, finished_at, payload
    )
    SELECT %(store)s, x.job_key, x.job_id, x.kind, n.scheduled_at, %(now)s, n.coalesced,
        x.user_key, x.user_id, x.graph_id,
        CASE WHEN n.dropped THEN 'dropped' END,
        CASE WHEN NOT n.dropped THEN %(owner)s END,
        CASE WHEN n.dropped THEN %(now)s::timestamptz END,
        CASE WHEN NOT n.dropped THEN x.payload END
    FROM n JOIN {index} AS x ON x.job_id = n.id
    ON CONFLICT (job_key, scheduled_at) DO NOTHING
    RETURNING f.id, f.job_id
"""


@dataclass(slots=True)
class Patched:
    """What was claimed the quick way, and what was locked and is left to the plain way."""

    firings: list[Firing]
    others: list[tuple[str, float, bytes, str]]
    taken: int


@dataclass(frozen=True, slots=True)
class _Move:
    """What happens to every row of one trigger and due time, and how that reads in an array of the statement."""

    time: str
    next_run: str
    scheduled: str
    folded: str
    dropped: str
    advance: Advance

    @staticmethod
    def of(advance: Advance) -> "_Move":
        """Write the values once, however many rows they are for."""
        assert advance.next_run_at is not None
        return _Move(
            time=element(timestamp(advance.next_run_at)),
            next_run=element(next_run_bytes(advance.next_run_at)),
            scheduled=element(advance.scheduled_at.astimezone(UTC)),
            folded=element(advance.coalesced),
            dropped=element(advance.dropped),
            advance=advance,
        )


class PatchedClaims:
    """Claims of one table the quick way. `due` is the statement that locks due rows."""

    def __init__(self, names: Names, store: StoreName, *, due: str) -> None:
        self._store = store
        self._due = names.sql(_DUE_INDEXED.replace("{due}", due.strip()), store=store)
        self._states, self._patch = (names.sql(text, store=store) for text in (_STATES, _PATCH))
        self._triggers = KnownTriggers(names)

    def claim(
        self,
        connection: Connection,
        due: Mapping[str, Any],
        planned: Planned,
        *,
        owner: str,
        claimed_at: datetime,
    ) -> Patched:
        """Lock due rows, move on those that the index describes, and record their firings."""
        rows = connection.exec_driver_sql(self._due, due).all()
        self._triggers.learn(connection, ((row[0], row[3]) for row in rows if row[3] is not None))
        ready: list[tuple[str, str, Any, _Move]] = []
        others: list[tuple[str, float, bytes, str]] = []
        stateless: list[str] = []
        moves: dict[tuple[str, float], _Move | None] = {}
        for row_id, time, version, key, kind, payload, state in rows:
            if key is None:
                others.append((row_id, time, bytes(state), version))
                continue
            identity = (key, time)
            if identity not in moves:
                moves[identity] = self._move(key, time, planned)
            move = moves[identity]
            if move is None:
                stateless.append(row_id)
            else:
                ready.append((row_id, kind, payload, move))
        if stateless:
            states = connection.exec_driver_sql(self._states, {"ids": array(stateless)})
            others += [(row_id, time, bytes(state), version) for row_id, time, state, version in states]
        firings = self._record(connection, ready, owner, claimed_at) if ready else []
        return Patched(
            firings=firings,
            others=others,
            taken=len(ready),
        )

    def _move(self, key: str, time: float, planned: Planned) -> _Move | None:
        """Return what happens to such rows, None for what has to be decoded."""
        trigger = self._triggers.get(key)
        if trigger is None:
            return None
        zone = own_zone(trigger) or UTC
        try:
            advance = planned(trigger, datetime.fromtimestamp(time, UTC))
            if advance.next_run_at is None:
                return None  # the row is to be deleted, which the plain way does together with recording its firing
            return _Move.of(replace(advance, next_run_at=advance.next_run_at.astimezone(zone)))
        except (ValueError, OverflowError, OSError):
            return None

    def _record(
        self, connection: Connection, ready: Sequence[tuple[str, str, Any, _Move]], owner: str, claimed_at: datetime
    ) -> list[Firing]:
        recorded = connection.exec_driver_sql(
            self._patch,
            {
                "store": self._store.value,
                "owner": owner,
                "now": claimed_at,
                "ids": array(row_id for row_id, _, _, _ in ready),
                "times": joined([move.time for _, _, _, move in ready]),
                "next_runs": joined([move.next_run for _, _, _, move in ready]),
                "scheduled": joined([move.scheduled for _, _, _, move in ready]),
                "coalesced": joined([move.folded for _, _, _, move in ready]),
                "dropped": joined([move.dropped for _, _, _, move in ready]),
            },
        )
        ids = {job_id: firing_id for firing_id, job_id in recorded}
        return [
            Firing(
                id=ids[row_id],
                store=self._store.value,
                job_id=row_id,
                kind=kind,
                scheduled_at=move.advance.scheduled_at.astimezone(UTC),
                claimed_at=claimed_at,
                payload=JsonPayload(bytes(payload)),
                coalesced=move.advance.coalesced,
            )
            for row_id, kind, payload, move in ready
            if not move.advance.dropped and row_id in ids
        ]
