"""What the platform's database service knows about executions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class GraphExecution:
    """One execution. `started_at` is the text that the service sent, as alerts repeat it."""

    id: str
    graph_id: str
    graph_version: int
    user_id: str
    started_at: str


@dataclass(frozen=True, slots=True)
class BlockStats:
    """How often a block ran and failed in a window."""

    block_id: str
    total_executions: int
    failed_executions: int


class Executions(Protocol):
    """Queries of the monitors (compat/outgoing.md). Every method may raise RemoteCallError."""

    async def queued(self, *, created_from: datetime, created_to: datetime, limit: int) -> Sequence[GraphExecution]:
        """Return executions that are QUEUED and were created in the window."""
        ...

    async def block_error_stats(self, *, start: datetime, end: datetime) -> Sequence[BlockStats]:
        """Return each block's counts in the window."""
        ...

    async def failed_node_errors(
        self, block_id: str, *, created_from: datetime, created_to: datetime, limit: int
    ) -> Sequence[str]:
        """Return the error texts of a block's failed executions in the window; those without one left out."""
        ...
