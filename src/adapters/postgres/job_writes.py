"""Adding and removing rows, many in one transaction."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from adapters.apscheduler.job_state import decode, encode
from adapters.postgres.firing_rows import CANCEL, cancel_parameters
from adapters.postgres.job_index import FORGET, INDEXED, STORE_WITH, JobEntry, own_entry
from adapters.postgres.job_rows import NOTIFY_IF_SOON, timestamp
from adapters.postgres.literals import array, element, joined
from adapters.postgres.names import MAX_ID_LENGTH, Names, storable
from ports.clock import Clock
from ports.jobs import Job, StoreName, UnreadableRow

_INSERT = """
    WITH stored AS (
        INSERT INTO {jobs} (id, next_run_time, job_state)
        SELECT * FROM unnest(%(ids)s::text[], %(times)s::float8[], %(states)s::bytea[])
        ON CONFLICT (id) DO NOTHING RETURNING id, next_run_time
    )
"""
_LOCK = """
    SELECT id, job_state, next_run_time FROM {jobs} WHERE id = ANY (%(ids)s::text[]) ORDER BY id FOR UPDATE
"""
_COUNT = "SELECT count(*) FROM {jobs} WHERE id = ANY (%(ids)s::text[])"
_DELETE = "DELETE FROM {jobs} WHERE id = ANY (%(ids)s::text[])"

Removal = tuple[str, Callable[[Job], None]]
"""A job's id, and who may forbid that it is removed, by raising."""

NewRow = tuple[str, tuple[str, ...]]
"""A job's id, and its values as elements of the array literals of the columns."""


class InsertJobs:
    """Inserts rows whose ids are free; says of each whether it was. A single statement."""

    def __init__(self, names: Names, store: StoreName, *, channel: str, notify_within_secs: float) -> None:
        self._indexed = store is INDEXED
        entries = f", entries AS ({STORE_WITH})" if self._indexed else ""
        self._insert = names.sql(_INSERT + entries + NOTIFY_IF_SOON, store=store)
        self._columns = ("ids", "times", "states", *(JobEntry.__slots__ if self._indexed else ()))
        self._wake = {"channel": channel, "notify_within": notify_within_secs}

    def row(self, job: Job) -> NewRow:
        """Return `job` as it is inserted. Raises ValueError for what no row can hold."""
        if not storable(job.id) or len(job.id) > MAX_ID_LENGTH:
            raise ValueError("no row can have this id")
        job_state = encode(job)
        values: list[object] = [str(job.id), timestamp(job.next_run_at), job_state]
        if self._indexed:
            entry = own_entry(job, job_state)
            values.extend(getattr(entry, name) for name in JobEntry.__slots__)
        return job.id, tuple(map(element, values))

    def __call__(self, connection: Connection, rows: Sequence[NewRow]) -> Sequence[bool]:
        """Insert `rows`. Of two with one id the first counts."""
        numbers = {job_id: number for number, (job_id, _) in reversed(list(enumerate(rows)))}
        # In the order of their ids: two transactions that add the same ones must not wait for each other.
        columns = zip(*(rows[numbers[job_id]][1] for job_id in sorted(numbers)), strict=True)
        parameters = {**dict(zip(self._columns, map(joined, columns), strict=True)), **self._wake}
        results = [False] * len(rows)
        for job_id, _ in connection.exec_driver_sql(self._insert, parameters):
            results[numbers[job_id]] = True
        return results


class LockedElsewhereError(Exception):
    """Somebody else has a row locked, so that others in the batch should not wait for it."""


class RemoveJobs:
    """Removes jobs with their entries, and cancels what waits; returns each as it was, None where there is none."""

    def __init__(self, names: Names, store: StoreName, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock, self._try_lock, self._count = (
            names.sql(text, store=store) for text in (_LOCK, f"{_LOCK} SKIP LOCKED", _COUNT)
        )
        entries = f", entries AS ({FORGET})" if store is INDEXED else ""
        self._delete = names.sql(f"WITH cancelled AS ({CANCEL}){entries}{_DELETE}", store=store)

    def __call__(self, connection: Connection, removals: Sequence[Removal]) -> Sequence[Job | Exception | None]:
        """Remove those that nobody forbids."""
        wanted = {job_id for job_id, _ in removals if storable(job_id)}
        found: dict[str, Job | UnreadableRow] = {}
        if wanted:
            ids = {"ids": array(wanted)}
            several = len(wanted) > 1
            for row_id, state, time in connection.exec_driver_sql(self._try_lock if several else self._lock, ids):
                found[row_id] = decode(row_id, bytes(state), time)
            missed = several and len(found) < len(wanted)
            if missed and len(found) < connection.exec_driver_sql(self._count, ids).scalar_one():
                raise LockedElsewhereError  # then each is served alone
        results: list[Job | Exception | None] = []
        removed: list[str] = []
        for job_id, allow in removals:
            job = found.get(job_id)
            if not isinstance(job, Job):
                results.append(None)
                continue
            try:
                allow(job)
            except Exception as error:  # noqa: BLE001  the caller's own rule; `Combined` raises it to that caller
                results.append(error)
            else:
                del found[job_id]
                removed.append(job_id)
                results.append(job)
        if removed:
            # A claim of these jobs was waited for by the rows' locks, so this statement sees its firings.
            cancelled = cancel_parameters(store=self._store.value, job_ids=removed, now=self._clock.now())
            connection.exec_driver_sql(self._delete, {"ids": array(removed), **cancelled})
        return results
