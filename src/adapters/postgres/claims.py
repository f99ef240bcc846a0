"""The claim: one transaction that advances due jobs and records their firings.

The plain way, which works for every row that can be read: decode, ask the plan, encode. Five statements a batch,
however many rows are in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from adapters.apscheduler.job_state import decode, encode
from adapters.postgres.firing_rows import insert_firings, payload_bytes
from adapters.postgres.job_rows import timestamp
from adapters.postgres.leases import require_alive
from adapters.postgres.literals import array
from adapters.postgres.names import Names
from adapters.postgres.quarantine import NOT_QUARANTINED, RECHECK_AFTER, remember
from ports.firings import NewFiring
from ports.jobs import Advance, Claim, FiringPlan, Job, StoreName, UnreadableReason, UnreadableRow
from ports.triggers import Trigger

_DUE = f"""
    SELECT j.id, j.job_state, j.next_run_time, j.xmin::text FROM {{jobs}} AS j
    WHERE j.next_run_time <= %(now)s AND {NOT_QUARANTINED}
    ORDER BY j.next_run_time LIMIT %(limit)s FOR UPDATE OF j SKIP LOCKED
"""  # noqa: S608  texts of ours
_ADVANCE = """
    UPDATE {jobs} AS j SET next_run_time = n.next_run_time, job_state = n.job_state
    FROM unnest(%(ids)s::text[], %(times)s::float8[], %(states)s::bytea[]) AS n (id, next_run_time, job_state)
    WHERE j.id = n.id
"""
_RUN_OUT = "DELETE FROM {jobs} WHERE id = ANY (%(ids)s::text[])"


@dataclass(frozen=True, slots=True)
class _Step:
    """What one job's claim writes. `state` is the row's new pickle, None when the job has run out."""

    firing: NewFiring
    payload: bytes
    next_run_time: float | None
    state: bytes | None


class ClaimTransaction:
    """Claims from one table, as a piece of work for `Database.run`."""

    def __init__(self, names: Names, store: StoreName) -> None:
        self._names = names
        self._store = store
        self._due, self._advance, self._run_out = (
            names.sql(text, store=store) for text in (_DUE, _ADVANCE, _RUN_OUT)
        )

    def __call__(
        self,
        connection: Connection,
        *,
        now: datetime,
        limit: int,
        owner: str,
        plan: FiringPlan,
        claimed_at: datetime,
    ) -> Claim:
        """Take up to `limit` due jobs (ports/jobs.py, `claim_due`)."""
        require_alive(connection, self._names, owner)
        rows = connection.exec_driver_sql(
            self._due,
            {
                "store": self._store.value,
                "now": timestamp(now),
                "checked_after": now - RECHECK_AFTER,
                "limit": limit,
            },
        ).all()
        steps, unreadable = [], []
        planned = _Planned(plan, now)
        for row_id, state, next_run_time, version in rows:
            found = _step(decode(row_id, bytes(state), next_run_time), planned)
            if isinstance(found, _Step):
                steps.append(found)
            else:
                unreadable.append((found, version))
        remember(connection, self._names, unreadable, store=self._store, now=now)
        self._write(connection, steps)
        firings = insert_firings(
            connection,
            self._names,
            [(step.firing, step.payload) for step in steps],
            store=self._store.value,
            owner=owner,
            now=claimed_at,
        )
        return Claim(firings=firings, taken=len(rows), unreadable=[row for row, _ in unreadable])

    def _write(self, connection: Connection, steps: Sequence[_Step]) -> None:
        going_on = [step for step in steps if step.state is not None]
        if going_on:
            connection.exec_driver_sql(
                self._advance,
                {
                    "ids": array(step.firing.job_id for step in going_on),
                    "times": array(step.next_run_time for step in going_on),
                    "states": array(step.state for step in going_on),
                },
            )
        run_out = [step.firing.job_id for step in steps if step.state is None]
        if run_out:
            connection.exec_driver_sql(self._run_out, {"ids": array(run_out)})


class _Planned:
    """The plan at one moment, asked once for all jobs that share a trigger and a due time."""

    def __init__(self, plan: FiringPlan, now: datetime) -> None:
        self._plan = plan
        self._now = now
        self._known: dict[tuple[Trigger, datetime], Advance] = {}

    def __call__(self, trigger: Trigger, due: datetime) -> Advance:
        advance = self._known.get((trigger, due))
        if advance is None:
            advance = self._known[trigger, due] = self._plan(trigger, due, self._now)
        return advance


def _step(job: Job | UnreadableRow, planned: _Planned) -> _Step | UnreadableRow:
    if isinstance(job, UnreadableRow) or job.next_run_at is None:
        assert isinstance(job, UnreadableRow), "a due row has a due time"
        return job
    advance = planned(job.trigger, job.next_run_at)
    firing = NewFiring(
        job_id=job.id,
        kind=job.kind.value,
        scheduled_at=advance.scheduled_at.astimezone(UTC),
        payload=job.kwargs,
        coalesced=advance.coalesced,
        dropped=advance.dropped,
    )
    try:
        payload = payload_bytes(job.kwargs)
        state = None if advance.next_run_at is None else encode(replace(job, next_run_at=advance.next_run_at))
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        # One row that can't be written again must not keep the others of its batch from firing.
        detail = f"can't be written again ({type(error).__name__})"
        return UnreadableRow(job.id, UnreadableReason.QUARANTINED, detail)
    return _Step(firing, payload, timestamp(advance.next_run_at), state)
