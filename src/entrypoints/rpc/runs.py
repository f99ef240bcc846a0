"""The endpoints of runs: preview, run now, back-fill, history."""

from http import HTTPStatus

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.response import Response

from domain.models import BackfilledSchedule, FiredSchedule, FiringInfo, SchedulePreview
from domain.runs import ScheduleRuns
from entrypoints.rpc.docs import REFUSALS
from entrypoints.rpc.requests import (
    BackfillGraphExecutionSchedule,
    GetScheduleFirings,
    PreviewSchedule,
    ResendScheduleFiring,
    RunGraphExecutionScheduleNow,
)
from entrypoints.rpc.wire import JsonResponse, to_json

TAGS = ["Runs"]


@post(
    "/run_graph_execution_schedule_now",
    status_code=HTTPStatus.OK,
    summary="Run a schedule now",
    response_description="The schedule, and the key of the run",
    tags=TAGS,
    responses=REFUSALS,
)
async def run_graph_execution_schedule_now(
    data: JSONBody[RunGraphExecutionScheduleNow], runs: NamedDependency[ScheduleRuns]
) -> FiredSchedule:
    """Run a user's own schedule once more, at once, even if paused; every call is a run of its own."""
    return await runs.run_now(data.schedule_id, user_id=data.user_id)


@post(
    "/backfill_graph_execution_schedule",
    status_code=HTTPStatus.OK,
    summary="Run what was missed",
    response_description="The schedule, and how many runs were added",
    tags=TAGS,
    responses=REFUSALS,
)
async def backfill_graph_execution_schedule(
    data: JSONBody[BackfillGraphExecutionSchedule], runs: NamedDependency[ScheduleRuns]
) -> BackfilledSchedule:
    """Run what a user's own schedule was due in a window of the past and did not run; up to 1000 runs."""
    return await runs.backfill(data.schedule_id, user_id=data.user_id, begin=data.begin, end=data.end)


@post(
    "/preview_schedule",
    status_code=HTTPStatus.OK,
    summary="Preview runs",
    response_description="The next runs, and the schedule in words",
    tags=TAGS,
    responses=REFUSALS,
)
async def preview_schedule(data: JSONBody[PreviewSchedule], runs: NamedDependency[ScheduleRuns]) -> SchedulePreview:
    """Say when a cron expression, or a user's own schedule, runs next, and what it means."""
    return await runs.preview(
        cron=data.cron,
        schedule_id=data.schedule_id,
        user_id=data.user_id,
        user_timezone=data.user_timezone,
        count=data.count,
        after=data.after,
    )


@post(
    "/get_schedule_firings",
    status_code=HTTPStatus.OK,
    summary="Show the history of runs",
    response_description="The firings, newest first",
    tags=TAGS,
    responses=REFUSALS,
)
async def get_schedule_firings(
    data: JSONBody[GetScheduleFirings], runs: NamedDependency[ScheduleRuns]
) -> Response[list[FiringInfo]]:
    """Show what became of a user's runs, of one schedule or all, newest first, page by page."""
    found = await runs.history(
        user_id=data.user_id,
        schedule_id=data.schedule_id,
        states=data.states,
        limit=data.limit,
        before_id=data.before_id,
    )
    return JsonResponse.of_items([to_json(info.model_dump()) for info in found])


@post(
    "/resend_schedule_firing",
    status_code=HTTPStatus.OK,
    summary="Send a run again",
    response_description="The firing, which waits for dispatch",
    tags=TAGS,
    responses=REFUSALS,
)
async def resend_schedule_firing(
    data: JSONBody[ResendScheduleFiring], runs: NamedDependency[ScheduleRuns]
) -> FiringInfo:
    """Dispatch a user's own firing again that failed, is dead or is held, under the same idempotency key."""
    return await runs.resend(data.firing_id, user_id=data.user_id)
