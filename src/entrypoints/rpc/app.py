"""The application: routes, error table and documentation around the use cases that are handed in."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.router import Router
from litestar.template import TemplateConfig

from domain.runs import ScheduleRuns
from domain.schedules import Schedules
from entrypoints.rpc.authentication import require_token
from entrypoints.rpc.docs import documentation, show_schema
from entrypoints.rpc.errors import HANDLERS
from entrypoints.rpc.operations import Health, Metrics, Ready, operations
from entrypoints.rpc.paths import ExactPaths, exact_paths
from entrypoints.rpc.requests import RpcRequest
from entrypoints.rpc.runs import (
    backfill_graph_execution_schedule,
    get_schedule_firings,
    preview_schedule,
    resend_schedule_firing,
    run_graph_execution_schedule_now,
)
from entrypoints.rpc.schedules import (
    add_graph_execution_schedule,
    delete_graph_execution_schedule,
    get_graph_execution_schedule,
    get_graph_execution_schedules,
    pause_graph_execution_schedule,
    resume_graph_execution_schedule,
    update_graph_execution_schedule,
)
from entrypoints.rpc.system_tasks import (
    RunsSystemTasks,
    execute_cleanup_expired_files,
    execute_process_existing_batches,
    execute_process_weekly_summary,
    execute_report_block_error_rates,
    execute_report_late_executions,
)
from entrypoints.rpc.wire import JsonResponse

MAX_BODY_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """Routes of pages for people, and the templates that they are written with."""

    router: Router
    templates: TemplateConfig[Any]


Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def create_app(
    *,
    schedules: Callable[[], Schedules],
    runs: Callable[[], ScheduleRuns],
    system_tasks: Callable[[], RunsSystemTasks],
    health: Health,
    ready: Ready,
    metrics: Metrics,
    rpc_token: str | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    page: Page | None = None,
    lifespan: Sequence[Lifespan] = (),
) -> Litestar:
    """Return the application over providers of its use cases, each called once a request.

    `rpc_token` asks for a bearer token on everything but the probes. A body beyond `max_body_bytes` is answered
    with 413. `page` is served beside the RPC. `lifespan` is entered before the first request and left after the
    last.
    """
    app = Litestar(
        route_handlers=[
            add_graph_execution_schedule,
            delete_graph_execution_schedule,
            get_graph_execution_schedules,
            get_graph_execution_schedule,
            update_graph_execution_schedule,
            pause_graph_execution_schedule,
            resume_graph_execution_schedule,
            run_graph_execution_schedule_now,
            backfill_graph_execution_schedule,
            preview_schedule,
            get_schedule_firings,
            resend_schedule_firing,
            execute_process_existing_batches,
            execute_process_weekly_summary,
            execute_report_late_executions,
            execute_report_block_error_rates,
            execute_cleanup_expired_files,
            *operations(health=health, ready=ready, metrics=metrics),
            show_schema,
            *([] if page is None else [page.router]),
        ],
        dependencies={
            "schedules": Provide(schedules, sync_to_thread=False),
            "runs": Provide(runs, sync_to_thread=False),
            "system_tasks": Provide(system_tasks, sync_to_thread=False),
        },
        guards=[] if rpc_token is None else [require_token(rpc_token)],
        exception_handlers=HANDLERS,
        request_class=RpcRequest,
        response_class=JsonResponse,
        request_max_body_size=max_body_bytes,
        openapi_config=documentation(),
        template_config=None if page is None else page.templates,
        lifespan=list(lifespan),
        logging_config=None,
    )
    app.asgi_handler = ExactPaths(app.asgi_handler, allowed=exact_paths(app.routes))
    return app
