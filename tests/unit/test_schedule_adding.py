"""Adding schedules in our own ways: once, bounded, spread, under an id of one's own, within quotas."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.cron import parse_cron
from domain.errors import DomainError, InvalidScheduleError, NotAuthorizedError, QuotaExceededError
from domain.fire_times import fire_times, next_fire_time, phase_of
from domain.quotas import Quotas
from domain.schedule_changes import first_run
from ports.jobs import Job, JobKind, UnreadableReason, UnreadableRow
from ports.triggers import CronTrigger, DateTrigger, IntervalTrigger
from tests.unit.schedule_world import NOW, World, args

HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> World:
    """Return an empty world in UTC."""
    return World()


async def test_a_schedule_that_runs_once_has_its_time_and_an_empty_cron(world: World) -> None:
    """The stored cron stays text, since the original validates it, and its emptiness says that there is none."""
    info = await world.schedules.add(args(cron=""), run_at="2026-12-01T09:00:00+01:00")
    job = world.jobs.jobs[info.id]
    assert job.trigger == DateTrigger(datetime(2026, 12, 1, 8, tzinfo=UTC))
    assert (job.kwargs["cron"], info.cron) == ("", "")
    assert (info.run_at, info.next_run_time) == ("2026-12-01T08:00:00+00:00",) * 2


async def test_a_time_without_an_offset_is_read_in_the_schedules_zone(world: World) -> None:
    """A user who says nine means nine where they are."""
    info = await world.schedules.add(args(cron=""), run_at="2026-12-01T09:00", user_timezone="Europe/Warsaw")
    assert (info.run_at, info.timezone) == ("2026-12-01T09:00:00+01:00", "Europe/Warsaw")


def test_a_first_run_is_remembered_only_until_it_has_come() -> None:
    """Whatever was asked before, clocks that step back included, the first run is the next fire time."""
    lots = random.Random(4)
    zones = ("UTC", "Europe/Warsaw", "America/St_Johns")
    plain = [parse_cron(cron, timezone=zone) for cron in ("*/7 1-3 * * *", "30 2 * * *") for zone in zones]
    bound = datetime(2027, 3, 28, 12, tzinfo=UTC)
    triggers = [*plain, *(replace(trigger, end_at=bound + timedelta(days=400)) for trigger in plain)]
    triggers += [replace(trigger, start_at=bound) for trigger in plain]
    for _ in range(3000):
        trigger = lots.choice(triggers)
        now = datetime(2027, 3, 27, tzinfo=UTC) + timedelta(
            minutes=lots.randrange(4000), microseconds=lots.randrange(2)
        )
        expected = next_fire_time(trigger, now)
        assert expected is not None
        assert first_run(trigger, now).isoformat() == expected.isoformat()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2027-03-28T02:30", "2027-03-28T03:30:00+02:00"),  # the clock skips it
        ("2027-10-31T02:30", "2027-10-31T02:30:00+02:00"),  # the clock shows it twice
    ],
)
async def test_a_time_at_a_change_of_the_clock_is_one_that_it_shows(world: World, text: str, meant: str) -> None:
    """A skipped time is that much later; of a time that comes twice the first is meant."""
    info = await world.schedules.add(args(cron=""), run_at=text, user_timezone="Europe/Warsaw")
    assert info.run_at == meant


@pytest.mark.parametrize(
    ("cron", "options", "field"),
    [
        ("0 9 * * *", {"run_at": "2026-12-01T09:00"}, "run_at"),
        ("", {}, None),
        ("", {"run_at": ""}, "run_at"),
        ("", {"run_at": "tomorrow"}, "run_at"),
        ("", {"run_at": "0001-01-01T00:00+14:00"}, "run_at"),
        ("", {"run_at": "9999-12-31T23:59-14:00"}, "run_at"),
        ("", {"run_at": "9999-01-01T00:00"}, "run_at"),
        ("0 9 * * *", {"start_at": "0001-01-01T00:00"}, "start_at"),
        ("", {"run_at": NOW.isoformat()}, "run_at"),
        ("", {"run_at": "2026-12-01T09:00", "end_at": "2026-12-02T09:00"}, "run_at"),
        ("", {"run_at": "2026-12-01T09:00", "jitter_secs": 5}, "run_at"),
        ("", {"run_at": "2026-12-01T09:00", "user_timezone": "Mars/Olympus"}, "timezone"),
        ("0 9 * * *", {"start_at": "soon"}, "start_at"),
        ("0 9 * * *", {"end_at": "\ud800"}, "end_at"),
        ("0 9 * * *", {"start_at": "2026-12-02", "end_at": "2026-12-01"}, "end_at"),
        ("0 9 * * *", {"end_at": "2026-11-24T08:59:59"}, None),
        ("0 9 * * *", {"jitter_secs": -1}, "jitter_secs"),
        ("0 9 * * *", {"jitter_secs": 86_401}, "jitter_secs"),
        ("0 9 * * *", {"schedule_id": ""}, "schedule_id"),
        ("0 9 * * *", {"schedule_id": "x" * 192}, "schedule_id"),
        ("0 9 * * *", {"schedule_id": "a\0b"}, "schedule_id"),
        ("0 9 * * *", {"schedule_id": "\udfff"}, "schedule_id"),
    ],
)
async def test_what_can_be_no_schedule_is_refused_and_not_stored(
    world: World, cron: str, options: dict[str, Any], field: str | None
) -> None:
    """Each mistake names the field at fault, and leaves nothing behind."""
    with pytest.raises(InvalidScheduleError) as caught:
        await world.schedules.add(args(cron=cron), **options)
    assert caught.value.field == field
    assert world.jobs.jobs == {}


async def test_a_schedule_runs_from_its_start_until_its_end(world: World) -> None:
    """Both bounds may run, and come back as they were given."""
    bounds = {"start_at": "2026-12-01T09:00:00", "end_at": "2026-12-03T09:00:00"}
    info = await world.schedules.add(args(cron="0 9 * * *"), **bounds)  # type: ignore[arg-type]
    assert info.next_run_time == "2026-12-01T09:00:00+00:00"
    assert (info.start_at, info.end_at) == ("2026-12-01T09:00:00+00:00", "2026-12-03T09:00:00+00:00")
    assert len(fire_times(world.jobs.jobs[info.id].trigger, NOW, 10)) == 3


async def test_jitter_is_a_delay_of_the_schedules_own_that_never_changes(world: World) -> None:
    """Every run is late by the same part of the window, and another schedule's by another."""
    delays = []
    for name in ("a", "b"):
        info = await world.schedules.add(args(cron="0 * * * *"), schedule_id=name, jitter_secs=600)
        assert (info.jitter_secs, info.start_at) == (600, None)
        trigger = world.jobs.jobs[name].trigger
        times = fire_times(trigger, NOW, 30)
        delay = phase_of(trigger)
        assert timedelta(0) < delay < timedelta(seconds=600)
        assert times == [datetime(2026, 11, 23, 15, tzinfo=UTC) + n * HOUR + delay for n in range(30)]
        assert info.next_run_time == times[0].isoformat()
        delays.append(delay)
    assert delays[0] != delays[1]


@pytest.mark.parametrize("start", ["2026-12-01T09:00:00", "2026-12-01T08:59:59.000001"])
async def test_jitter_leaves_the_start_where_it_is(world: World, start: str) -> None:
    """The run at the very start comes, the one before does not."""
    options: dict[str, Any] = {"start_at": start, "jitter_secs": 60, "user_timezone": "Europe/Warsaw"}
    info = await world.schedules.add(args(cron="* * * * *"), **options)
    assert info.start_at == "2026-12-01T09:00:00+01:00"
    first = datetime.fromisoformat("2026-12-01T09:00:00+01:00")
    assert first < datetime.fromisoformat(info.next_run_time) < first + timedelta(seconds=60)


async def test_an_id_of_ones_own_is_stored_and_adding_again_replaces(world: World) -> None:
    """The same id by the same user is the same schedule, as the specification's replace_existing promises."""
    await world.schedules.add(args(), schedule_id="mine", name="one")
    again = await world.schedules.add(args(cron="0 10 * * *", graph_id="g2"), schedule_id="mine", name="two")
    assert (again.id, again.name, again.graph_id) == ("mine", "two", "g2")
    assert [info.id for info in await world.listed()] == ["mine"]


async def test_an_add_that_is_repeated_loses_no_run(world: World) -> None:
    """A client that got no answer may ask again after the first due time has come, before it was claimed."""
    first = await world.schedules.add(args(cron="29 14 * * *"), schedule_id="mine")
    world.clock.advance(timedelta(minutes=1))
    assert await world.schedules.add(args(cron="29 14 * * *"), schedule_id="mine") == first


async def test_adding_over_a_paused_schedule_lets_it_run(world: World) -> None:
    """What replaces a schedule is what was asked for, not what was there."""
    await world.schedules.add(args(), schedule_id="mine")
    await world.schedules.pause("mine", user_id="u1")
    info = await world.schedules.add(args(), schedule_id="mine")
    assert not info.paused
    assert info.next_run_time


@pytest.mark.parametrize("taken_by", ["another user", "a system task", "an odd job", "an unreadable row", "nobody"])
async def test_an_id_that_is_not_ones_to_take_is_refused_in_the_same_way(world: World, taken_by: str) -> None:
    """Whoever has it, and be it a system task that is not there yet, the answer is the same."""
    taken = "report_late_executions" if taken_by in ("a system task", "nobody") else "taken"
    trigger = IntervalTrigger(HOUR, NOW, "UTC")
    if taken_by == "another user":
        await world.schedules.add(args(user_id="u2"), schedule_id=taken)
    elif taken_by == "an unreadable row":
        world.jobs.rows_left_alone[taken] = UnreadableRow(taken, UnreadableReason.QUARANTINED, "")
    elif taken_by != "nobody":
        kind = JobKind.REPORT_LATE_EXECUTIONS if taken_by == "a system task" else JobKind.EXECUTE_GRAPH
        await world.jobs.put(Job(taken, kind, taken, trigger, {"user_id": "u1"}, NOW))
    before = dict(world.jobs.jobs)
    with pytest.raises(NotAuthorizedError) as caught:
        await world.schedules.add(args(), schedule_id=taken)
    assert str(caught.value) == "User ID does not match the job's user ID"
    assert world.jobs.jobs == before


async def test_a_user_may_have_so_many_schedules_paused_ones_included() -> None:
    """The refusal says the limit; others have their own, and replacing one needs no room."""
    world = World(quotas=Quotas(max_schedules_per_user=2))
    await world.schedules.add(args(), schedule_id="a")
    await world.schedules.add(args(), schedule_id="b")
    await world.schedules.pause("a", user_id="u1")
    with pytest.raises(QuotaExceededError, match="may have 2 schedules") as caught:
        await world.schedules.add(args())
    assert (caught.value.setting, caught.value.limit) == ("SCHEDULER_MAX_SCHEDULES_PER_USER", 2)
    assert len(world.jobs.jobs) == 2
    await world.schedules.add(args(), schedule_id="a")
    await world.schedules.add(args(user_id="u2"))


@pytest.mark.parametrize(
    ("cron", "allowed"),
    [
        ("* * * * *", False),
        ("*/5 * * * *", False),
        ("*/15 * * * *", True),
        ("0,14 9 * * *", False),
        ("59 23 * * *", True),
        ("0,55 0,23 * * *", False),  # 23:55 to 00:00 of the day after
        ("0,55 0,23 * * 1", True),
        ("0,1 0 29 2 *", False),
        ("0 9 * * 1,2", True),
        ("0 0 * * *", True),
    ],
)
async def test_runs_may_not_come_closer_than_the_shortest_interval(cron: str, allowed: bool) -> None:  # noqa: FBT001
    """However far away the close ones are."""
    world = World(quotas=Quotas(min_interval_secs=900))
    if allowed:
        await world.schedules.add(args(cron=cron))
        return
    with pytest.raises(QuotaExceededError, match="at least 900 seconds apart"):
        await world.schedules.add(args(cron=cron))
    assert world.jobs.jobs == {}


async def test_a_day_is_a_day_whatever_the_clock_does() -> None:
    """Daily runs are a day apart for a quota, though one night of the year is shorter; once has no interval."""
    world = World(quotas=Quotas(min_interval_secs=86_400))
    await world.schedules.add(args(cron="0 9 * * *"), user_timezone="Europe/Warsaw")
    await world.schedules.add(args(cron=""), run_at="2027-01-01")


async def test_a_refused_add_tells_what_the_limit_is_as_a_value_error() -> None:
    """The platform's clients raise it again by type."""
    world = World(quotas=Quotas(min_interval_secs=61))
    with pytest.raises(ValueError, match="61") as caught:
        await world.schedules.add(args(cron="* * * * *"))
    assert isinstance(caught.value, DomainError)


def test_a_trigger_with_jitter_and_no_share_of_it_fires_on_time() -> None:
    """A row of somebody else's, whose start has no microseconds, comes without a delay."""
    assert phase_of(CronTrigger("UTC", jitter=60)) == timedelta(0)
    assert phase_of(CronTrigger("UTC", jitter=60, start_at=NOW)) == timedelta(0)
    assert phase_of(CronTrigger("UTC", start_at=NOW.replace(microsecond=5))) == timedelta(0)
