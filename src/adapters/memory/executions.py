"""Executions in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.memory.faults import FailsOnDemand
from ports.executions import BlockStats, GraphExecution


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: the method's name, its window, and its block and limit where it has them."""

    method: str
    start: datetime
    end: datetime
    block_id: str | None = None
    limit: int | None = None


class MemoryExecutions(FailsOnDemand):
    """Answers from `late`, `stats` and `errors` (texts by block id), whatever the window; keeps all `questions`.

    A question for the errors of a block in `unsampled` raises what stands there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.late: list[GraphExecution] = []
        self.stats: list[BlockStats] = []
        self.errors: dict[str, list[str]] = {}
        self.unsampled: dict[str, Exception] = {}
        self.questions: list[Question] = []

    async def queued(self, *, created_from: datetime, created_to: datetime, limit: int) -> Sequence[GraphExecution]:
        """Return `late`, up to the limit."""
        self._raise_if_failing()
        self.questions.append(Question("queued", created_from, created_to, limit=limit))
        return self.late[:limit]

    async def block_error_stats(self, *, start: datetime, end: datetime) -> Sequence[BlockStats]:
        """Return `stats`."""
        self._raise_if_failing()
        self.questions.append(Question("block_error_stats", start, end))
        return list(self.stats)

    async def failed_node_errors(
        self, block_id: str, *, created_from: datetime, created_to: datetime, limit: int
    ) -> Sequence[str]:
        """Return the block's `errors`, up to the limit."""
        self._raise_if_failing()
        if block_id in self.unsampled:
            raise self.unsampled[block_id]
        self.questions.append(Question("failed_node_errors", created_from, created_to, block_id, limit))
        return self.errors.get(block_id, [])[:limit]
