"""Handing a graph execution to its receiver."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(slots=True)  # not frozen, as Firing
class DispatchRequest:
    """A graph execution to start. `credentials` are as stored: field name to credentials meta input."""

    user_id: str
    graph_id: str
    graph_version: int
    inputs: Mapping[str, Any]
    credentials: Mapping[str, Any]
    idempotency_key: str
    scheduled_at: datetime
    attempt: int


class ExecutionDispatch(Protocol):
    """A receiver of graph executions (compat/outgoing.md, "add_graph_execution")."""

    async def dispatch(self, request: DispatchRequest) -> str | None:
        """Hand `request` over; return the execution's id where the receiver tells it.

        Raises DispatchRefused, DispatchTransient or DispatchMisdirected; nothing else.
        """
        ...
