"""The system tasks as callers and the engine run them, over services in memory."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.memory.clock import SettableClock
from adapters.memory.executions import MemoryExecutions
from adapters.memory.files import MemoryExpiringFiles
from adapters.memory.notifications import MemoryNotifications
from domain.system_tasks import MonitoringSettings, SystemTasks
from entrypoints.rpc.system_tasks import RunsSystemTasks
from ports.errors import RemoteCallError
from ports.executions import BlockStats, GraphExecution
from ports.files import StoredFile
from ports.jobs import JobKind
from tests.unit.monitoring import recorded_bodies

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SETTINGS = MonitoringSettings(
    late_threshold_secs=7,
    late_checkrange_secs=77,
    block_error_threshold=0.25,
    block_error_interval_secs=86400,
    include_top_blocks=0,
    cleanup_interval_hours=6,
    weekly_cron="0 * * * *",
)


class World:
    """The tasks and what they run over; one execution is late, one block fails, one file has expired."""

    def __init__(self) -> None:
        self.notifications = MemoryNotifications()
        self.executions = MemoryExecutions()
        self.executions.late = [GraphExecution("e1", "g1", 2, "u1", "2026-11-23T10:00:00+00:00")]
        self.executions.stats = [BlockStats("b1", 100, 25)]
        self.files = MemoryExpiringFiles([StoredFile("uploads/a", "2020-01-01T00:00:00+00:00", 1)])
        self.tasks = SystemTasks(
            notifications=self.notifications,
            executions=self.executions,
            files=self.files,
            clock=SettableClock(NOW),
            settings=SETTINGS,
            block_names={"b1": "Block One"},
        )


@pytest.fixture
def world() -> World:
    """Return a world in which every task has something to do."""
    return World()


def weekly(tasks: SystemTasks) -> Awaitable[None]:
    """Queue the weekly summaries."""
    return tasks.process_weekly_summary()


def batches(tasks: SystemTasks) -> Awaitable[None]:
    """Send a batch."""
    return tasks.process_existing_batches({"notification_types": ["AGENT_RUN"], "cron": "x"})


def test_the_endpoints_can_call_them(world: World) -> None:
    """The tasks are what the RPC asks for."""
    tasks: RunsSystemTasks = world.tasks
    assert isinstance(tasks, RunsSystemTasks)


async def test_batches_are_sent_by_type_as_recorded(world: World) -> None:
    """The types go out as plain text, in order, none of them left out; extra arguments are ignored."""
    sent = [body["notification_types"] for body in recorded_bodies("process_existing_batches")]
    for types in sent:
        await world.tasks.process_existing_batches({"notification_types": types, "cron": "x", "extra": 1})
    assert world.notifications.batches == sent
    assert all(type(kind) is str for batch in world.notifications.batches for kind in batch)


@pytest.mark.parametrize(
    "kwargs", [{}, {"notification_types": ["AGENT_RUN"]}, {"notification_types": ["BOGUS"], "cron": "x"}, {"1": 2}]
)
async def test_batches_with_wrong_arguments_are_refused(world: World, kwargs: dict[str, Any]) -> None:
    """Arguments that are no NotificationJobArgs come out as pydantic's error, and nobody is asked."""
    with pytest.raises(ValidationError, match="for NotificationJobArgs"):
        await world.tasks.process_existing_batches(kwargs)
    assert world.notifications.batches == []


@pytest.mark.parametrize("task", [weekly, batches])
@pytest.mark.parametrize("error", [RemoteCallError("ValueError", ["no"]), RuntimeError("any")])
async def test_a_notification_service_that_fails_is_only_logged(
    world: World, task: Callable[[SystemTasks], Awaitable[None]], error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Recorded as 200 with null: the caller of these two never hears of it, the log does."""
    world.notifications.fail_next(error)
    await task(world.tasks)
    assert "were not" in caplog.text


async def test_the_settings_reach_the_monitors(world: World) -> None:
    """Threshold, check range, share and block names are the operator's."""
    late = await world.tasks.report_late_executions()
    assert "in the last 77 seconds. Graph has been queued for more than 7 seconds." in late
    assert await world.tasks.report_block_error_rates() == "Alert sent for 1 blocks with high error rates"
    assert "🚨 Block 'Block One' has 25.0% error rate (25/100)" in world.notifications.alerts[1]


async def test_the_cleanup_returns_nothing(world: World) -> None:
    """Recorded as 200 with null, whatever it deleted."""
    world.files.files["uploads/b"] = StoredFile("uploads/b", None, 1)
    await world.tasks.cleanup_expired_files()
    assert list(world.files.files) == ["uploads/b"]


async def test_every_kind_but_graphs_has_a_handler_that_does_its_task(world: World) -> None:
    """The engine finds each task by its kind and hands it the job's arguments."""
    handlers = world.tasks.handlers()
    assert set(handlers) == set(JobKind) - {JobKind.EXECUTE_GRAPH}
    for kind, handler in handlers.items():
        arguments = {"notification_types": ["ZERO_BALANCE"], "cron": "x"}
        await handler(arguments if kind is JobKind.PROCESS_EXISTING_BATCHES else {})
    assert world.notifications.batches == [["ZERO_BALANCE"]]
    assert world.notifications.weekly_summaries == 1
    assert len(world.notifications.alerts) == 2
    assert world.files.files == {}


async def test_what_somebody_asked_for_is_not_alerted_again_by_the_schedule(world: World) -> None:
    """The report by hand and the scheduled one remember together."""
    await world.tasks.report_late_executions()
    await world.tasks.handlers()[JobKind.REPORT_LATE_EXECUTIONS]({})
    assert len(world.notifications.alerts) == 1
