"""The report on failing blocks, over services in memory."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.memory.clock import SettableClock
from adapters.memory.executions import MemoryExecutions, Question
from adapters.memory.notifications import MemoryNotifications
from domain.monitoring.block_errors import ALL_WELL, BlockErrorMonitor
from ports.errors import RemoteCallError
from ports.executions import BlockStats
from tests.unit.monitoring import recorded_alerts, recorded_bodies

NOW = datetime(2026, 11, 23, 14, 26, 4, 671888, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = {"known-1": "Block_known-1"}
[CRITICAL] = recorded_alerts("Block Error Rate Alert")
[SUMMARY] = recorded_alerts("📊")
[WELL] = recorded_alerts("✅")
[FAILED] = recorded_alerts("Error checking")


class World:
    """A monitor and what it runs over."""

    def __init__(self, *, threshold: float = 0.5, include_top_blocks: int = 3) -> None:
        self.executions = MemoryExecutions()
        self.notifications = MemoryNotifications()
        self.monitor = BlockErrorMonitor(
            executions=self.executions,
            notifications=self.notifications,
            clock=SettableClock(NOW),
            threshold=threshold,
            include_top_blocks=include_top_blocks,
            block_names=NAMES,
        )

    def ran(self, **counts: tuple[int, int]) -> None:
        """Let blocks have run; each is (failed, total)."""
        self.executions.stats = [BlockStats(name, total, failed) for name, (failed, total) in counts.items()]


@pytest.fixture
def world() -> World:
    """Return a world with the default settings where no block ran."""
    return World()


async def test_a_day_without_failures_is_reported_as_recorded(world: World) -> None:
    """Nothing failed: the fixed line is sent as the summary."""
    assert await world.monitor.report() == "Sent top blocks summary"
    assert world.notifications.alerts == [ALL_WELL] == [WELL]


async def test_a_critical_block_gives_the_recorded_alert(world: World) -> None:
    """A block that failed too often is alerted by its name, its share and its counts."""
    world.executions.stats = [BlockStats("known-1", 20, 15)]
    assert await world.monitor.report() == "Alert sent for 1 blocks with high error rates"
    assert world.notifications.alerts == [CRITICAL]


async def test_the_summary_is_the_recorded_one(world: World) -> None:
    """Without a critical block the most frequent error of each failing one is shown, masked."""
    world.executions.stats = [BlockStats("known-1", 20, 5)]
    world.executions.errors["known-1"] = ["ERROR 42 at https://example.com/x for joe@example.com"]
    assert await world.monitor.report() == "Sent top blocks summary"
    assert world.notifications.alerts == [SUMMARY]


async def test_the_questions_are_the_recorded_ones(world: World) -> None:
    """The last 24 hours are asked for; three samples of a critical block, two of one in the summary."""
    world.ran(a=(10, 10))
    await world.monitor.report()
    world.ran(a=(1, 10))
    await world.monitor.report()
    stats = Question("block_error_stats", NOW - DAY, NOW)
    critical, top = (Question("failed_node_errors", NOW - DAY, NOW, "a", limit) for limit in (3, 2))
    assert world.executions.questions == [stats, critical, stats, top]
    assert [body["limit"] for body in recorded_bodies("get_node_executions")] == [3, 2]


async def test_samples_are_masked_and_counted(world: World) -> None:
    """Errors that are equal once masked are one line, the most frequent first."""
    world.ran(a=(10, 10))
    world.executions.errors["a"] = ["no such file", "code 1", "code 2"]
    await world.monitor.report()
    [alert] = world.notifications.alerts
    assert alert.endswith(
        "🚨 Block 'a' has 100.0% error rate (10/10) in the last 24 hours\n\n"
        "📊 Error Types:\n• code X (2x)\n• no such file (1x)"
    )


async def test_all_critical_blocks_are_in_one_alert(world: World) -> None:
    """Blocks that nobody named go by their ids, each on its own; those that ran too seldom are left out."""
    world.ran(unknown1=(5, 10), unknown2=(20, 30), seldom=(9, 9), fine=(4, 10))
    assert await world.monitor.report() == "Alert sent for 2 blocks with high error rates"
    [alert] = world.notifications.alerts
    assert alert == (
        "Block Error Rate Alert:\n\n"
        "🚨 Block 'unknown1' has 50.0% error rate (5/10) in the last 24 hours\n\n"
        "🚨 Block 'unknown2' has 66.7% error rate (20/30) in the last 24 hours"
    )


async def test_the_summary_ranks_by_failures(world: World) -> None:
    """The blocks with most failures come first, as many as the setting says, none that never failed."""
    world.ran(few=(1, 10), most=(7, 100), none=(0, 50), seldom=(9, 9), more=(3, 10), same=(3, 30))
    await world.monitor.report()
    [alert] = world.notifications.alerts
    assert alert == (
        "📊 Daily Error Summary - top 3 blocks with most errors:\n"
        "• most: 7 errors (7.0% of 100)\n• more: 3 errors (30.0% of 10)\n• same: 3 errors (10.0% of 30)"
    )


async def test_a_summary_of_one_does_not_count(world: World) -> None:
    """The heading says a number only above one."""
    world = World(include_top_blocks=1)
    world.ran(a=(1, 10), b=(2, 10))
    await world.monitor.report()
    heading = "📊 Daily Error Summary - top blocks with most errors:"
    assert world.notifications.alerts == [f"{heading}\n• b: 2 errors (20.0% of 10)"]


async def test_without_summaries_nobody_is_alerted() -> None:
    """An operator who wants no summary hears of critical blocks only."""
    world = World(include_top_blocks=0)
    world.ran(a=(1, 10))
    assert await world.monitor.report() == "No errors reported for today"
    assert world.notifications.alerts == []


@pytest.mark.parametrize("step", ["stats", "samples", "alert"])
async def test_whatever_goes_wrong_is_logged_alerted_and_returned(
    step: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A failure at any step becomes the recorded text."""
    world = World()
    world.ran(a=(10, 10))
    error = RemoteCallError("Exception", ["db"])
    if step == "samples":
        world.executions.unsampled["a"] = error
    else:
        (world.executions if step == "stats" else world.notifications).fail_next(error)
    assert await world.monitor.report() == FAILED
    assert world.notifications.alerts == [FAILED]
    assert "could not be checked" in caplog.text


async def test_a_failure_of_that_alert_comes_out(world: World) -> None:
    """When operators can't even be told of the failure, the caller is."""
    world.notifications.fail_next(RemoteCallError("Exception", ["first"]), RemoteCallError("KeyError", ["second"]))
    with pytest.raises(RemoteCallError, match="second"):
        await world.monitor.report()


async def test_a_long_failure_is_alerted_in_short(world: World) -> None:
    """An alert fits a message, the returned text is whole."""
    world.executions.fail_next(RemoteCallError("Exception", ["x" * 5000]))
    assert (await world.monitor.report()).endswith("x" * 5000)
    [alert] = world.notifications.alerts
    assert len(alert) == 2000
    assert alert.endswith("x...")


async def test_many_critical_blocks_fit_a_message(world: World) -> None:
    """Blocks that find no room are counted."""
    world.ran(**{f"block{number:04}": (10, 10) for number in range(500)})
    assert await world.monitor.report() == "Alert sent for 500 blocks with high error rates"
    [alert] = world.notifications.alerts
    assert len(alert) <= 2000
    assert alert.endswith(f"\n\n... and {500 - alert.count('🚨')} more blocks")
