"""From a firing to what it does: a graph execution to dispatch, or a system task to run."""

from collections.abc import Awaitable, Callable
from typing import Any

from domain.firing.dispatching import Handler
from ports.dispatch import DispatchRequest, ExecutionDispatch
from ports.errors import DispatchRefused
from ports.firings import Firing


def graph_handler(dispatch: ExecutionDispatch) -> Handler:
    """Return the handler that hands graph executions to `dispatch`."""

    def handle(firing: Firing) -> Awaitable[str | None]:
        return dispatch.dispatch(_request(firing))

    return handle


def task_handler(task: Callable[[dict[str, Any]], Awaitable[object]]) -> Handler:
    """Return the handler that runs a system task with the firing's payload; its result is not kept."""

    async def handle(firing: Firing) -> None:
        await task(dict(firing.payload))

    return handle


def _request(firing: Firing) -> DispatchRequest:
    """Read a payload. One that the original could not read either is refused for good, and its schedule goes on."""
    payload = firing.payload
    user_id, graph_id, version = payload.get("user_id"), payload.get("graph_id"), payload.get("graph_version")
    inputs, credentials = payload.get("input_data"), payload.get("input_credentials", {})
    if not (
        isinstance(user_id, str)
        and isinstance(graph_id, str)
        and isinstance(version, int)
        and isinstance(inputs, dict)
        and isinstance(credentials, dict)
    ):
        raise DispatchRefused(
            "the schedule's stored arguments are incomplete or of the wrong type", code="invalid_arguments"
        )
    return DispatchRequest(
        user_id=user_id,
        graph_id=graph_id,
        graph_version=version,
        inputs=inputs,
        credentials=credentials,
        idempotency_key=firing.idempotency_key,
        scheduled_at=firing.scheduled_at,
        attempt=firing.attempts + 1,
    )
