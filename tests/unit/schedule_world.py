"""The use cases of schedules and runs over fakes."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.memory.clock import SettableClock
from adapters.memory.firings import MemoryFiringLedger
from adapters.memory.jobs import MemoryJobStore
from domain.cron import CronDialect
from domain.models import GraphExecutionJobArgs, GraphExecutionJobInfo
from domain.quotas import Quotas
from domain.runs import ScheduleRuns
from domain.schedules import Schedules
from ports.jobs import StoreName

NOW = datetime(2026, 11, 23, 14, 28, 30, tzinfo=UTC)


@dataclass
class World:
    """The use cases and what they run over."""

    timezone: str = "UTC"
    dialect: CronDialect = CronDialect.STANDARD
    clock: SettableClock = field(default_factory=lambda: SettableClock(NOW))
    quotas: Quotas = field(default_factory=Quotas)

    def __post_init__(self) -> None:
        numbers = itertools.count(1)
        self.ledger = MemoryFiringLedger(self.clock)
        self.jobs = MemoryJobStore(StoreName.EXECUTION, ledger=self.ledger)
        self.schedules = Schedules(
            jobs=self.jobs,
            clock=self.clock,
            default_timezone=self.timezone,
            dialect=self.dialect,
            new_id=lambda: f"id{next(numbers)}",
            quotas=self.quotas,
        )
        self.runs = ScheduleRuns(
            jobs=self.jobs,
            ledger=self.ledger,
            clock=self.clock,
            default_timezone=self.timezone,
            dialect=self.dialect,
        )

    async def listed(self, **who: Any) -> list[GraphExecutionJobInfo]:
        """Return the schedules that match."""
        return [info async for info in self.schedules.list(**who)]


def args(**changes: Any) -> GraphExecutionJobArgs:
    """Return what a schedule runs, with changes."""
    values: Mapping[str, Any] = {
        "user_id": "u1",
        "graph_id": "g1",
        "graph_version": 1,
        "cron": "0 9 * * 1",
        "input_data": {"a": 1},
    }
    return GraphExecutionJobArgs.model_validate({**values, **changes})
