"""The report on late executions, over services in memory."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from adapters.memory.clock import SettableClock
from adapters.memory.executions import MemoryExecutions, Question
from adapters.memory.notifications import MemoryNotifications
from domain.monitoring.late_executions import LateExecutionMonitor
from ports.errors import RemoteCallError
from ports.executions import GraphExecution
from tests.unit.monitoring import recorded_alerts, recorded_bodies

NOW = datetime(2026, 11, 23, 14, 26, 4, tzinfo=UTC)
THREE, ONE = recorded_alerts("Late executions detected")
MINUTE = timedelta(minutes=1)


class World:
    """A monitor and what it runs over."""

    def __init__(self, *, repeat: bool = False) -> None:
        self.executions = MemoryExecutions()
        self.notifications = MemoryNotifications()
        self.monitor = LateExecutionMonitor(
            executions=self.executions,
            notifications=self.notifications,
            clock=SettableClock(NOW),
            threshold_secs=300,
            checkrange_secs=3600,
            repeat=repeat,
        )

    def queue(self, *names: str) -> None:
        """Let just these be late."""
        self.executions.late = [late(name) for name in names]


@pytest.fixture
def world() -> World:
    """Return a world where nothing is late."""
    return World()


def late(name: str, user_id: str = "u1", started_at: str = "2026-11-23T10:00:00+00:00") -> GraphExecution:
    """Return a late execution."""
    return GraphExecution(id=name, graph_id="g1", graph_version=2, user_id=user_id, started_at=started_at)


async def test_nothing_late_is_said_and_alerts_nobody(world: World) -> None:
    """Without late executions the report says so and operators hear nothing."""
    assert await world.monitor.report() == "No late executions detected."
    assert world.notifications.alerts == []


async def test_the_recorded_executions_give_the_recorded_alert(world: World) -> None:
    """The alert and the result are the recorded text, the start times as the service sent them."""
    world.executions.late = [
        late("e1"),
        late("e2", "u2", "2026-11-23T10:00:00.123456+00:00"),
        late("e3", started_at="2026-11-23T10:00:00"),
    ]
    assert await world.monitor.report(by_hand=True) == THREE
    assert world.notifications.alerts == [THREE]


async def test_the_window_and_limit_are_the_recorded_ones(world: World) -> None:
    """Executions are sought from the check range's beginning to the threshold, a thousand at most."""
    await world.monitor.report()
    begin, end = NOW - 60 * MINUTE, NOW - 5 * MINUTE
    assert world.executions.questions == [Question("queued", begin, end, limit=1000)]
    assert all(body["limit"] == 1000 for body in recorded_bodies("get_graph_executions"))


async def test_the_same_executions_are_not_alerted_again(world: World) -> None:
    """A later look returns the whole text but alerts only about what is new."""
    world.queue("e1", "e2")
    await world.monitor.report()
    await world.monitor.report()
    world.queue("e1", "e2", "e3")
    text = await world.monitor.report()
    assert text.startswith("Late executions detected: 3 late executions from 1 users")
    assert all(f"Execution ID: {name}," in text for name in ("e1", "e2", "e3"))
    assert len(world.notifications.alerts) == 2
    assert world.notifications.alerts[1] == ONE.replace("e1", "e3")


async def test_a_late_execution_less_is_no_news_to_the_schedule_but_to_who_asks(world: World) -> None:
    """When some of the late ones have started, only a report by hand is sent again, whole, and once."""
    world.queue("e1", "e2")
    await world.monitor.report()
    world.queue("e1")
    await world.monitor.report()
    assert len(world.notifications.alerts) == 1
    await world.monitor.report(by_hand=True)
    await world.monitor.report(by_hand=True)
    assert world.notifications.alerts[1:] == [ONE]


@pytest.mark.parametrize("by_hand", [False, True])
async def test_an_alert_that_could_not_be_sent_is_sent_the_next_time(world: World, by_hand: bool) -> None:  # noqa: FBT001
    """A failed alert comes out of the report, and its executions count as new again."""
    world.queue("e1")
    world.notifications.fail_next(RemoteCallError("KeyError", ["k"]))
    with pytest.raises(RemoteCallError, match="k"):
        await world.monitor.report(by_hand=by_hand)
    await world.monitor.report(by_hand=by_hand)
    assert world.notifications.alerts == [ONE]


async def test_a_failed_alert_leaves_what_was_alerted_before_alerted(world: World) -> None:
    """Only the executions that were new to the failed alert are alerted by the next one."""
    world.queue("e1")
    await world.monitor.report()
    world.queue("e1", "e2")
    world.notifications.fail_next(RemoteCallError("KeyError", ["k"]))
    with pytest.raises(RemoteCallError):
        await world.monitor.report()
    await world.monitor.report()
    assert world.notifications.alerts == [ONE, ONE.replace("e1", "e2")]


async def test_an_alert_that_was_cancelled_is_sent_the_next_time() -> None:
    """Cut off while it is being sent, an alert counts as not sent."""
    world = World()
    sending = asyncio.Event()

    class Hanging(MemoryNotifications):
        async def discord_system_alert(self, content: str) -> None:
            await super().discord_system_alert(content)
            sending.set()
            await asyncio.Event().wait()

    hanging = Hanging()
    monitor = LateExecutionMonitor(
        executions=world.executions,
        notifications=hanging,
        clock=SettableClock(NOW),
        threshold_secs=300,
        checkrange_secs=3600,
    )
    world.queue("e1")
    for _ in range(2):
        sending.clear()
        task = asyncio.create_task(monitor.report())
        await sending.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert hanging.alerts == [ONE, ONE]


async def test_repeating_alerts_at_every_look() -> None:
    """An operator can have the original's way back: the same alert at every look."""
    world = World(repeat=True)
    world.queue("e1")
    await world.monitor.report()
    await world.monitor.report()
    assert world.notifications.alerts == [ONE, ONE]


async def test_an_alert_of_many_fits_a_message_and_counts_the_rest(world: World) -> None:
    """Discord's 2,000 characters hold whole lines and how many were left out; the result holds all."""
    world.queue(*(f"execution-{number}" for number in range(1000)))
    text = await world.monitor.report()
    assert text.count("\n") == 1000
    [alert] = world.notifications.alerts
    assert len(alert) <= 2000
    *lines, last = alert.split("\n")
    assert lines == text.split("\n")[: len(lines)]
    assert last == f"... and {1000 - (len(lines) - 1)} more late executions"


async def test_what_was_alerted_is_remembered_up_to_a_bound(world: World) -> None:
    """Past ten thousand executions the oldest is forgotten, those seen lately are not."""
    world.queue("first", "seen again")
    await world.monitor.report()
    for batch in range(11):
        world.queue("seen again", *(f"{batch}-{number}" for number in range(999)))
        await world.monitor.report()
    world.queue("seen again")
    await world.monitor.report()
    assert len(world.notifications.alerts) == 12
    world.queue("first")
    await world.monitor.report()
    assert len(world.notifications.alerts) == 13


async def test_a_question_that_fails_alerts_nobody(world: World) -> None:
    """What the database service raises comes out of the report."""
    world.executions.fail_next(RemoteCallError("NotFoundError", ["not here"]))
    with pytest.raises(RemoteCallError, match="not here"):
        await world.monitor.report()
    assert world.notifications.alerts == []
