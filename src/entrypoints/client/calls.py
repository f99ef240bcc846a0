"""The calls: what each takes, sends and answers, and whether it may be made twice.

One function each, with the names and the order of arguments of the platform's own client where that has them
(compat/notes.md). Only what is given is sent. Times are `datetime` or ISO 8601.
"""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel

from domain.models import (
    BackfilledSchedule,
    ChangedSchedule,
    CredentialsMetaInput,
    FiredSchedule,
    FiringInfo,
    GraphExecutionJobInfo,
    SchedulePreview,
)

T = TypeVar("T")


class SchedulePage(BaseModel):
    """A part of a list. `next_cursor` is where the next part begins, None after the last."""

    schedules: list[GraphExecutionJobInfo]
    next_cursor: str | None


class Unset(Enum):
    """What an argument is that was not given, where None says something."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET

Moment: TypeAlias = datetime | str
Credentials: TypeAlias = Mapping[str, CredentialsMetaInput | Mapping[str, Any]]
_NotGiven: TypeAlias = Literal[Unset.UNSET]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A call of the RPC's `method`. `repeatable` calls come to the same when they are made twice."""

    method: str
    arguments: Mapping[str, Any]
    answer: type[T]
    repeatable: bool


def _call(method: str, answer: type[T], *, repeatable: bool, **arguments: Any) -> Call[T]:
    given = {name.rstrip("_"): value for name, value in arguments.items() if value is not UNSET}
    return Call(method, given, answer, repeatable)


def add_execution_schedule(  # noqa: PLR0917  the platform's order, which its callers may count on
    user_id: str,
    graph_id: str,
    graph_version: int,
    cron: str | _NotGiven = UNSET,
    input_data: Mapping[str, Any] | _NotGiven = UNSET,
    input_credentials: Credentials | _NotGiven = UNSET,
    name: str | _NotGiven | None = UNSET,
    *,
    user_timezone: str | _NotGiven | None = UNSET,
    run_at: Moment | _NotGiven | None = UNSET,
    start_at: Moment | _NotGiven | None = UNSET,
    end_at: Moment | _NotGiven | None = UNSET,
    jitter_secs: int | _NotGiven | None = UNSET,
    schedule_id: str | _NotGiven | None = UNSET,
) -> Call[GraphExecutionJobInfo]:
    """Run a graph whenever `cron` says, or once at `run_at`; return the schedule with its id and next run.

    The id is chosen here, so that an add whose answer was lost can be repeated and makes one schedule. With
    `schedule_id=None` the service chooses it, and a lost answer is raised.
    """
    own_id = uuid.uuid4().hex if schedule_id is UNSET else schedule_id
    return _call(
        "add_graph_execution_schedule",
        GraphExecutionJobInfo,
        repeatable=own_id is not None,
        user_id=user_id,
        graph_id=graph_id,
        graph_version=graph_version,
        cron=cron,
        input_data={} if input_data is UNSET else input_data,  # the service wants both, if empty
        input_credentials={} if input_credentials is UNSET else input_credentials,
        name=name,
        user_timezone=user_timezone,
        run_at=run_at,
        start_at=start_at,
        end_at=end_at,
        jitter_secs=jitter_secs,
        schedule_id=UNSET if own_id is None else own_id,
    )


def delete_schedule(schedule_id: str, user_id: str) -> Call[GraphExecutionJobInfo]:
    """Delete a user's own schedule; return it as it was.

    Not repeated once it may have arrived: the second would not find it.
    """
    return _call(
        "delete_graph_execution_schedule",
        GraphExecutionJobInfo,
        repeatable=False,
        schedule_id=schedule_id,
        user_id=user_id,
    )


def get_execution_schedules(
    graph_id: str | _NotGiven | None = UNSET,
    user_id: str | _NotGiven | None = UNSET,
    *,
    include_paused: bool | _NotGiven = UNSET,
) -> Call[list[GraphExecutionJobInfo]]:
    """List the schedules of a user, a graph, both or all, soonest first, paused ones last where asked for."""
    return _call(
        "get_graph_execution_schedules",
        list[GraphExecutionJobInfo],
        repeatable=True,
        graph_id=graph_id,
        user_id=user_id,
        include_paused=include_paused,
    )


def get_execution_schedules_page(
    graph_id: str | _NotGiven | None = UNSET,
    user_id: str | _NotGiven | None = UNSET,
    *,
    include_paused: bool | _NotGiven = UNSET,
    limit: int = 100,
    cursor: str | _NotGiven | None = UNSET,
) -> Call[SchedulePage]:
    """List up to `limit` (1000) schedules as above, from the `cursor` of the page before on."""
    return _call(
        "get_graph_execution_schedules",
        SchedulePage,
        repeatable=True,
        graph_id=graph_id,
        user_id=user_id,
        include_paused=include_paused,
        limit=limit,
        cursor=cursor,
    )


def get_schedule(schedule_id: str, user_id: str) -> Call[GraphExecutionJobInfo]:
    """Show a user's own schedule, paused or not."""
    return _call(
        "get_graph_execution_schedule",
        GraphExecutionJobInfo,
        repeatable=True,
        schedule_id=schedule_id,
        user_id=user_id,
    )


def update_schedule(
    schedule_id: str,
    user_id: str,
    *,
    cron: str | _NotGiven = UNSET,
    run_at: Moment | _NotGiven = UNSET,
    user_timezone: str | _NotGiven = UNSET,
    start_at: Moment | _NotGiven | None = UNSET,
    end_at: Moment | _NotGiven | None = UNSET,
    jitter_secs: int | _NotGiven | None = UNSET,
    input_data: Mapping[str, Any] | _NotGiven = UNSET,
    input_credentials: Credentials | _NotGiven = UNSET,
    name: str | _NotGiven = UNSET,
    graph_version: int | _NotGiven = UNSET,
) -> Call[ChangedSchedule]:
    """Change parts of a user's own schedule; None takes a bound or the jitter away, all else stays as it is."""
    return _call(
        "update_graph_execution_schedule",
        ChangedSchedule,
        repeatable=True,
        schedule_id=schedule_id,
        user_id=user_id,
        cron=cron,
        run_at=run_at,
        user_timezone=user_timezone,
        start_at=start_at,
        end_at=end_at,
        jitter_secs=jitter_secs,
        input_data=input_data,
        input_credentials=input_credentials,
        name=name,
        graph_version=graph_version,
    )


def pause_schedule(
    schedule_id: str,
    user_id: str,
    *,
    reason: str | _NotGiven | None = UNSET,
    by: str | _NotGiven | None = UNSET,
) -> Call[ChangedSchedule]:
    """Keep a user's own schedule from running until it is resumed.

    `changed` is False too where an answer was lost and the call repeated; so it is of `update` and `resume`.
    """
    return _call(
        "pause_graph_execution_schedule",
        ChangedSchedule,
        repeatable=True,
        schedule_id=schedule_id,
        user_id=user_id,
        reason=reason,
        by=by,
    )


def resume_schedule(schedule_id: str, user_id: str) -> Call[ChangedSchedule]:
    """Let a user's own schedule run again, from its next time on."""
    return _call(
        "resume_graph_execution_schedule",
        ChangedSchedule,
        repeatable=True,
        schedule_id=schedule_id,
        user_id=user_id,
    )


def run_schedule_now(schedule_id: str, user_id: str) -> Call[FiredSchedule]:
    """Run a user's own schedule once more, at once. Not repeated once it may have arrived: each call is a run."""
    return _call(
        "run_graph_execution_schedule_now",
        FiredSchedule,
        repeatable=False,
        schedule_id=schedule_id,
        user_id=user_id,
    )


def backfill_schedule(schedule_id: str, user_id: str, begin: Moment, end: Moment) -> Call[BackfilledSchedule]:
    """Run what a user's own schedule was due from `begin` until `end` (not included) and did not run."""
    return _call(
        "backfill_graph_execution_schedule",
        BackfilledSchedule,
        repeatable=True,
        schedule_id=schedule_id,
        user_id=user_id,
        from_=begin,
        to=end,
    )


def preview_schedule(
    cron: str | _NotGiven = UNSET,
    *,
    schedule_id: str | _NotGiven = UNSET,
    user_id: str | _NotGiven = UNSET,
    user_timezone: str | _NotGiven = UNSET,
    count: int | _NotGiven = UNSET,
    after: Moment | _NotGiven = UNSET,
) -> Call[SchedulePreview]:
    """Say when a cron expression, or a user's own schedule, runs next, and what it means in words."""
    return _call(
        "preview_schedule",
        SchedulePreview,
        repeatable=True,
        cron=cron,
        schedule_id=schedule_id,
        user_id=user_id,
        user_timezone=user_timezone,
        count=count,
        after=after,
    )


def get_schedule_firings(
    user_id: str,
    *,
    schedule_id: str | _NotGiven = UNSET,
    states: Collection[str] | _NotGiven = UNSET,
    limit: int | _NotGiven = UNSET,
    before_id: int | _NotGiven = UNSET,
) -> Call[list[FiringInfo]]:
    """Show what became of a user's runs, of one schedule or all, newest first."""
    return _call(
        "get_schedule_firings",
        list[FiringInfo],
        repeatable=True,
        user_id=user_id,
        schedule_id=schedule_id,
        states=states if states is UNSET else sorted(states),
        limit=limit,
        before_id=before_id,
    )


def resend_firing(firing_id: int, user_id: str) -> Call[FiringInfo]:
    """Dispatch a user's own firing again that failed, is dead or is held; it keeps its idempotency key."""
    return _call("resend_schedule_firing", FiringInfo, repeatable=False, firing_id=firing_id, user_id=user_id)


def health_check() -> Call[str]:
    """Return "OK" while the service works, the database being away included."""
    return _call("health_check", str, repeatable=True)


def execute_process_existing_batches(kwargs: Mapping[str, Any]) -> Call[None]:
    """Send the notification batches of some types now: `notification_types` and `cron`."""
    return _task("execute_process_existing_batches", type(None), kwargs=kwargs)


def execute_process_weekly_summary() -> Call[None]:
    """Queue the weekly summaries now."""
    return _task("execute_process_weekly_summary", type(None))


def execute_report_late_executions() -> Call[str]:
    """Report executions that are queued for too long; return the report."""
    return _task("execute_report_late_executions", str)


def execute_report_block_error_rates() -> Call[str]:
    """Report blocks that fail too often; return what was sent."""
    return _task("execute_report_block_error_rates", str)


def execute_cleanup_expired_files() -> Call[None]:
    """Delete stored files that have expired."""
    return _task("execute_cleanup_expired_files", type(None))


def _task(method: str, answer: type[T], **arguments: Any) -> Call[T]:
    return _call(method, answer, repeatable=False, **arguments)
