"""What operators and probes ask: health, readiness, metrics."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from litestar import get, route
from litestar.enums import HttpMethod, MediaType
from litestar.response import Response
from litestar.types import ControllerRouterHandler

from entrypoints.rpc.authentication import PUBLIC
from entrypoints.rpc.errors import UnhealthyError
from entrypoints.rpc.wire import JsonResponse

TAGS = ["Operations"]

Health = Callable[[], str | None]
"""Returns None, or why the engine is stuck."""

Ready = Callable[[], Awaitable[Mapping[str, Any]]]
"""Returns what `/ready` shows; its `ready` decides the status."""

Metrics = Callable[[], Awaitable[tuple[bytes, str]]]
"""Returns the exposition text and its content type."""


def operations(*, health: Health, ready: Ready, metrics: Metrics) -> list[ControllerRouterHandler]:
    """Return the handlers over what they show."""
    both = [HttpMethod.GET, HttpMethod.POST]

    @route(
        ["/health_check", "/health_check_async"],
        http_method=both,
        status_code=HTTPStatus.OK,
        media_type=MediaType.JSON,
        summary="Health",
        response_description="OK",
        tags=TAGS,
        opt={PUBLIC: True},
    )
    async def health_check() -> str:
        """Say "OK" while the service works, the database being away included."""
        if (reason := health()) is not None:
            raise UnhealthyError(reason)
        return "OK"

    @get("/ready", summary="Readiness", response_description="What is there", tags=TAGS, opt={PUBLIC: True})
    async def ready_check() -> Response[dict[str, Any]]:
        """Show whether database, migrations and receiver are there; 503 while one that is needed is not."""
        state = dict(await ready())
        status = HTTPStatus.OK if state["ready"] else HTTPStatus.SERVICE_UNAVAILABLE
        return JsonResponse(content=state, status_code=status, media_type=MediaType.JSON)

    @get(
        "/metrics", summary="Metrics", response_description="Exposition text", tags=TAGS, media_type=MediaType.TEXT
    )
    async def show_metrics() -> Response[bytes]:
        """Show counters and gauges in Prometheus' text format."""
        text, content_type = await metrics()
        return Response(content=text, media_type=content_type)

    return [health_check, ready_check, show_metrics]
