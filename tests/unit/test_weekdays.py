"""Numeric weekdays that the original reads a day late: which schedules have them, set right, and put back."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.cron import CronDialect, parse_cron
from domain.cron_readings import Reading, reading_of
from domain.models import ScheduleChanges
from domain.notes import NOTES
from domain.weekdays import WeekdayChange, WeekdayMigration, corrected, intended_trigger, put_back
from ports.jobs import Job, JobKind
from ports.triggers import CronTrigger, DateTrigger, Trigger
from tests.unit.schedule_world import NOW, World

ORIGINAL = CronDialect.APSCHEDULER


def job(cron: str, trigger: Trigger | None = None, *, dialect: CronDialect = ORIGINAL, **changes: Any) -> Job:
    """Return a schedule as the original stores it."""
    stored = parse_cron(cron, timezone="Europe/Berlin", dialect=dialect) if trigger is None else trigger
    kwargs = {"user_id": "u1", "graph_id": "g1", "graph_version": 1, "cron": cron, "input_data": {}}
    found = Job(
        id="job1",
        kind=JobKind.EXECUTE_GRAPH,
        name="execute_graph",
        trigger=stored,
        kwargs=kwargs,
        next_run_at=NOW + timedelta(days=1),
    )
    return replace(found, **changes)


@pytest.mark.parametrize(
    ("cron", "dialect", "reading"),
    [
        ("0 9 * * 1", CronDialect.STANDARD, Reading.STANDARD),
        ("0 9 * * 1", ORIGINAL, Reading.ORIGINAL),
        ("0 9 * * mon", ORIGINAL, Reading.STANDARD),
        ("*/15 * 1-7 * *", ORIGINAL, Reading.STANDARD),
        ("0 9 * * 0-6", ORIGINAL, Reading.STANDARD),
        ("0 9 13 * fri", ORIGINAL, Reading.ORIGINAL),
        ("0 9 13 * fri", CronDialect.STANDARD, Reading.STANDARD),
        ("@daily", CronDialect.STANDARD, Reading.STANDARD),
    ],
)
def test_a_reading_is_told_by_what_fires_not_by_how_it_is_written(
    cron: str, dialect: CronDialect, reading: Reading
) -> None:
    """`1` and `mon` in the trigger may mean the same as the text or not."""
    assert reading_of(job(cron, dialect=dialect)) is reading


def test_readings_that_nobody_made() -> None:
    """A trigger that neither dialect explains is somebody's own; without a cron text nothing is compared."""
    odd = CronTrigger("UTC", minute="0", hour="10", day_of_week="0")
    assert reading_of(job("0 9 * * 1", odd)) is Reading.OTHER
    assert reading_of(job("no cron", CronTrigger("UTC"))) is None
    assert reading_of(job("0 9 * * 1", DateTrigger(NOW))) is None
    assert reading_of(job("0 9 * * 1", CronTrigger("UTC", minute="what"))) is Reading.OTHER
    assert reading_of(job("0 9 * * 1", kind=JobKind.CLEANUP_EXPIRED_FILES)) is None


def test_the_same_days_written_as_positions_are_the_same() -> None:
    """`1st mon,2nd mon,...` is every Monday."""
    mondays = ",".join(f"{position} mon" for position in ("1st", "2nd", "3rd", "4th", "5th"))
    assert reading_of(job("0 9 * * 1", CronTrigger("UTC", minute="0", hour="9", day=mondays))) is Reading.STANDARD


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("0 9 * * 1", "mon"),
        ("0 9 * * 0", "sun"),
        ("0 9 * * 1-5", "mon,tue,wed,thu,fri"),
        ("0 9 * * 6,0", "sat,sun"),
        ("0 9 * * */2", "tue,thu,sat,sun"),
    ],
)
def test_numbers_come_to_mean_what_standard_cron_means(cron: str, days: str) -> None:
    """Sunday is 0."""
    intended = intended_trigger(job(cron))
    assert intended is not None
    assert intended.day_of_week == days
    assert intended.timezone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("cron", "dialect"),
    [
        ("0 9 * * 1", CronDialect.STANDARD),
        ("0 9 * * mon-fri", ORIGINAL),
        ("0 9 * * *", ORIGINAL),
        ("0 9 13 * fri", ORIGINAL),
    ],
)
def test_what_has_no_numbers_or_is_right_is_left_alone(cron: str, dialect: CronDialect) -> None:
    """Names mean the same to both; that the original joins days by and is another matter."""
    assert intended_trigger(job(cron, dialect=dialect)) is None
    assert corrected(job(cron, dialect=dialect), now=NOW) is None


def test_a_correction_moves_the_next_run_and_notes_how_it_was() -> None:
    """NOW is a Monday: the schedule for Mondays at 9 fired on Tuesdays."""
    before = job("0 9 * * 1")
    after = corrected(before, now=NOW)
    assert after is not None
    assert after.next_run_at == datetime(2026, 11, 30, 8, tzinfo=UTC)  # 9 o'clock in Berlin
    note = after.kwargs[NOTES]["weekdays"]
    assert (note["before"], note["after"], note["cron"]) == (["*", "1"], ["*", "mon"], "0 9 * * 1")
    assert json.loads(json.dumps(after.kwargs)) == after.kwargs
    assert reading_of(after) is Reading.STANDARD
    assert corrected(after, now=NOW) is None


def test_putting_back_is_exact() -> None:
    """Trigger and kwargs are what they were; the next run is the stored trigger's next."""
    before = job("30 9 * * 1-5")
    after = corrected(before, now=NOW)
    assert after is not None
    again = put_back(after, now=NOW)
    assert again is not None
    assert (again.trigger, again.kwargs) == (before.trigger, before.kwargs)
    assert again.next_run_at == datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
    assert put_back(again, now=NOW) is None


def test_bounds_and_jitter_stay() -> None:
    """They are the user's."""
    trigger = replace(
        parse_cron("0 9 * * 1", timezone="UTC", dialect=ORIGINAL), end_at=NOW + timedelta(days=90), jitter=60
    )
    after = corrected(job("0 9 * * 1", trigger), now=NOW)
    assert after is not None
    assert isinstance(after.trigger, CronTrigger)
    assert (after.trigger.end_at, after.trigger.jitter) == (trigger.end_at, 60)


def test_a_paused_schedule_stays_paused_and_a_due_one_due() -> None:
    """Nothing fires, or fails to, because of the correction itself."""
    paused = corrected(job("0 9 * * 1", next_run_at=None), now=NOW)
    due = corrected(job("0 9 * * 1", next_run_at=NOW - timedelta(minutes=1)), now=NOW)
    assert paused is not None
    assert paused.next_run_at is None
    assert due is not None
    assert due.next_run_at == NOW - timedelta(minutes=1)


def test_one_that_would_never_run_again_is_left_alone() -> None:
    """Its end comes before the day that was meant."""
    trigger = replace(parse_cron("0 9 * * 1", timezone="UTC", dialect=ORIGINAL), end_at=NOW + timedelta(days=2))
    assert corrected(job("0 9 * * 1", trigger), now=NOW) is None


def test_both_days_given_join_as_standard_cron_joins_them() -> None:
    """Said beforehand, since more than the weekday changes."""
    after = corrected(job("0 9 13 * 5"), now=NOW)
    assert after is not None
    assert reading_of(after) is Reading.STANDARD


async def found(migration: WeekdayMigration, **who: Any) -> list[WeekdayChange]:
    """Return what a migration would change."""
    return [change async for change in migration.find(**who)]


async def world_of(*jobs: Job) -> World:
    """Return a world with schedules of the original's."""
    world = World()
    for each in jobs:
        await world.jobs.put(each)
    return world


async def test_what_would_change_is_listed_with_both_readings() -> None:
    """Paused ones too; one user's, or everybody's."""
    world = await world_of(
        job("0 9 * * 1", id="late"),
        job("0 9 * * mon", id="right"),
        job("0 9 13 * 5", id="paused", next_run_at=None),
        job("0 9 * * 1", id="other", kwargs={**job("0 9 * * 1").kwargs, "user_id": "u2"}),
    )
    migration = WeekdayMigration(jobs=world.jobs, clock=world.clock)
    looked_at: list[int] = []
    everything = await found(migration, looked_at=lambda: looked_at.append(1))
    assert [(change.id, change.paused, change.either_day) for change in everything] == [
        ("late", False, False),
        ("other", False, False),
        ("paused", True, True),
    ]
    assert len(looked_at) == 4
    assert [moment.isoformat() for moment in everything[0].stored] == [
        "2026-11-24T09:00:00+01:00",
        "2026-12-01T09:00:00+01:00",
    ]
    assert everything[0].intended[0].isoformat() == "2026-11-30T09:00:00+01:00"
    assert [change.id for change in await found(migration, user_id="u2")] == ["other"]


async def test_applying_changes_once_and_back_again() -> None:
    """What was applied is not found any more, until it is put back."""
    world = await world_of(job("0 9 * * 1", id="late"))
    there = WeekdayMigration(jobs=world.jobs, clock=world.clock)
    back = WeekdayMigration(jobs=world.jobs, clock=world.clock, back=True)
    assert await found(back) == []
    assert [await there.apply("late"), await there.apply("late"), await there.apply("gone")] == [True, False, False]
    assert await found(there) == []
    assert [change.id for change in await found(back)] == ["late"]
    assert await back.apply("late")
    assert [change.id for change in await found(there)] == ["late"]


async def test_what_its_user_changed_since_is_not_put_back() -> None:
    """They meant what they wrote then."""
    world = await world_of(job("0 9 * * 1", id="late"))
    await WeekdayMigration(jobs=world.jobs, clock=world.clock).apply("late")
    await world.schedules.update("late", ScheduleChanges(cron="0 10 * * 1"), user_id="u1")
    back = WeekdayMigration(jobs=world.jobs, clock=world.clock, back=True)
    assert await found(back) == []
    assert not await back.apply("late")


@pytest.mark.parametrize(
    "note",
    [
        None,
        "text",
        {},
        {"cron": "0 9 * * 1", "at": "x", "before": ["*"], "after": ["*", "mon"]},
        {"cron": "0 9 * * 1", "at": "x", "before": [1, 2], "after": ["*", "mon"]},
    ],
)
def test_a_note_that_nobody_here_wrote_is_none(note: Any) -> None:
    """Kwargs may hold anything."""
    written = job("0 9 * * 1")
    noted = replace(written, kwargs={**written.kwargs, NOTES: {"weekdays": note}})
    assert put_back(noted, now=NOW) is None
