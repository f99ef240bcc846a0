"""Showing, changing, pausing and resuming schedules, over a job store in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from domain.errors import (
    InvalidScheduleError,
    NotAuthorizedError,
    NotFoundError,
    QuotaExceededError,
    UnstorableInputError,
)
from domain.models import ScheduleChanges
from domain.notes import NOTES
from domain.quotas import Quotas
from ports.firings import FiringState, NewFiring
from ports.jobs import Job, JobKind, StockOptions
from ports.triggers import CombinedTrigger, CronTrigger, DateTrigger, IntervalTrigger
from tests.unit.schedule_world import NOW, World, args

HOUR = timedelta(hours=1)
Call = Callable[[World, str, str], Awaitable[object]]

CALLS: dict[str, Call] = {
    "get": lambda world, job_id, user: world.schedules.get(job_id, user_id=user),
    "update": lambda world, job_id, user: world.schedules.update(job_id, ScheduleChanges(name="x"), user_id=user),
    "pause": lambda world, job_id, user: world.schedules.pause(job_id, user_id=user),
    "resume": lambda world, job_id, user: world.schedules.resume(job_id, user_id=user),
    "run now": lambda world, job_id, user: world.runs.run_now(job_id, user_id=user),
    "backfill": lambda world, job_id, user: world.runs.backfill(
        job_id, user_id=user, begin="2026-11-01", end="2026-11-10"
    ),
    "preview": lambda world, job_id, user: world.runs.preview(schedule_id=job_id, user_id=user),
}


@pytest.fixture
async def world() -> World:
    """Return a world in UTC with u1's schedule "s", every Monday at nine."""
    world = World()
    await world.schedules.add(args(), schedule_id="s", name="mine")
    return world


def stored(world: World) -> Job:
    """Return the schedule's job."""
    return world.jobs.jobs["s"]


@pytest.mark.parametrize("call", CALLS)
async def test_calls_check_the_owner_as_delete_does(world: World, call: str) -> None:
    """Unknown ids are not found, others' not authorized, system tasks' no schedules; and nothing happens."""
    task = JobKind.CLEANUP_EXPIRED_FILES
    await world.jobs.put(Job(task, task, task, IntervalTrigger(HOUR, NOW, "UTC"), {}, NOW))
    before = dict(world.jobs.jobs)
    for unknown in ("nobody", "", "S", "\ud800"):
        with pytest.raises(NotFoundError):
            await CALLS[call](world, unknown, "u1")
    with pytest.raises(NotAuthorizedError):
        await CALLS[call](world, "s", "u2")
    with pytest.raises(ValidationError):
        await CALLS[call](world, task.value, "u1")
    with pytest.raises(InvalidScheduleError, match="NUL"):
        await CALLS[call](world, "a\0b", "u1")
    assert world.jobs.jobs == before
    assert world.ledger.entries == {}


async def test_a_schedule_is_shown_to_its_owner(world: World) -> None:
    """As it was answered when it was added."""
    assert (await world.schedules.get("s", user_id="u1")) == (await world.listed())[0]


async def test_a_paused_schedule_has_no_next_run_and_says_why(world: World) -> None:
    """Pausing means to APScheduler what it means here; what it has no place for stands among the kwargs."""
    info = await world.schedules.pause("s", user_id="u1", reason="Holidays", by="support")
    assert (info.changed, info.paused, info.next_run_time) == (True, True, "")
    assert (info.paused_reason, info.paused_by, info.paused_at) == ("Holidays", "support", NOW.isoformat())
    assert stored(world).next_run_at is None
    assert NOTES not in info.model_dump()
    assert await world.listed() == []
    assert [found.id for found in await world.listed(include_paused=True)] == ["s"]


async def test_the_first_pausers_record_stays(world: World) -> None:
    """Pausing what is paused changes nothing, and says so."""
    first = await world.schedules.pause("s", user_id="u1", reason="first")
    world.clock.advance(HOUR)
    second = await world.schedules.pause("s", user_id="u1", reason="second", by="another")
    assert second == first.model_copy(update={"changed": False})
    assert first.paused_by == "u1"


async def test_what_another_scheduler_paused_has_no_record_and_stays(world: World) -> None:
    """A row that the original or an operator paused is paused."""
    world.jobs.jobs["s"] = replace(stored(world), next_run_at=None)
    info = await world.schedules.pause("s", user_id="u1", reason="mine")
    assert (info.changed, info.paused, info.paused_reason, info.paused_by) == (False, True, None, None)


async def test_what_another_scheduler_resumed_is_not_paused_whatever_is_noted(world: World) -> None:
    """The next run is the truth; a later pause has a record of its own."""
    await world.schedules.pause("s", user_id="u1", reason="old")
    world.jobs.jobs["s"] = replace(stored(world), next_run_at=NOW + HOUR)
    info = await world.schedules.get("s", user_id="u1")
    assert (info.paused, info.paused_reason) == (False, None)
    assert (await world.schedules.pause("s", user_id="u1", reason="new")).paused_reason == "new"


@pytest.mark.parametrize("notes", [None, 5, "x", [], {"paused": 1}, {"paused": {"reason": 1, "at": []}}])
async def test_notes_that_somebody_broke_are_taken_for_none(world: World, notes: object) -> None:
    """The row is read, paused and resumed all the same."""
    job = stored(world)
    world.jobs.jobs["s"] = replace(job, next_run_at=None, kwargs={**job.kwargs, NOTES: notes})
    info = await world.schedules.get("s", user_id="u1")
    assert (info.paused, info.paused_reason, info.paused_by, info.paused_at) == (True, None, None, None)
    assert (await world.schedules.resume("s", user_id="u1")).changed


@pytest.mark.parametrize(("field", "text"), [("reason", "x" * 501), ("reason", "\ud800"), ("by", "\ud800")])
async def test_a_reason_that_could_not_be_answered_with_is_refused(world: World, field: str, text: str) -> None:
    """Nothing is paused."""
    with pytest.raises(InvalidScheduleError) as caught:
        await world.schedules.pause("s", user_id="u1", **{field: text})
    assert caught.value.field == field
    assert stored(world).next_run_at is not None


async def test_pausing_cancels_what_waits(world: World) -> None:
    """A firing that waits for another try does not run while its schedule is paused."""
    await world.runs.run_now("s", user_id="u1")
    await world.schedules.pause("s", user_id="u1")
    assert [info.state for info in await world.runs.history(user_id="u1")] == [FiringState.CANCELLED]


async def test_resuming_goes_on_from_the_next_due_time(world: World) -> None:
    """What came due meanwhile does not fire."""
    await world.schedules.pause("s", user_id="u1")
    world.clock.advance(timedelta(days=10))
    info = await world.schedules.resume("s", user_id="u1")
    assert (info.changed, info.paused, info.paused_reason) == (True, False, None)
    assert info.next_run_time == "2026-12-07T09:00:00+00:00"
    assert not (await world.schedules.resume("s", user_id="u1")).changed
    assert await world.listed() == [await world.schedules.get("s", user_id="u1")]


async def test_of_two_at_once_one_says_changed(world: World) -> None:
    """Each call says whether it was the one."""
    pauses = await asyncio.gather(*(world.schedules.pause("s", user_id="u1") for _ in range(4)))
    resumes = await asyncio.gather(*(world.schedules.resume("s", user_id="u1") for _ in range(4)))
    assert [info.changed for info in pauses].count(True) == [info.changed for info in resumes].count(True) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cron": "", "run_at": "2026-11-23T15:00:00"}, "time has passed"),
        ({"cron": "0 9 * * *", "end_at": "2026-11-25T00:00:00"}, "does not run after 2026-11-25T00:00:00"),
    ],
)
async def test_what_is_over_can_not_be_resumed(world: World, options: dict[str, str], words: str) -> None:
    """The refusal says why, and the schedule stays paused."""
    cron = options.pop("cron")
    await world.schedules.add(args(cron=cron), schedule_id="s", **options)  # type: ignore[arg-type]
    await world.schedules.pause("s", user_id="u1")
    world.clock.advance(timedelta(days=3))
    with pytest.raises(InvalidScheduleError, match=words):
        await world.schedules.resume("s", user_id="u1")
    assert (await world.schedules.get("s", user_id="u1")).paused


async def test_only_what_is_given_changes(world: World) -> None:
    """Unknown kwargs and APScheduler's own options survive; a trigger that stays keeps its next run."""
    options = StockOptions(misfire_grace_time=7, max_instances=3)
    due = NOW + timedelta(minutes=1)  # which no computation would come to
    job = stored(world)
    world.jobs.jobs["s"] = replace(job, options=options, next_run_at=due, kwargs={**job.kwargs, "theirs": [1]})
    changes = ScheduleChanges(name="new", input_data={"b": None}, graph_version=7)
    info = await world.schedules.update("s", changes, user_id="u1")
    assert (info.changed, info.name, info.graph_version, info.input_data) == (True, "new", 7, {"b": None})
    expected = {**job.kwargs, "theirs": [1], "input_data": {"b": None}, "graph_version": 7}
    wanted = replace(job, name="new", options=options, next_run_at=due, kwargs=expected)
    assert stored(world) == wanted


async def test_credentials_are_stored_whole(world: World) -> None:
    """A title of None is part of them."""
    credentials = {"k": {"id": "c", "provider": "p", "type": "oauth2"}}
    changes = ScheduleChanges.model_validate({"input_credentials": credentials})
    await world.schedules.update("s", changes, user_id="u1")
    assert stored(world).kwargs["input_credentials"] == {"k": {**credentials["k"], "title": None}}


@pytest.mark.parametrize(
    "changes",
    [{}, {"name": None, "cron": None, "start_at": None}, {"cron": "0 9 * * 1"}, {"user_timezone": "UTC"}],
)
async def test_a_change_to_what_is_there_changes_nothing(world: World, changes: dict[str, Any]) -> None:
    """And says so."""
    before = stored(world)
    assert not (await world.schedules.update("s", ScheduleChanges(**changes), user_id="u1")).changed
    assert stored(world) is before


async def test_another_way_to_write_the_same_times_keeps_the_next_run(world: World) -> None:
    """The text is stored as typed; what it means has not changed."""
    world.jobs.jobs["s"] = replace(stored(world), next_run_at=NOW + HOUR)
    info = await world.schedules.update("s", ScheduleChanges(cron="00 9 * * mon"), user_id="u1")
    assert (info.cron, info.next_run_time) == ("00 9 * * mon", (NOW + HOUR).isoformat())


async def test_a_new_cron_is_read_in_the_schedules_zone_and_keeps_bounds_and_jitter(world: World) -> None:
    """Only the times change."""
    options: dict[str, Any] = {"user_timezone": "Europe/Warsaw", "end_at": "2027-01-01", "jitter_secs": 60}
    old = await world.schedules.add(args(), schedule_id="s", **options)
    info = await world.schedules.update("s", ScheduleChanges(cron="0 10 * * *"), user_id="u1")
    assert info.next_run_time.startswith("2026-11-24T10:00:")
    assert (info.timezone, info.end_at, info.jitter_secs) == (old.timezone, old.end_at, 60)
    assert info.next_run_time[17:] == old.next_run_time[17:]  # late by the same


async def test_a_new_zone_keeps_the_times_of_the_clock(world: World) -> None:
    """Nine o'clock stays nine o'clock; the stored fields are the truth, not the text."""
    job = stored(world)
    world.jobs.jobs["s"] = replace(job, trigger=CronTrigger("UTC", "0", "9", day_of_week="tue"))
    info = await world.schedules.update("s", ScheduleChanges(user_timezone="Asia/Tokyo"), user_id="u1")
    assert (info.timezone, info.next_run_time) == ("Asia/Tokyo", "2026-11-24T09:00:00+09:00")


async def test_bounds_and_jitter_are_set_and_taken_away(world: World) -> None:
    """A null takes away; what is left out stays."""
    info = await world.schedules.update(
        "s", ScheduleChanges(start_at="2026-12-05", end_at="2026-12-20", jitter_secs=10), user_id="u1"
    )
    assert (info.start_at, info.end_at) == ("2026-12-05T00:00:00+00:00", "2026-12-20T00:00:00+00:00")
    assert (info.jitter_secs, info.next_run_time[:16]) == (10, "2026-12-07T09:00")
    info = await world.schedules.update("s", ScheduleChanges(end_at=None), user_id="u1")
    assert (info.start_at, info.end_at, info.jitter_secs) == ("2026-12-05T00:00:00+00:00", None, 10)
    info = await world.schedules.update("s", ScheduleChanges(start_at=None, jitter_secs=None), user_id="u1")
    assert (info.start_at, info.jitter_secs, info.next_run_time) == (None, None, "2026-11-30T09:00:00+00:00")


async def test_a_schedule_becomes_one_that_runs_once_and_back(world: World) -> None:
    """Cron and a single time take each other's place."""
    info = await world.schedules.update("s", ScheduleChanges(run_at="2026-12-01T09:00:00"), user_id="u1")
    assert (info.cron, info.run_at) == ("", "2026-12-01T09:00:00+00:00")
    info = await world.schedules.update("s", ScheduleChanges(user_timezone="Asia/Tokyo"), user_id="u1")
    assert (info.run_at, info.timezone) == ("2026-12-01T18:00:00+09:00", "Asia/Tokyo")
    info = await world.schedules.update("s", ScheduleChanges(cron="0 9 * * *"), user_id="u1")
    assert (info.cron, info.run_at, info.timezone) == ("0 9 * * *", None, "Asia/Tokyo")


async def test_a_paused_schedule_stays_paused(world: World) -> None:
    """With its record, and a trigger that is new."""
    await world.schedules.pause("s", user_id="u1", reason="why")
    info = await world.schedules.update("s", ScheduleChanges(cron="0 10 * * *"), user_id="u1")
    assert (info.changed, info.paused, info.paused_reason, info.cron) == (True, True, "why", "0 10 * * *")
    assert (await world.schedules.resume("s", user_id="u1")).next_run_time == "2026-11-24T10:00:00+00:00"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"cron": ""},
        {"cron": "0 0 30 2 *"},
        {"cron": "0 9 * * *", "run_at": "2026-12-01"},
        {"run_at": "2026-11-01"},
        {"run_at": "2026-12-01", "end_at": "2026-12-02"},
        {"user_timezone": ""},
        {"user_timezone": "Mars/Olympus"},
        {"start_at": "2026-12-02", "end_at": "2026-12-01"},
        {"end_at": "2026-11-24"},
        {"jitter_secs": -5},
    ],
)
async def test_changes_that_make_no_schedule_are_refused(world: World, changes: dict[str, Any]) -> None:
    """Nothing changes."""
    before = stored(world)
    with pytest.raises(InvalidScheduleError):
        await world.schedules.update("s", ScheduleChanges(**changes), user_id="u1")
    assert stored(world) is before


async def test_input_that_could_not_be_answered_with_is_refused(world: World) -> None:
    """A change is held to what an add is."""
    before = stored(world)
    for changes in (ScheduleChanges(input_data={"a": "\ud800"}), ScheduleChanges(name="\ud800")):
        with pytest.raises(UnstorableInputError):
            await world.schedules.update("s", changes, user_id="u1")
    assert stored(world) is before


async def test_an_interval_limit_counts_for_new_triggers_only() -> None:
    """What was there before it may be renamed, paused and resumed, but not made faster."""
    world = World()
    await world.schedules.add(args(cron="* * * * *"), schedule_id="s")
    limited = World(quotas=Quotas(min_interval_secs=900), clock=world.clock)
    limited.jobs.jobs.update(world.jobs.jobs)
    await limited.schedules.update("s", ScheduleChanges(name="n"), user_id="u1")
    await limited.schedules.pause("s", user_id="u1")
    await limited.schedules.resume("s", user_id="u1")
    with pytest.raises(QuotaExceededError):
        await limited.schedules.update("s", ScheduleChanges(cron="*/5 * * * *"), user_id="u1")
    await limited.schedules.update("s", ScheduleChanges(cron="0 * * * *"), user_id="u1")


async def test_rows_with_triggers_of_others_can_be_changed_where_that_makes_sense(world: World) -> None:
    """A zone that is an offset asks for a name; an interval has no bounds to set; a combination keeps its zone."""
    job = stored(world)

    async def update(**changes: Any) -> None:
        await world.schedules.update("s", ScheduleChanges(**changes), user_id="u1")

    world.jobs.jobs["s"] = replace(job, trigger=CronTrigger("+05:30", "0", "9"))
    with pytest.raises(InvalidScheduleError, match=r"\+05:30"):
        await update(cron="0 10 * * *")
    await update(cron="0 10 * * *", user_timezone="Asia/Kolkata")
    world.jobs.jobs["s"] = replace(job, trigger=IntervalTrigger(HOUR, NOW, "UTC"))
    with pytest.raises(InvalidScheduleError, match="go with cron"):
        await update(end_at="2027-01-01")
    await update(end_at=None, name="renamed")
    parts = (CronTrigger("UTC"), DateTrigger(datetime(2027, 1, 1, tzinfo=UTC)))
    world.jobs.jobs["s"] = replace(job, trigger=CombinedTrigger("or", parts))
    with pytest.raises(InvalidScheduleError, match="zone"):
        await update(user_timezone="Asia/Tokyo")
    await update(cron="0 10 * * *")
    assert stored(world).trigger == CronTrigger("UTC", "0", "10")


async def test_a_due_time_that_is_recorded_already_is_not_disturbed_by_changes(world: World) -> None:
    """Changing a schedule cancels nothing that waits."""
    new = NewFiring("s", "execute_graph", NOW, {"user_id": "u1"})
    await world.ledger.enqueue([new], store="execution")
    await world.schedules.update("s", ScheduleChanges(cron="0 10 * * *"), user_id="u1")
    assert [info.state for info in await world.runs.history(user_id="u1")] == [FiringState.WAITING]
