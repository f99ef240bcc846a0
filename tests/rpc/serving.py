"""The application over fakes, and a real server on loopback around it."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import uvicorn
from litestar import Litestar

from adapters.memory.clock import SettableClock
from domain.cron import CronDialect
from domain.models import NotificationJobArgs
from domain.runs import ScheduleRuns
from domain.schedules import Schedules
from entrypoints.rpc.app import create_app
from ports.firings import FiringLedger
from ports.jobs import JobStore
from ports.leases import Leases

ON_EACH_STORE = pytest.mark.parametrize("stores", ["memory", "postgres"], indirect=True)
"""Runs a test over the fake and over PostgreSQL."""

NOW = datetime(2026, 11, 23, 14, 28, 30, tzinfo=UTC)
"""When the recordings were made."""

ADD: Mapping[str, Any] = {
    "user_id": "u1",
    "graph_id": "g1",
    "graph_version": 1,
    "cron": "0 9 * * 1",
    "input_data": {"a": 1},
    "input_credentials": {},
}


async def _metrics() -> tuple[bytes, str]:
    return b"scheduler_up 1.0\n", "text/plain; version=0.0.4"


@dataclass
class ScriptedSystemTasks:
    """System tasks whose next outcome is set: an exception is raised, anything else returned.

    `calls` holds the names of what was called, in order.
    """

    outcome: Any = None
    calls: list[str] = field(default_factory=list)

    async def process_existing_batches(self, kwargs: Mapping[str, Any]) -> None:
        """Validate as the use case does, then do as told."""
        NotificationJobArgs.model_validate(kwargs)
        self._act("process_existing_batches")

    async def process_weekly_summary(self) -> None:
        """Do as told."""
        self._act("process_weekly_summary")

    async def report_late_executions(self) -> str:
        """Do as told."""
        return str(self._act("report_late_executions"))

    async def report_block_error_rates(self) -> str:
        """Do as told."""
        return str(self._act("report_block_error_rates"))

    async def cleanup_expired_files(self) -> None:
        """Do as told."""
        self._act("cleanup_expired_files")

    def _act(self, name: str) -> Any:
        self.calls.append(name)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@dataclass
class World:
    """What stands around an application under test; plain fields to look at and to set."""

    jobs: JobStore
    ledger: FiringLedger
    clock: SettableClock = field(default_factory=lambda: SettableClock(NOW))
    system_tasks: ScriptedSystemTasks = field(default_factory=ScriptedSystemTasks)
    leases: Leases | None = None
    stuck: str | None = None
    state: dict[str, Any] = field(default_factory=lambda: {"ready": True, "database": "up"})
    default_timezone: str = "UTC"
    ids: Callable[[], str] = field(default_factory=lambda: map("{:032x}".format, itertools.count(1)).__next__)

    def schedules(self) -> Schedules:
        """Return the use cases."""
        return Schedules(
            jobs=self.jobs,
            clock=self.clock,
            default_timezone=self.default_timezone,
            dialect=CronDialect.STANDARD,
            new_id=self.ids,
        )

    def runs(self) -> ScheduleRuns:
        """Return the use cases of runs."""
        return ScheduleRuns(
            jobs=self.jobs,
            ledger=self.ledger,
            clock=self.clock,
            default_timezone=self.default_timezone,
            dialect=CronDialect.STANDARD,
        )

    async def ready(self) -> dict[str, Any]:
        """Return `state`."""
        return self.state

    def app(self, **options: Any) -> Litestar:
        """Return the application over all this."""
        schedules, runs = self.schedules(), self.runs()
        return create_app(
            schedules=lambda: schedules,
            runs=lambda: runs,
            system_tasks=lambda: self.system_tasks,
            health=lambda: self.stuck,
            ready=self.ready,
            metrics=_metrics,
            **options,
        )


@asynccontextmanager
async def served(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """Serve `app` with uvicorn on a free port of loopback, and yield a client of it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:  # connections queue here until the server is up
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio sets it on its own sockets only
        config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", lifespan="on")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        port = listening.getsockname()[1]
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                yield client
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def in_process(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client that calls `app` without a server between."""
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # Litestar types its scope more narrowly
    async with httpx.AsyncClient(transport=transport, base_url="http://scheduler_server:8003") as client:
        yield client
