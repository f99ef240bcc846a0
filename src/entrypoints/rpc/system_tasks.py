"""The endpoints that run a system task at once."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol, runtime_checkable

from litestar import post
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.params import JSONBody

from entrypoints.rpc.docs import REFUSALS
from entrypoints.rpc.requests import ExecuteProcessExistingBatches, NoArguments

TAGS = ["System tasks"]


@runtime_checkable
class RunsSystemTasks(Protocol):
    """What these endpoints call. Each may raise RemoteCallError."""

    async def process_existing_batches(self, kwargs: Mapping[str, Any]) -> None:
        """Send batches; raises pydantic's ValidationError for kwargs that are no NotificationJobArgs."""
        ...

    async def process_weekly_summary(self) -> None:
        """Queue the weekly summaries."""
        ...

    async def report_late_executions(self) -> str:
        """Alert about late executions and return the text."""
        ...

    async def report_block_error_rates(self) -> str:
        """Alert about failing blocks and return what was done."""
        ...

    async def cleanup_expired_files(self) -> None:
        """Delete expired files."""
        ...


@post(
    "/execute_process_existing_batches",
    status_code=HTTPStatus.OK,
    summary="Send notification batches",
    response_description="Null",
    tags=TAGS,
    responses=REFUSALS,
)
async def execute_process_existing_batches(
    data: JSONBody[ExecuteProcessExistingBatches], system_tasks: NamedDependency[RunsSystemTasks]
) -> None:
    """Send the notification batches of some types now."""
    await system_tasks.process_existing_batches(data.kwargs)


@post(
    "/execute_process_weekly_summary",
    status_code=HTTPStatus.OK,
    summary="Queue weekly summaries",
    response_description="Null",
    tags=TAGS,
    responses=REFUSALS,
)
async def execute_process_weekly_summary(
    data: JSONBody[NoArguments],  # noqa: ARG001  read to refuse what is no object, as the original does
    system_tasks: NamedDependency[RunsSystemTasks],
) -> None:
    """Queue the weekly summaries now."""
    await system_tasks.process_weekly_summary()


@post(
    "/execute_report_late_executions",
    status_code=HTTPStatus.OK,
    summary="Report late executions",
    response_description="The report",
    tags=TAGS,
    media_type=MediaType.JSON,
    responses=REFUSALS,
)
async def execute_report_late_executions(
    data: JSONBody[NoArguments],  # noqa: ARG001  as above
    system_tasks: NamedDependency[RunsSystemTasks],
) -> str:
    """Report executions that are queued for too long; returns the report."""
    return await system_tasks.report_late_executions()


@post(
    "/execute_report_block_error_rates",
    status_code=HTTPStatus.OK,
    summary="Report failing blocks",
    response_description="What was sent",
    tags=TAGS,
    media_type=MediaType.JSON,
    responses=REFUSALS,
)
async def execute_report_block_error_rates(
    data: JSONBody[NoArguments],  # noqa: ARG001  as above
    system_tasks: NamedDependency[RunsSystemTasks],
) -> str:
    """Report blocks that fail too often; returns what was sent."""
    return await system_tasks.report_block_error_rates()


@post(
    "/execute_cleanup_expired_files",
    status_code=HTTPStatus.OK,
    summary="Delete expired files",
    response_description="Null",
    tags=TAGS,
    responses=REFUSALS,
)
async def execute_cleanup_expired_files(
    data: JSONBody[NoArguments],  # noqa: ARG001  as above
    system_tasks: NamedDependency[RunsSystemTasks],
) -> None:
    """Delete stored files that have expired."""
    await system_tasks.cleanup_expired_files()
