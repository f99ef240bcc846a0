"""The claim: one transaction that advances due jobs and records their firings.

The plain way works for every row that can be read: decode, ask the plan, encode. Rows that the index describes go
the quick way (`patched_claims.py`). Either takes a handful of statements a batch, however many rows are in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from adapters.apscheduler.job_state import decode, encode
from adapters.postgres.firing_rows import insert_firings
from adapters.postgres.job_index import FORGET, INDEXED, own_entry, payload_bytes, store_entries
from adapters.postgres.job_rows import timestamp
from adapters.postgres.leases import require_alive
from adapters.postgres.literals import array
from adapters.postgres.names import Names
from adapters.postgres.patched_claims import DueRow, PatchedClaims
from adapters.postgres.planned import Planned
from adapters.postgres.quarantine import NOT_QUARANTINED, RECHECK_AFTER, remember
from ports.firings import Firing, NewFiring
from ports.jobs import Claim, FiringPlan, Job, StoreName, UnreadableReason, UnreadableRow

_DUE = f"""
    SELECT j.id, j.next_run_time, j.job_state, j.xmin::text AS row_version FROM {{jobs}} AS j
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
    """What one job's claim writes: the job as it goes on, and its pickle; None when it has run out."""

    firing: NewFiring
    payload: bytes
    job: Job | None
    state: bytes


class ClaimTransaction:
    """Claims from one table, as a piece of work for `Database.run`."""

    def __init__(self, names: Names, store: StoreName) -> None:
        self._names = names
        self._store = store
        self._patched = PatchedClaims(names, store, due=_DUE) if store is INDEXED else None
        self._due, self._advance, self._run_out, self._forget = (
            names.sql(text, store=store) for text in (_DUE, _ADVANCE, _RUN_OUT, FORGET)
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
        due = {
            "store": self._store.value,
            "now": timestamp(now),
            "checked_after": now - RECHECK_AFTER,
            "limit": limit,
        }
        planned = Planned(plan, now)
        firings: list[Firing] = []
        taken = 0
        if self._patched is None:
            rows: Sequence[DueRow] = [
                (row_id, time, bytes(state), version)
                for row_id, time, state, version in connection.exec_driver_sql(self._due, due)
            ]
        else:
            found = self._patched.claim(connection, due, planned, owner=owner, claimed_at=claimed_at)
            firings, rows, taken = found.firings, found.others, found.taken
        steps, unreadable = self._decoded(rows, planned)
        remember(connection, self._names, unreadable, store=self._store, now=now)
        run_out = self._write(connection, steps)
        if run_out:
            connection.exec_driver_sql(self._run_out, {"ids": array(run_out)})
            connection.exec_driver_sql(self._forget, {"ids": array(run_out)})
        firings += insert_firings(
            connection,
            self._names,
            [(step.firing, step.payload) for step in steps],
            store=self._store.value,
            owner=owner,
            now=claimed_at,
        )
        return Claim(firings=firings, taken=taken + len(rows), unreadable=[row for row, _ in unreadable])

    def _decoded(
        self, rows: Sequence[DueRow], planned: Planned
    ) -> tuple[list[_Step], list[tuple[UnreadableRow, str]]]:
        steps, unreadable = [], []
        for row_id, next_run_time, state, version in rows:
            found = _step(decode(row_id, state, next_run_time), planned)
            if isinstance(found, _Step):
                steps.append(found)
            else:
                unreadable.append((found, version))
        return steps, unreadable

    def _write(self, connection: Connection, steps: Sequence[_Step]) -> list[str]:
        """Write the jobs that go on; return the ids of those that have run out."""
        going_on = [(step.job, step.state) for step in steps if step.job is not None]
        if going_on:
            connection.exec_driver_sql(
                self._advance,
                {
                    "ids": array(job.id for job, _ in going_on),
                    "times": array(timestamp(job.next_run_at) for job, _ in going_on),
                    "states": array(state for _, state in going_on),
                },
            )
            if self._store is INDEXED:
                entries = [own_entry(job, state) for job, state in going_on]
                store_entries(connection, self._names, entries)
        return [step.firing.job_id for step in steps if step.job is None]


def _step(job: Job | UnreadableRow, planned: Planned) -> _Step | UnreadableRow:
    if isinstance(job, UnreadableRow) or job.next_run_at is None:
        assert isinstance(job, UnreadableRow), "a due row has a due time"
        return job
    try:
        advance = planned(job.trigger, job.next_run_at)
        firing = NewFiring(
            job_id=job.id,
            kind=job.kind.value,
            scheduled_at=advance.scheduled_at.astimezone(UTC),
            payload=job.kwargs,
            coalesced=advance.coalesced,
            dropped=advance.dropped,
        )
        payload = payload_bytes(job.kwargs)
        if advance.next_run_at is None:
            return _Step(firing, payload, None, b"")
        job = replace(job, next_run_at=advance.next_run_at)
        return _Step(firing, payload, job, encode(job))
    except (ValueError, TypeError, RecursionError, OverflowError, OSError) as error:
        # One row that has no next run or can't be written again must not keep the others from firing.
        detail = f"can't be moved on ({type(error).__name__})"
        return UnreadableRow(job.id, UnreadableReason.QUARANTINED, detail)
