"""The index beside `apscheduler_jobs`: what lists and claims need of a row without decoding it.

It is written with the row, in one statement, by whoever of us writes the row. It is never an authority: a digest
tells whether an entry still describes its row's pickle, all but the ten bytes of the next run, which claims patch
in place. Rows that others write are marked by a trigger, and looked at anew (`index_keeper.py`).
"""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from adapters.apscheduler.job_state import NEXT_RUN_BYTES, decode, written_offset
from adapters.apscheduler.triggers import own_zone
from adapters.postgres.literals import array
from adapters.postgres.names import Names, escaped, hash_key, job_key
from ports.jobs import Job, JobKind, StockOptions, StoreName
from ports.triggers import CronTrigger, DateTrigger, Trigger

INDEXED = StoreName.EXECUTION
"""The store whose table has an index; the others hold a handful of jobs."""

MATCHES = f"""
    (md5(CASE WHEN x.next_run_offset IS NULL THEN j.job_state
        WHEN x.next_run_offset BETWEEN 0 AND octet_length(j.job_state) - {NEXT_RUN_BYTES}
        THEN overlay(j.job_state PLACING '\\x{"00" * NEXT_RUN_BYTES}'::bytea FROM x.next_run_offset + 1)
    END)::uuid = x.digest)
"""
"""Whether entry `x` describes the pickle of row `j`; not with an offset outside of it, which `overlay` refuses."""

_COLUMNS = (
    "job_id, digest, next_run_offset, trigger_key, job_key, kind, user_key, graph_key, user_id, graph_id,"
    " name, options, payload"
)
_REPLACE = f"""
    ON CONFLICT (job_id) DO UPDATE SET ({_COLUMNS}) = ROW (
        {", ".join(f"excluded.{name}" for name in _COLUMNS.split(", "))}
    )
"""
_ENTRIES = f"""
    unnest(
        %(job_id)s::text[], %(digest)s::uuid[], %(next_run_offset)s::int[], %(trigger_key)s::uuid[],
        %(job_key)s::uuid[], %(kind)s::text[], %(user_key)s::bigint[], %(graph_key)s::bigint[],
        %(user_id)s::text[], %(graph_id)s::text[], %(name)s::text[], %(options)s::text[], %(payload)s::bytea[]
    ) AS n ({_COLUMNS})
"""
_STORE = f"INSERT INTO {{index}} ({_COLUMNS}) SELECT n.* FROM {_ENTRIES} {_REPLACE}"  # noqa: S608  texts of ours
STORE_WITH = f"""
    INSERT INTO {{index}} ({_COLUMNS})
    SELECT n.* FROM {_ENTRIES} JOIN stored ON stored.id = n.job_id {_REPLACE}
"""  # noqa: S608  texts of ours
"""Part of a statement that writes rows: stores the entries of those that `stored` has. Takes `entry_columns`."""

FORGET = "DELETE FROM {index} WHERE job_id = ANY (%(ids)s::text[])"
"""Deletes the entries of `ids`."""

_STATES = "SELECT id, job_state, next_run_time FROM {jobs} WHERE id = ANY (%(ids)s::text[])"
_KINDS = {kind.value: kind for kind in JobKind}
_LONGEST_PAYLOAD = 4096
_MOST_TRIGGERS = 100_000
_COMPACT = json.JSONEncoder(separators=(",", ":"))  # made once, which takes as long as to write a payload
_ZEROS = bytes(NEXT_RUN_BYTES)


@dataclass(frozen=True, slots=True)
class JobEntry:
    """An entry, in the order of its columns."""

    job_id: str
    digest: str
    next_run_offset: int | None
    trigger_key: str
    job_key: str
    kind: str
    user_key: int | None
    graph_key: int | None
    user_id: str | None
    graph_id: str | None
    name: str
    options: str
    payload: bytes | None


def entry_of(job: Job, job_state: bytes, *, offset: int | None) -> JobEntry:
    """Return the entry of a row that holds `job` as `job_state`, with the bytes of its next run at `offset`."""
    digested = job_state
    if offset is not None:
        digested = job_state[:offset] + _ZEROS + job_state[offset + NEXT_RUN_BYTES :]
    user_id, graph_id = job.kwargs.get("user_id"), job.kwargs.get("graph_id")
    payload = payload_bytes(job.kwargs)
    # What is due in no zone of its trigger's own can't be told from the column alone.
    quick = len(payload) <= _LONGEST_PAYLOAD and own_zone(job.trigger) is not None
    return JobEntry(
        job_id=str(job.id),  # which may be a member of an enum
        digest=hashlib.md5(digested, usedforsecurity=False).hexdigest(),
        next_run_offset=offset,
        trigger_key=trigger_key(job.trigger),
        job_key=job_key(INDEXED, job.id),
        kind=job.kind.value,
        user_key=_key(user_id),
        graph_key=_key(graph_id),
        user_id=_shown(user_id),
        graph_id=_shown(graph_id),
        name=json.dumps(job.name),
        options=_options_text(job.options),
        payload=payload if quick else None,
    )


def own_entry(job: Job, job_state: bytes) -> JobEntry:
    """Return the entry of a row that `encode` has just made of `job`."""
    return entry_of(job, job_state, offset=written_offset(job_state))


def payload_bytes(payload: Mapping[str, Any]) -> bytes:
    """Return a payload as JSON. Raises ValueError, TypeError or RecursionError for what JSON can't hold."""
    return _COMPACT.encode(payload).encode("ascii")


def store_entries(connection: Connection, names: Names, entries: Sequence[JobEntry]) -> None:
    """Store entries, each instead of what its job had."""
    if entries:
        connection.exec_driver_sql(names.sql(_STORE), entry_columns(entries))


def entry_columns(entries: Sequence[JobEntry]) -> Mapping[str, str]:
    """Return the parameters for `entries` in a statement, an array a column."""
    return {name: array(getattr(entry, name) for entry in entries) for name in JobEntry.__slots__}


def trigger_key(trigger: Trigger) -> str:
    """Return 128 bits that stand for a trigger, and for no other that merely compares equal."""
    if isinstance(trigger, CronTrigger) and trigger.start_at is None and trigger.end_at is None:
        return _key_of_texts(trigger)
    return _key_of(repr(_spelled_out(trigger)))


@lru_cache(maxsize=4096)
def _key_of_texts(trigger: CronTrigger) -> str:
    return _key_of(repr(_spelled_out(trigger)))


def _spelled_out(trigger: Trigger) -> list[object]:
    """Return a trigger with its times as text: those of two zones, and both passes of an overlap, compare equal.

    A single date has the zone that it is shown in; the bounds of others are instants.
    """
    spelled: list[object] = [type(trigger).__name__]
    for name in trigger.__slots__:
        value = getattr(trigger, name)
        if isinstance(value, datetime):
            value = value.astimezone(UTC).isoformat()
        elif name == "triggers":
            value = [_spelled_out(part) for part in value]
        spelled.append(value)
    if isinstance(trigger, DateTrigger):
        spelled.append(str(trigger.run_at.tzinfo))
    return spelled


def _key_of(text: str) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16]))


class KnownTriggers:
    """Triggers by their keys, read from a row that has them when they are first met."""

    def __init__(self, names: Names) -> None:
        self._triggers: dict[str, Trigger] = {}
        self._states = names.sql(_STATES, store=INDEXED)

    def get(self, key: str) -> Trigger | None:
        """Return a trigger that was learnt, None where its rows have to be decoded."""
        return self._triggers.get(key)

    def learn(self, connection: Connection, rows: Iterable[tuple[str, str]]) -> None:
        """Read the trigger of each (id, trigger key) that was not met before."""
        unmet = {key: row_id for row_id, key in rows if key not in self._triggers}
        if not unmet:
            return
        if len(self._triggers) + len(unmet) > _MOST_TRIGGERS:
            self._triggers = {}  # they are quickly read again
        keys = {row_id: key for key, row_id in unmet.items()}
        for row_id, state, time in connection.exec_driver_sql(self._states, {"ids": array(keys)}):
            job = decode(row_id, bytes(state), time)
            # An entry may be somebody's mistake.
            if isinstance(job, Job) and trigger_key(job.trigger) == keys[row_id]:
                self._triggers[keys[row_id]] = job.trigger


def job_of(
    row_id: str, next_run_time: float | None, entry: tuple[str, str, str, bytes], trigger: Trigger
) -> Job | None:
    """Return the job that an entry (kind, name, options, payload) describes, None where it does not suffice."""
    kind, name, options, payload = entry
    next_run_at = None
    if next_run_time is not None:
        try:
            next_run_at = datetime.fromtimestamp(next_run_time, UTC).astimezone(own_zone(trigger))
        except (ValueError, OverflowError, OSError):
            return None
    return Job(
        id=row_id,
        kind=_KINDS[kind],
        name=json.loads(name),
        trigger=trigger,
        kwargs=json.loads(payload),
        next_run_at=next_run_at,
        options=_options(options),
    )


def _options_text(options: StockOptions) -> str:
    values = tuple(getattr(options, name) for name in StockOptions.__slots__)
    return _known_text_of(*values) if options.args == () else _text_of(*values)


def _text_of(*values: object) -> str:
    return json.dumps(dict(zip(StockOptions.__slots__, values, strict=True)))


_known_text_of = lru_cache(maxsize=1024, typed=True)(_text_of)  # by type too, since JSON tells 1 from true


@lru_cache(maxsize=1024)
def _options(text: str) -> StockOptions:
    values = json.loads(text)
    return StockOptions(**values | {"args": tuple(values["args"])})


def _key(value: object) -> int | None:
    return hash_key(value) if isinstance(value, str) else None


def _shown(value: object) -> str | None:
    return escaped(value) if isinstance(value, str) else None
