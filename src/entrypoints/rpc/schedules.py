"""The endpoints of schedules: add, show, list, change, pause, resume, delete."""

from http import HTTPStatus

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.response import Response

from domain.models import ChangedSchedule, GraphExecutionJobInfo
from domain.schedules import Schedules
from entrypoints.rpc.docs import REFUSALS
from entrypoints.rpc.listing import answer_all, answer_page, position_of
from entrypoints.rpc.requests import (
    AddGraphExecutionSchedule,
    DeleteGraphExecutionSchedule,
    GetGraphExecutionSchedule,
    GetGraphExecutionSchedules,
    PauseGraphExecutionSchedule,
    ResumeGraphExecutionSchedule,
    UpdateGraphExecutionSchedule,
)

TAGS = ["Schedules"]


@post(
    "/add_graph_execution_schedule",
    status_code=HTTPStatus.OK,
    summary="Add a schedule",
    response_description="The schedule, with its id and next run",
    tags=TAGS,
    responses=REFUSALS,
)
async def add_graph_execution_schedule(
    data: JSONBody[AddGraphExecutionSchedule], schedules: NamedDependency[Schedules]
) -> GraphExecutionJobInfo:
    """Run a graph whenever a cron expression says, or once; returns the schedule with its id and next run."""
    return await schedules.add(
        data,
        name=data.name,
        user_timezone=data.user_timezone,
        run_at=data.run_at,
        start_at=data.start_at,
        end_at=data.end_at,
        jitter_secs=data.jitter_secs,
        schedule_id=data.schedule_id,
    )


@post(
    "/delete_graph_execution_schedule",
    status_code=HTTPStatus.OK,
    summary="Delete a schedule",
    response_description="The schedule that was deleted",
    tags=TAGS,
    responses=REFUSALS,
)
async def delete_graph_execution_schedule(
    data: JSONBody[DeleteGraphExecutionSchedule], schedules: NamedDependency[Schedules]
) -> GraphExecutionJobInfo:
    """Delete a user's own schedule; returns it as it was."""
    return await schedules.delete(data.schedule_id, user_id=data.user_id)


@post(
    "/get_graph_execution_schedules",
    status_code=HTTPStatus.OK,
    summary="List schedules",
    response_description="The schedules that match",
    tags=TAGS,
    responses=REFUSALS,
)
async def get_graph_execution_schedules(
    data: JSONBody[GetGraphExecutionSchedules], schedules: NamedDependency[Schedules]
) -> Response[list[GraphExecutionJobInfo]]:
    """List the schedules of a user, a graph, both or all, soonest first.

    With `limit`, the header X-Next-Cursor holds the `cursor` of the next page; it is absent after the last.
    """
    found = schedules.list(
        user_id=data.user_id,
        graph_id=data.graph_id,
        include_paused=data.include_paused,
        after=None if data.cursor is None else position_of(data.cursor),
        limit=None if data.limit is None else data.limit + 1,
    )
    return await (answer_all(found) if data.limit is None else answer_page(found, limit=data.limit))


@post(
    "/get_graph_execution_schedule",
    status_code=HTTPStatus.OK,
    summary="Show a schedule",
    response_description="The schedule",
    tags=TAGS,
    responses=REFUSALS,
)
async def get_graph_execution_schedule(
    data: JSONBody[GetGraphExecutionSchedule], schedules: NamedDependency[Schedules]
) -> GraphExecutionJobInfo:
    """Show a user's own schedule, paused or not."""
    return await schedules.get(data.schedule_id, user_id=data.user_id)


@post(
    "/update_graph_execution_schedule",
    status_code=HTTPStatus.OK,
    summary="Change a schedule",
    response_description="The schedule as it is now, and whether this changed it",
    tags=TAGS,
    responses=REFUSALS,
)
async def update_graph_execution_schedule(
    data: JSONBody[UpdateGraphExecutionSchedule], schedules: NamedDependency[Schedules]
) -> ChangedSchedule:
    """Change parts of a user's own schedule; the next run stays where the timing does."""
    return await schedules.update(data.schedule_id, data, user_id=data.user_id)


@post(
    "/pause_graph_execution_schedule",
    status_code=HTTPStatus.OK,
    summary="Pause a schedule",
    response_description="The schedule as it is now, and whether this paused it",
    tags=TAGS,
    responses=REFUSALS,
)
async def pause_graph_execution_schedule(
    data: JSONBody[PauseGraphExecutionSchedule], schedules: NamedDependency[Schedules]
) -> ChangedSchedule:
    """Keep a user's own schedule from running until it is resumed; what waits to run is cancelled."""
    return await schedules.pause(data.schedule_id, user_id=data.user_id, reason=data.reason, by=data.by)


@post(
    "/resume_graph_execution_schedule",
    status_code=HTTPStatus.OK,
    summary="Resume a schedule",
    response_description="The schedule as it is now, and whether this resumed it",
    tags=TAGS,
    responses=REFUSALS,
)
async def resume_graph_execution_schedule(
    data: JSONBody[ResumeGraphExecutionSchedule], schedules: NamedDependency[Schedules]
) -> ChangedSchedule:
    """Let a user's own schedule run again, from its next time on; what it missed does not run."""
    return await schedules.resume(data.schedule_id, user_id=data.user_id)
