"""The platform's DatabaseManager over HTTP, as far as monitors ask it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from adapters.http.neighbour import Neighbour
from adapters.http.remote_errors import raised_here
from ports.executions import BlockStats, GraphExecution

# The service sends much more, users' inputs among it: read what is used, and quote nothing in errors.
_CONFIG = ConfigDict(hide_input_in_errors=True)


class _GraphExecution(BaseModel):
    model_config = _CONFIG

    id: str
    graph_id: str
    graph_version: int
    user_id: str
    started_at: str | None = None


class _BlockStats(BaseModel):
    model_config = _CONFIG

    block_id: str
    total_executions: int
    failed_executions: int


class _NodeExecution(BaseModel):
    model_config = _CONFIG

    output_data: dict[str, Any] | None = None


_GRAPH_EXECUTIONS = TypeAdapter(list[_GraphExecution], config=_CONFIG)
_BLOCK_STATS = TypeAdapter(list[_BlockStats], config=_CONFIG)
_NODE_EXECUTIONS = TypeAdapter(list[_NodeExecution], config=_CONFIG)

_Shape = TypeVar("_Shape")


class HttpExecutions:
    """Asks the service. An answer in a wrong shape is a RemoteCallError of type ValidationError, as recorded."""

    def __init__(self, neighbour: Neighbour) -> None:
        self._neighbour = neighbour

    async def queued(self, *, created_from: datetime, created_to: datetime, limit: int) -> Sequence[GraphExecution]:
        """Ask for queued executions. One that does not say when it started says "None", as the original prints."""
        answer = await self._neighbour.call(
            "get_graph_executions",
            {
                "statuses": ["QUEUED"],
                "created_time_gte": created_from,
                "created_time_lte": created_to,
                "limit": limit,
            },
        )
        return [
            GraphExecution(
                id=found.id,
                graph_id=found.graph_id,
                graph_version=found.graph_version,
                user_id=found.user_id,
                started_at=str(found.started_at),
            )
            for found in _read(_GRAPH_EXECUTIONS, answer)
        ]

    async def block_error_stats(self, *, start: datetime, end: datetime) -> Sequence[BlockStats]:
        """Ask for the counts."""
        answer = await self._neighbour.call("get_block_error_stats", {"start_time": start, "end_time": end})
        return [
            BlockStats(
                block_id=found.block_id,
                total_executions=found.total_executions,
                failed_executions=found.failed_executions,
            )
            for found in _read(_BLOCK_STATS, answer)
        ]

    async def failed_node_errors(
        self, block_id: str, *, created_from: datetime, created_to: datetime, limit: int
    ) -> Sequence[str]:
        """Ask for failed executions; an execution's error is the first of its `output_data.error`."""
        answer = await self._neighbour.call(
            "get_node_executions",
            {
                "block_ids": [block_id],
                "statuses": ["FAILED"],
                "created_time_gte": created_from,
                "created_time_lte": created_to,
                "limit": limit,
            },
        )
        outputs = (found.output_data or {} for found in _read(_NODE_EXECUTIONS, answer))
        errors = (_first(output.get("error")) for output in outputs)
        return [str(error) for error in errors if error is not None]


def _read(shape: TypeAdapter[_Shape], answer: Any) -> _Shape:
    try:
        return shape.validate_python(answer)
    except ValidationError as error:
        raise raised_here(error) from None


def _first(error: Any) -> Any:
    """Return the first of a list; a single value stands for itself."""
    if isinstance(error, list):
        return error[0] if error else None
    return error
