"""Job rows: APScheduler's pickled job state, to and from the port's Job."""

import pickle
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.apscheduler import records
from adapters.apscheduler.opcodes import RefusedPickleError
from adapters.apscheduler.triggers import moment, read_trigger, stock_trigger, zone
from ports.jobs import Job, JobKind, StockOptions, UnreadableReason, UnreadableRow
from ports.triggers import CronTrigger, IntervalTrigger, Trigger

FUNCTION_REFERENCES: Mapping[JobKind, str] = {
    JobKind.EXECUTE_GRAPH: "backend.executor.scheduler:execute_graph",
    JobKind.CLEANUP_EXPIRED_FILES: "backend.executor.scheduler:cleanup_expired_files",
    JobKind.REPORT_LATE_EXECUTIONS: "backend.monitoring.late_execution_monitor:report_late_executions",
    JobKind.REPORT_BLOCK_ERROR_RATES: "backend.monitoring.block_error_monitor:report_block_error_rates",
    JobKind.PROCESS_EXISTING_BATCHES: "backend.monitoring.notification_monitor:process_existing_batches",
    JobKind.PROCESS_WEEKLY_SUMMARY: "backend.monitoring.notification_monitor:process_weekly_summary",
}
_KINDS = {reference: kind for kind, reference in FUNCTION_REFERENCES.items()}
_VERSION = 1
_PROTOCOL = 5
_MAX_VALUES = 500_000

# The end of every row that APScheduler writes: the key, the class, ten bytes of local time, the trigger's zone.
_NEXT_RUN_TAIL = re.compile(
    rb"\x8c\rnext_run_time\x94"
    rb"(?:\x8c\x08datetime\x94(?:\x8c\x08datetime\x94|h.|j.{4})\x93\x94|h.|j.{4})"
    rb"C\n(.{10})\x94(?:h.|j.{4})\x86\x94R\x94u\.\Z",
    re.DOTALL,
)


def decode(row_id: str, job_state: bytes, next_run_time: float | None) -> Job | UnreadableRow:
    """Return the job in a row, or why it is left alone. Never raises, whatever the bytes.

    `next_run_time` is the column (seconds since 1970, None for paused). Where it and the pickle disagree the
    column counts: it is what rows are claimed by and what an operator's SQL changes, while the original would
    spin on such a row (compat/README.md). A pickled id that differs from the column's stops the original, so
    such a row is quarantined.
    """
    try:
        return _decode(row_id, job_state, next_run_time)
    except _ForeignRowError as error:
        return UnreadableRow(row_id, UnreadableReason.FOREIGN, str(error))
    except RefusedPickleError as error:
        return UnreadableRow(row_id, UnreadableReason.QUARANTINED, str(error))
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        return UnreadableRow(row_id, UnreadableReason.QUARANTINED, f"is odd ({type(error).__name__})")


class _ForeignRowError(Exception):
    """A row that parses, but isn't ours."""


def _decode(row_id: str, job_state: bytes, next_run_time: float | None) -> Job:
    state = records.load(job_state)
    if type(state) is not dict or state.get("version") != _VERSION:
        raise RefusedPickleError("is not a job state of version 1")
    if state.get("id") != row_id:
        raise RefusedPickleError("its pickled id differs from its id column")
    reference = state.get("func")
    if type(reference) is not str:
        raise RefusedPickleError("has no function reference")
    kind = _KINDS.get(reference)
    if kind is None:
        raise _ForeignRowError("its function is not one of this service's")
    kwargs, args = state["kwargs"], state["args"]
    if type(kwargs) is not dict or type(args) not in (tuple, list):
        raise RefusedPickleError("has odd arguments")
    _require_json(kwargs)
    _require_json(list(args))
    trigger = read_trigger(state["trigger"])
    return Job(
        id=row_id,
        kind=kind,
        name=_text(state["name"]),
        trigger=trigger,
        kwargs=kwargs,
        next_run_at=_next_run_at(state["next_run_time"], next_run_time, trigger),
        options=StockOptions(
            executor=_text(state["executor"]),
            misfire_grace_time=_optional_int(state["misfire_grace_time"]),
            coalesce=bool(state["coalesce"]),
            max_instances=_optional_int(state["max_instances"]) or 1,
            args=tuple(args),
        ),
    )


def _text(value: object) -> str:
    if type(value) is not str:
        raise RefusedPickleError("has an odd name")
    return value


def _optional_int(value: object) -> int | None:
    if value is None or type(value) is int:
        return value
    raise RefusedPickleError("has an odd option")


def _require_json(value: object) -> None:
    """Refuse what is not plain JSON, without recursion, and what a shared or looped reference blows up."""
    todo, seen = [value], 0
    while todo:
        each = todo.pop()
        seen += 1
        if seen > _MAX_VALUES:
            raise RefusedPickleError("has more values than any job row")
        kind = type(each)
        if kind is dict:
            assert isinstance(each, dict)
            if not all(type(key) is str for key in each):
                raise RefusedPickleError("has arguments that are not JSON")
            todo.extend(each.values())
        elif kind is list:
            assert isinstance(each, list)
            todo.extend(each)
        elif not (kind is str or kind is int or kind is float or kind is bool or each is None):
            raise RefusedPickleError("has arguments that are not JSON")


def _next_run_at(pickled: object, column: float | None, trigger: Trigger) -> datetime | None:
    if column is None:
        return None
    due = datetime.fromtimestamp(column, UTC)
    if pickled is not None:
        stated = moment(pickled)
        if abs((stated - due).total_seconds()) < 1e-5:  # noqa: PLR2004  a float of this size carries no more
            return stated
    return due.astimezone(_zone_of(trigger))


def _zone_of(trigger: Trigger) -> Any:
    return zone(trigger.timezone) if isinstance(trigger, CronTrigger | IntervalTrigger) else UTC


def encode(job: Job) -> bytes:
    """Return the row's pickle for `job`, as APScheduler 3.10 and 3.11 write and read it."""
    next_run_at = job.next_run_at
    if next_run_at is not None:
        next_run_at = next_run_at.astimezone(_zone_of(job.trigger))
    return pickle.dumps(
        {
            "version": _VERSION,
            "id": job.id,
            "func": FUNCTION_REFERENCES[job.kind],
            "trigger": stock_trigger(job.trigger),
            "executor": job.options.executor,
            "args": job.options.args,
            "kwargs": dict(job.kwargs),
            "name": job.name,
            "misfire_grace_time": job.options.misfire_grace_time,
            "coalesce": job.options.coalesce,
            "max_instances": job.options.max_instances,
            "next_run_time": next_run_at,
        },
        _PROTOCOL,
    )


def next_run_offset(job_state: bytes) -> int | None:
    """Return where the ten bytes of the row's next run begin, None where they can't be patched in place.

    They can when the row ends as APScheduler writes it: then nothing after them refers back to them, and a new
    local time in the same zone may take their place. The caller has decoded the row before.
    """
    found = _NEXT_RUN_TAIL.search(job_state)
    return found.start(1) if found else None


def next_run_bytes(trigger: Trigger, next_run_at: datetime) -> bytes:
    """Return the ten bytes for a next run of `trigger`: local time in its zone, with the fold."""
    local = next_run_at.astimezone(_zone_of(trigger))
    raw = local.__reduce_ex__(_PROTOCOL)[1][0]
    assert isinstance(raw, bytes)
    return raw
