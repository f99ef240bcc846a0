"""Job rows: APScheduler's pickled job state, to and from the port's Job."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from adapters.apscheduler import records
from adapters.apscheduler.alike import Beginnings
from adapters.apscheduler.arguments import require_json
from adapters.apscheduler.moments import moment, moment_bytes
from adapters.apscheduler.opcodes import RefusedPickleError, scan
from adapters.apscheduler.triggers import own_zone, read_trigger
from adapters.apscheduler.unpickler import load
from adapters.apscheduler.writing import JobStates
from ports.jobs import Job, JobKind, StockOptions, UnreadableReason, UnreadableRow
from ports.triggers import Trigger

FUNCTION_REFERENCES: Mapping[JobKind, str] = {
    JobKind.EXECUTE_GRAPH: "backend.executor.scheduler:execute_graph",
    JobKind.CLEANUP_EXPIRED_FILES: "backend.executor.scheduler:cleanup_expired_files",
    JobKind.REPORT_LATE_EXECUTIONS: "backend.monitoring.late_execution_monitor:report_late_executions",
    JobKind.REPORT_BLOCK_ERROR_RATES: "backend.monitoring.block_error_monitor:report_block_error_rates",
    JobKind.PROCESS_EXISTING_BATCHES: "backend.monitoring.notification_monitor:process_existing_batches",
    JobKind.PROCESS_WEEKLY_SUMMARY: "backend.monitoring.notification_monitor:process_weekly_summary",
}
"""What a row's `func` says for each kind of job: the original's names (compat/jobs.jsonl)."""

_KINDS = {reference: kind for kind, reference in FUNCTION_REFERENCES.items()}
_SHOWN_REFERENCE = re.compile(r"[\w.]{1,100}:[\w.]{1,100}", re.ASCII)
_VERSION = 1
_COUNTLESS = 2**63
_SAME_INSTANT_SECS = 1e-5  # the column is a float, which is no finer than that in this century
_SMALL_ROW_BYTES = 32 * 1024  # too small to reach any of the bounds on reading

# The end of a row as APScheduler writes it: the key, the class, ten bytes of local time, a zone seen before.
_NEXT_RUN_TAIL = re.compile(
    rb"\x8c\rnext_run_time\x94"
    rb"(?:(?:\x8c\x08datetime\x94|h.|j.{4}){2}\x93\x94|h.|j.{4})"
    rb"C\n(.{10})\x94(?:h.|j.{4})\x86\x94R\x94u\.\Z",
    re.DOTALL,
)
_LONGEST_TAIL = 80
_BEGINNINGS = Beginnings()
_JOB_STATES = JobStates()
NEXT_RUN_BYTES = 10
"""How many bytes of a row's pickle say when it runs next; the rest stays as it is from run to run."""


class _ForeignRowError(Exception):
    """A row that parses, but isn't ours."""


def decode(row_id: str, job_state: bytes, next_run_time: float | None) -> Job | UnreadableRow:
    """Return the job in a row, or why it is left alone. Never raises, whatever the bytes.

    `next_run_time` is the column: seconds since 1970, None for paused. Where it and the pickle disagree the
    column counts, set or not: it is what rows are claimed by and what an operator's SQL changes, and both are
    written anew by the claim. (The original goes by the pickle and would spin on such a row, compat/README.md.)
    A pickled id that differs from the column's stops the original, so such a row is quarantined.

    What a Job holds can be written as JSON by the standard library, nested up to `arguments.MAX_DEPTH`; its text
    may hold lone surrogates, which the original stores and then can't show.
    """
    found = decode_to_patch(row_id, job_state, next_run_time)
    return found if isinstance(found, UnreadableRow) else found[0]


def decode_to_patch(
    row_id: str, job_state: bytes, next_run_time: float | None
) -> tuple[Job, int | None] | UnreadableRow:
    """Do what `decode` does, and tell where the ten bytes of the row's next run begin.

    None for a row whose next run can't be patched in place. It can in what APScheduler writes for a job that is
    not paused: the bytes stand at the end, nothing refers back to them, and their zone is the trigger's own. So
    any `next_run_bytes` in that zone may take their place.
    """
    return _decode_alike(row_id, job_state, next_run_time) or decode_whole(row_id, job_state, next_run_time)


def _decode_alike(row_id: str, job_state: bytes, next_run_time: float | None) -> tuple[Job, int | None] | None:
    """Decode a row that begins as others did; None where that is for `decode_whole` to do."""
    found = _BEGINNINGS.find(row_id, job_state)
    if found is None:
        return None
    beginning, rest_at = found
    with suppress(Exception):
        state, last_bytes = beginning.load_rest(row_id, job_state, rest_at)
        if state["trigger"] is beginning.stands_for_trigger:
            job = _job(row_id, state, job_state, next_run_time, beginning.trigger)
            return job, _offset_to_patch(job_state, state, last_bytes, beginning.zone)
    return None


def decode_whole(
    row_id: str, job_state: bytes, next_run_time: float | None
) -> tuple[Job, int | None] | UnreadableRow:
    """Do what `decode_to_patch` does, whatever rows came before."""
    try:
        state, last_bytes = load(job_state)
        job = _job(row_id, state, job_state, next_run_time)
        return job, _offset_to_patch(job_state, state, last_bytes, state["trigger"].attributes().get("timezone"))
    except _ForeignRowError as error:
        return UnreadableRow(row_id, UnreadableReason.FOREIGN, str(error))
    except RefusedPickleError as error:
        return UnreadableRow(row_id, UnreadableReason.QUARANTINED, str(error))


def _job(
    row_id: str, state: Any, job_state: bytes, next_run_time: float | None, trigger: Trigger | None = None
) -> Job:
    """Return the job of a loaded row, whose `trigger` may have been read already."""
    if type(state) is not dict or state.get("version", _VERSION) != _VERSION:
        raise RefusedPickleError("is not a job state of version 1")
    try:
        if state["id"] != row_id:
            raise RefusedPickleError("has a pickled id that differs from its column")
        kind, args, kwargs = _kind(state["func"]), state["args"], state["kwargs"]
        if trigger is None:
            trigger = read_trigger(state["trigger"])
        if type(kwargs) is not dict or type(args) not in (tuple, list):
            raise RefusedPickleError("has odd arguments")
        require_json([kwargs, *args], at_most=len(job_state))
        return Job(
            id=state["id"],  # the pickled one: where a name is the same object, so it is in what we write
            kind=kind,
            name=_text(state["name"]),
            trigger=trigger,
            kwargs=kwargs,
            next_run_at=_next_run_at(state["next_run_time"], next_run_time, trigger),
            options=StockOptions(
                executor=_text(state["executor"]),
                misfire_grace_time=_grace(state["misfire_grace_time"]),
                coalesce=_flag(state["coalesce"]),
                max_instances=_count(state["max_instances"]),
                args=tuple(args),
            ),
        )
    except KeyError:
        raise RefusedPickleError("lacks a part of a job state") from None


def _kind(reference: object) -> JobKind:
    if type(reference) is not str:
        raise RefusedPickleError("has no function reference")
    kind = _KINDS.get(reference)
    if kind is None:
        name = f": {reference}" if _SHOWN_REFERENCE.fullmatch(reference) else ""
        raise _ForeignRowError(f"calls a function that is not one of this service's{name}")
    return kind


def _text(value: object) -> str:
    if type(value) is not str:
        raise RefusedPickleError("has an odd name")
    return value


def _count(value: object) -> int:
    if type(value) is not int or not 1 <= value < _COUNTLESS:
        raise RefusedPickleError("has an odd option")
    return value


def _grace(value: object) -> int | None:
    return None if value is None else _count(value)


def _flag(value: object) -> bool:
    if type(value) is not bool:
        raise RefusedPickleError("has an odd option")
    return value


def _next_run_at(pickled: object, column: float | None, trigger: Trigger) -> datetime | None:
    if column is None:
        return None
    try:
        due = datetime.fromtimestamp(column, UTC)
        if pickled is not None:
            stated = moment(pickled)
            if abs((stated - due).total_seconds()) < _SAME_INSTANT_SECS:
                due = stated
        return due.astimezone(own_zone(trigger) or due.tzinfo)
    except (ValueError, OverflowError, OSError):
        raise RefusedPickleError("has a next run that is no date") from None


def encode(job: Job) -> bytes:
    """Return the row's pickle for `job`, as APScheduler 3.10 and 3.11 write and read it.

    Raises ValueError for a job that `decode` would not take back: a trigger that APScheduler does not know,
    arguments that are not JSON, or more of them than fit a row.
    """
    next_run_at = job.next_run_at
    kwargs = dict(job.kwargs)
    try:
        if next_run_at is not None:
            # A copy, so that the trigger can't share it and its bytes can be patched in place.
            next_run_at = next_run_at.astimezone(own_zone(job.trigger) or next_run_at.tzinfo).replace()
        job_state = _JOB_STATES.write(
            str(job.id),  # of an enum's member, say, which would be pickled by reference
            FUNCTION_REFERENCES[job.kind],
            job.trigger,
            {
                "executor": job.options.executor,
                "args": job.options.args,
                "kwargs": kwargs,
                "name": str(job.name),
                "misfire_grace_time": job.options.misfire_grace_time,
                "coalesce": job.options.coalesce,
                "max_instances": job.options.max_instances,
                "next_run_time": next_run_at,
            },
        )
        require_json([kwargs, *job.options.args], at_most=len(job_state))
        if len(job_state) > _SMALL_ROW_BYTES:
            scan(job_state)
    except RefusedPickleError as error:
        raise ValueError(f"no row can hold this job: it {error}") from None
    except RecursionError:
        raise ValueError("no row can hold this job: its arguments are nested too deeply") from None
    except OverflowError:
        raise ValueError("no row can hold this job: one of its times is no date in its zone") from None
    return job_state


def written_offset(job_state: bytes) -> int | None:
    """Return where the ten bytes of the next run begin in what `encode` has just made; None where it has none."""
    tail = _NEXT_RUN_TAIL.search(job_state, max(0, len(job_state) - _LONGEST_TAIL))
    return None if tail is None else tail.start(1)


def _offset_to_patch(job_state: bytes, state: dict[str, Any], last_bytes: int, zone: object) -> int | None:
    offset = written_offset(job_state)
    # Proof that these are the bytes, not a text that looks the same: the opcode before them is one, so what
    # follows it is what the pattern says; it makes a date, of the last key that is set, and that is the next run.
    if offset is None or offset != last_bytes + 2 or next(reversed(state)) != "next_run_time":
        return None
    due = state["next_run_time"]
    if type(due) is not records.Moment or due.zone is not zone:
        return None
    # pytz has a zone object for each offset, so that its zone would be wrong after the clocks change.
    has_offset = type(zone) is records.NamedZone and zone.utc_offset is not None
    return None if has_offset else offset


def next_run_bytes(next_run_at: datetime) -> bytes:
    """Return the ten bytes for a next run, which is to be aware and in the trigger's zone, as `Job` has it."""
    return moment_bytes(next_run_at)
