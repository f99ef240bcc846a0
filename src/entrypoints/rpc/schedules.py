"""The three endpoints of schedules."""

from http import HTTPStatus

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.response import Response

from domain.models import GraphExecutionJobInfo
from domain.schedules import Schedules
from entrypoints.rpc.docs import REFUSALS
from entrypoints.rpc.requests import (
    AddGraphExecutionSchedule,
    DeleteGraphExecutionSchedule,
    GetGraphExecutionSchedules,
)
from entrypoints.rpc.wire import JsonResponse, info_to_json

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
    """Run a graph whenever a cron expression says; returns the schedule with its id and next run."""
    return await schedules.add(data, name=data.name, user_timezone=data.user_timezone)


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
    """List the schedules of a user, a graph, both or all, soonest first."""
    found = schedules.list(user_id=data.user_id, graph_id=data.graph_id)
    # Written one by one, so that a long list neither stands in memory twice nor holds the loop in one piece.
    return JsonResponse.of_items([info_to_json(info) async for info in found])
