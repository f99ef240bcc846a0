"""The quick claim: rows that the index describes are never decoded.

The index gives a row's trigger and payload, the plan is asked once for each distinct trigger and due time, and one
statement locks the rows, moves them on and records their firings: it writes the column, and over the ten bytes of
the pickle that say when the job runs next. Everything else in the pickle stays as whoever wrote it left it.

The statement has to know the plan, and the plan what is due. So it is given the moves of the claim before, which in
a rush are those of this one, and gives back what it has locked and could not move; that is planned, and moved by
the same statement, looking for these rows. Off a rush there are two statements, in a rush one.
"""

import itertools
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

# What is due is found and locked first: a digest in its WHERE the planner would reckon for every row that is due,
# not for those within the limit. Moves are told apart by trigger and due time, as one text of the server's making.
# Nothing else is so quick to look up as a constant array.
_MOVE_ON = f"""
    WITH due AS MATERIALIZED ({{due}}), seen AS MATERIALIZED (
        SELECT j.id, j.next_run_time, e.*, array_position(%(moves)s::text[], e.move) AS place
        FROM due AS j LEFT JOIN LATERAL (
            SELECT x.trigger_key || ' ' || j.next_run_time AS move, x.kind, x.next_run_offset,
                x.job_key, x.user_key, x.user_id, x.graph_id, x.payload
            FROM {{index}} AS x
            WHERE x.job_id = j.id AND x.next_run_offset IS NOT NULL AND x.payload IS NOT NULL AND {MATCHES}
        ) AS e ON true
    ), advanced AS (
        UPDATE {{jobs}} AS j SET
            next_run_time = (%(times)s::float8[])[s.place],
            job_state = overlay(j.job_state PLACING (%(next_runs)s::bytea[])[s.place] FROM s.next_run_offset + 1)
        FROM seen AS s
        WHERE j.id = s.id AND s.place IS NOT NULL
    ), recorded AS (
        INSERT INTO {{firings}} AS f (
            store, job_key, job_id, kind, scheduled_at, claimed_at, coalesced, user_key, user_id, graph_id,
            rare_state, owner, finished_at, payload
        )
        SELECT %(store)s, s.job_key, s.id, s.kind, (%(scheduled)s::timestamptz[])[s.place], %(claimed_at)s,
            (%(coalesced)s::bigint[])[s.place], s.user_key, s.user_id, s.graph_id,
            CASE WHEN (%(dropped)s::bool[])[s.place] THEN 'dropped' END,
            CASE WHEN NOT (%(dropped)s::bool[])[s.place] THEN %(owner)s END,
            CASE WHEN (%(dropped)s::bool[])[s.place] THEN %(claimed_at)s::timestamptz END,
            CASE WHEN NOT (%(dropped)s::bool[])[s.place] THEN s.payload END
        FROM seen AS s WHERE s.place IS NOT NULL
        ON CONFLICT (job_key, scheduled_at) DO NOTHING
        RETURNING f.id, f.job_id, f.kind, f.payload, extract(epoch FROM f.scheduled_at)::float8 AS due, f.coalesced,
            f.owner
    )
    SELECT id, job_id, kind, payload, due, coalesced FROM recorded WHERE owner IS NOT NULL
    UNION ALL SELECT NULL, id, move, NULL, next_run_time, NULL FROM seen WHERE place IS NULL
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, count(*) FROM seen WHERE place IS NOT NULL
"""  # noqa: S608  texts of ours
_LOCKED = "SELECT j.id, j.next_run_time, j.job_state FROM {jobs} AS j WHERE j.id = ANY (%(ids)s::text[])"
_STATES = "SELECT id, next_run_time, job_state, xmin::text FROM {jobs} WHERE id = ANY (%(ids)s::text[])"
_KEY_LENGTH = 36  # of the trigger's key, with which a move's text begins
_MOST_GUESSED = 100

DueRow = tuple[str, float, bytes, str]
"""Id, due time, pickle and version."""


@dataclass(slots=True)
class Patched:
    """What was claimed the quick way, and what was locked and is left to the plain way."""

    firings: list[Firing]
    others: list[DueRow]
    taken: int


@dataclass(frozen=True, slots=True)
class _Move:
    """What happens to every row of one trigger and due time, and how that reads in an array of the statement."""

    time: str
    next_run: str
    scheduled: str
    folded: str
    dropped: str
    scheduled_at: datetime

    @staticmethod
    def of(advance: Advance) -> "_Move":
        """Write the values once, however many rows they are for."""
        assert advance.next_run_at is not None
        scheduled_at = advance.scheduled_at.astimezone(UTC)
        return _Move(
            time=element(timestamp(advance.next_run_at)),
            next_run=element(next_run_bytes(advance.next_run_at)),
            scheduled=element(scheduled_at),
            folded=element(advance.coalesced),
            dropped=element(advance.dropped),
            scheduled_at=scheduled_at,
        )


@dataclass(slots=True)
class _Seen:
    """What one statement locked: firings of what it moved on (`moved`, with dropped ones), and what it could not.

    `left` has id, move and due time of rows; no move where the index does not describe the row.
    """

    firings: list[Firing]
    left: list[tuple[str, str | None, float]]
    moved: int


class PatchedClaims:
    """Claims of one table the quick way. `due` is the statement that locks due rows."""

    def __init__(self, names: Names, store: StoreName, *, due: str) -> None:
        self._store = store
        self._claim, self._move_locked = (
            names.sql(_MOVE_ON.replace("{due}", rows.strip()), store=store) for rows in (due, _LOCKED)
        )
        self._states = names.sql(_STATES, store=store)
        self._triggers = KnownTriggers(names)
        self._guesses: Mapping[str, float] = {}

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
        parameters = {**due, "owner": owner, "claimed_at": claimed_at}
        seen = self._run(connection, self._claim, parameters, self._moves(self._guesses, planned))
        firings, left, moved = seen.firings, seen.left, seen.moved
        described = [(row_id, move, time) for row_id, move, time in left if move is not None]
        self._triggers.learn(connection, ((row_id, move[:_KEY_LENGTH]) for row_id, move, _ in described))
        times = {move: time for _, move, time in described}
        if moves := self._moves(times, planned):
            parameters["ids"] = array(row_id for row_id, move, _ in described if move in moves)
            rest = self._run(connection, self._move_locked, parameters, moves)
            firings, moved = firings + rest.firings, moved + rest.moved
            left = [row for row in left if row[1] not in moves] + rest.left
        self._guess(times, full=moved + len(left) >= due["limit"])
        firings.sort(key=lambda firing: firing.scheduled_at)
        return Patched(firings=firings, others=self._rows(connection, left), taken=moved)

    def _guess(self, times: Mapping[str, float], *, full: bool) -> None:
        """Remember what the next claim will find more of, if this one left anything.

        It goes on where this one ended. What was due before is done with, and some of it takes long to plan.
        """
        known = {**times, **self._guesses} if full else {}
        last = max(known.values(), default=0.0)
        latest = ((move, time) for move, time in known.items() if time == last)
        self._guesses = dict(itertools.islice(latest, _MOST_GUESSED))

    def _moves(self, times: Mapping[str, float], planned: Planned) -> Mapping[str, _Move]:
        """Return what happens to rows, by trigger and due time; what has to be decoded is left out."""
        moves = {move: self._move(move[:_KEY_LENGTH], time, planned) for move, time in times.items()}
        return {name: move for name, move in moves.items() if move is not None}

    def _move(self, key: str, time: float, planned: Planned) -> _Move | None:
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

    def _run(
        self, connection: Connection, statement: str, parameters: Mapping[str, Any], moves: Mapping[str, _Move]
    ) -> _Seen:
        rows = connection.exec_driver_sql(statement, {**parameters, **_arrays(moves)}).all()
        # Of the server's microseconds, which are those it was given; but PostgreSQL 13 rounds some of ages ago.
        due_times = {move.scheduled_at.timestamp(): move.scheduled_at for move in moves.values()}
        store, claimed_at = self._store.value, parameters["claimed_at"]
        seen = _Seen(firings=[], left=[], moved=0)
        for firing_id, job_id, text, payload, time, number in rows:
            if firing_id is not None:
                seen.firings.append(
                    Firing(
                        id=firing_id,
                        store=store,
                        job_id=job_id,
                        kind=text,
                        scheduled_at=due_times.get(time) or datetime.fromtimestamp(time, UTC),
                        claimed_at=claimed_at,
                        payload=JsonPayload(bytes(payload)),
                        coalesced=number,
                    )
                )
            elif job_id is not None:
                seen.left.append((job_id, text, time))
            else:
                seen.moved = number
        return seen

    def _rows(self, connection: Connection, left: Sequence[tuple[str, str | None, float]]) -> list[DueRow]:
        """Return locked rows as the plain way needs them."""
        if not left:
            return []
        states = connection.exec_driver_sql(self._states, {"ids": array(row_id for row_id, _, _ in left)})
        return [(row_id, time, bytes(state), version) for row_id, time, state, version in states]


def _arrays(moves: Mapping[str, _Move]) -> dict[str, str]:
    return {
        "moves": array(moves),
        "times": joined(move.time for move in moves.values()),
        "next_runs": joined(move.next_run for move in moves.values()),
        "scheduled": joined(move.scheduled for move in moves.values()),
        "coalesced": joined(move.folded for move in moves.values()),
        "dropped": joined(move.dropped for move in moves.values()),
    }
