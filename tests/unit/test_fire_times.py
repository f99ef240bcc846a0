"""When stored triggers fire, and what of them is folded when they are late."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.cron import parse_cron
from domain.errors import InvalidScheduleError
from domain.fire_times import Search, fire_times, latest_fire_time, next_fire_time
from domain.preview import preview
from ports.triggers import CombinedTrigger, CronTrigger, DateTrigger, IntervalTrigger, Trigger

START = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
DAILY = CronTrigger(timezone="UTC", minute="0", hour="9")
NEVER = CronTrigger(timezone="UTC", minute="0", hour="0", day="31", month="2")


def at(text: str) -> datetime:
    """Return the time that ISO text means."""
    return datetime.fromisoformat(text)


def shown(trigger: Trigger, after: str, count: int) -> list[str]:
    """Return the next fire times as ISO text."""
    return [moment.isoformat() for moment in fire_times(trigger, at(after), count)]


def test_a_leap_day_on_a_sunday_is_found_across_a_century() -> None:
    """After 2088 it comes only in 2128: the Gregorian calendar's longest wait."""
    trigger = CronTrigger(timezone="UTC", minute="0", hour="0", day="29", month="2", day_of_week="sun")
    assert shown(trigger, "2088-03-01T00:00:00+00:00", 1) == ["2128-02-29T00:00:00+00:00"]


def test_a_year_far_away_is_found() -> None:
    """A stored year is jumped to, not walked to."""
    trigger = CronTrigger(timezone="UTC", minute="0", hour="0", day="1", month="1", year="2026,2150")
    assert shown(trigger, "2026-06-01T00:00:00+00:00", 2) == ["2150-01-01T00:00:00+00:00"]


def test_start_and_end_are_fire_times_themselves() -> None:
    """A trigger fires from its start to its end, both included."""
    trigger = CronTrigger(
        timezone="UTC",
        minute="0",
        hour="9",
        start_at=at("2026-01-03T09:00:00+00:00"),
        end_at=at("2026-01-04T09:00:00+00:00"),
    )
    expected = ["2026-01-03T09:00:00+00:00", "2026-01-04T09:00:00+00:00"]
    assert shown(trigger, "2026-01-01T00:00:00+00:00", 5) == expected


def test_a_fixed_offset_is_a_zone() -> None:
    """Stored triggers may carry an offset instead of a name."""
    trigger = CronTrigger(timezone="+05:30", minute="0", hour="9")
    assert shown(trigger, "2026-01-01T00:00:00+00:00", 1) == ["2026-01-01T09:00:00+05:30"]


def test_an_hour_repeated_over_midnight_comes_in_order() -> None:
    """St John's went back from 00:01 to 23:01 of the day before: the clock is followed, also backwards."""
    trigger = parse_cron("*/30 * * * *", timezone="America/St_Johns")
    assert shown(trigger, "2010-11-06T23:45:00-02:30", 5) == [
        "2010-11-07T00:00:00-02:30",
        "2010-11-06T23:30:00-03:30",
        "2010-11-07T00:00:00-03:30",
        "2010-11-07T00:30:00-03:30",
        "2010-11-07T01:00:00-03:30",
    ]


def test_a_fixed_time_repeated_over_midnight_comes_once() -> None:
    """The first pass counts, and the second is passed over."""
    trigger = parse_cron("30 23 * * *", timezone="America/St_Johns")
    assert shown(trigger, "2010-11-06T12:00:00-02:30", 2) == [
        "2010-11-06T23:30:00-02:30",
        "2010-11-07T23:30:00-03:30",
    ]


def test_times_in_a_gap_and_the_one_right_after_it_are_one() -> None:
    """Three times that fall together fire once, and count once when late."""
    trigger = parse_cron("0,30 2,3 * * *", timezone="America/New_York")
    assert shown(trigger, "2026-03-08T00:00:00-05:00", 3) == [
        "2026-03-08T03:00:00-04:00",
        "2026-03-08T03:30:00-04:00",
        "2026-03-09T02:00:00-04:00",
    ]
    due = at("2026-03-07T03:30:00-05:00")
    assert latest_fire_time(trigger, due, at("2026-03-08T03:10:00-04:00")) == (at("2026-03-08T07:00:00+00:00"), 1)


def test_a_step_that_passes_the_range_still_follows_the_clock() -> None:
    """`*/70` is minute 0 but starts with a star, so it doesn't run for a lost hour, as `0` does."""
    night = "2026-03-08T00:00:00-05:00"
    starred = parse_cron("*/70 2 * * *", timezone="America/New_York")
    fixed = parse_cron("0 2 * * *", timezone="America/New_York")
    assert shown(starred, night, 1) == ["2026-03-09T02:00:00-04:00"]
    assert shown(fixed, night, 1) == ["2026-03-08T03:00:00-04:00"]


def test_an_interval_keeps_its_phase_over_a_clock_change() -> None:
    """Intervals are elapsed time, though Python subtracts two times of one zone by the wall clock."""
    zone = ZoneInfo("America/New_York")
    trigger = IntervalTrigger(timedelta(hours=5), datetime(2026, 3, 7, 22, tzinfo=zone), "America/New_York")
    following = next_fire_time(trigger, datetime(2026, 3, 8, 3, 30, tzinfo=zone))
    assert following is not None
    assert following.isoformat() == "2026-03-08T04:00:00-04:00"
    assert latest_fire_time(trigger, trigger.start_at, datetime(2026, 3, 8, 14, tzinfo=zone)) == (
        at("2026-03-08T14:00:00-04:00"),
        3,
    )


def test_an_interval_never_fires_before_its_start_or_after_its_end() -> None:
    """Both ends are fire times when they are in phase."""
    start = at("2026-01-01T00:00:00+00:00")
    trigger = IntervalTrigger(timedelta(minutes=7), start, "UTC", end_at=start + timedelta(minutes=14))
    expected = ["2026-01-01T00:00:00+00:00", "2026-01-01T00:07:00+00:00", "2026-01-01T00:14:00+00:00"]
    assert shown(trigger, "2020-01-01T00:00:00+00:00", 9) == expected


def test_a_date_fires_once() -> None:
    """At its time, and not from then on."""
    trigger = DateTrigger(START)
    assert next_fire_time(trigger, START - timedelta(microseconds=1)) == START
    assert next_fire_time(trigger, START) is None


def test_any_of_several_triggers_fires() -> None:
    """A combination by `or` takes the earliest, once where they coincide, and passes over what never comes."""
    trigger = CombinedTrigger("or", (DAILY, NEVER, DateTrigger(START), CronTrigger("UTC", minute="0", hour="9,10")))
    assert shown(trigger, "2026-01-01T00:00:00+00:00", 4) == [
        "2026-01-01T00:00:30+00:00",
        "2026-01-01T09:00:00+00:00",
        "2026-01-01T10:00:00+00:00",
        "2026-01-02T09:00:00+00:00",
    ]


def test_all_of_several_triggers_meet_years_away() -> None:
    """A combination by `and` waits for a leap day on a Sunday."""
    leap_day = CronTrigger("UTC", minute="0", hour="9", day="29", month="2")
    sundays = CronTrigger("UTC", minute="0", hour="9", day_of_week="sun")
    trigger = CombinedTrigger("and", (sundays, leap_day))
    assert shown(trigger, "2026-01-01T00:00:00+00:00", 1) == ["2032-02-29T09:00:00+00:00"]


@pytest.mark.parametrize(
    "trigger",
    [
        NEVER,
        CronTrigger("UTC", month="2-11", week="1"),
        CronTrigger("UTC", day="5th mon,31", month="2,4,6,9,11", day_of_week="tue"),
        CombinedTrigger("and", (DAILY, CronTrigger("UTC", minute="1", hour="9"))),
        CombinedTrigger("and", (CombinedTrigger("and", (DAILY, CronTrigger("UTC", minute="1", hour="9"))),) * 3),
        CombinedTrigger("and", (DAILY, DateTrigger(START))),
        CombinedTrigger("and", ()),
        CombinedTrigger("or", (NEVER,) * 3),
    ],
)
def test_what_never_comes_is_given_up_within_a_bound(trigger: Trigger) -> None:
    """The search is counted in steps, so that no stored row can hold up the rest."""
    search = Search()
    assert next_fire_time(trigger, START, search=search) is None
    assert search.steps <= 2600


def test_the_calendars_end_is_an_end() -> None:
    """Past the year 9999 nothing comes and nothing breaks."""
    last = datetime.max.replace(tzinfo=UTC)
    assert next_fire_time(DAILY, last) is None
    assert next_fire_time(IntervalTrigger(timedelta(days=9), START, "UTC"), last) is None


def test_a_year_of_minutes_is_folded_exactly() -> None:
    """A job that was due a year ago fires for the last minute, with all the others counted."""
    trigger = CronTrigger("America/New_York")
    due = at("2025-01-01T00:00:00+00:00")
    latest, folded = latest_fire_time(trigger, due, due + timedelta(days=365, seconds=59))
    assert latest == due + timedelta(days=365)
    assert folded == 365 * 24 * 60


def test_a_due_time_off_the_grid_counts_as_one() -> None:
    """What was due before the cron text changed is folded with the rest."""
    due = at("2026-01-01T08:59:00+00:00")
    assert latest_fire_time(DAILY, due, at("2026-01-01T08:59:30+00:00")) == (due, 0)
    assert latest_fire_time(DAILY, due, at("2026-01-02T10:00:00+00:00")) == (at("2026-01-02T09:00:00+00:00"), 2)


def test_the_latest_of_a_cron_ends_with_its_end() -> None:
    """Nothing after `end_at` is due."""
    trigger = CronTrigger("UTC", minute="0", hour="9", end_at=at("2026-01-03T12:00:00+00:00"))
    found = latest_fire_time(trigger, at("2026-01-01T09:00:00+00:00"), at("2026-06-01T00:00:00+00:00"))
    assert found == (at("2026-01-03T09:00:00+00:00"), 2)


def test_the_latest_of_a_busy_combination_is_exact_and_its_count_bounded() -> None:
    """Past a few hundred the latest is found by halving."""
    trigger = CombinedTrigger("or", (CronTrigger("UTC"), DAILY))
    due = at("2026-01-01T00:00:00+00:00")
    assert latest_fire_time(trigger, due, due + timedelta(days=90, seconds=1)) == (due + timedelta(days=90), 500)
    assert latest_fire_time(trigger, due, due + timedelta(minutes=9, seconds=1)) == (due + timedelta(minutes=9), 9)


def test_the_latest_of_a_date_is_the_date() -> None:
    """A date that came since is the latest; otherwise what was due is."""
    due = START - timedelta(days=1)
    assert latest_fire_time(DateTrigger(START), due, START) == (START, 1)
    assert latest_fire_time(DateTrigger(START), START, START + timedelta(days=9)) == (START, 0)


@pytest.mark.parametrize("text", ["x", "5-1", "70", "*/2x", "mon", "\u0661"])
def test_fields_outside_the_grammar_are_refused(text: str) -> None:
    """A row that APScheduler could not have written is not guessed at."""
    with pytest.raises(ValueError, match=r"expression|nothing from"):
        next_fire_time(CronTrigger("UTC", minute=text), START)


def test_preview_lists_times_in_the_zone() -> None:
    """As many as asked for, strictly after, on the zone's clock."""
    found = preview("0 9 * * *", timezone="Europe/London", after=at("2026-03-28T09:00:00+00:00"), count=2)
    assert [moment.isoformat() for moment in found] == ["2026-03-29T09:00:00+01:00", "2026-03-30T09:00:00+01:00"]


def test_preview_takes_a_naive_time_as_wall_time() -> None:
    """People ask about their own clock."""
    found = preview("0 9 * * *", timezone="Asia/Kolkata", after=datetime(2026, 1, 1, 8), count=1)  # noqa: DTZ001
    assert [moment.isoformat() for moment in found] == ["2026-01-01T09:00:00+05:30"]


@pytest.mark.parametrize("count", [0, -1, 1001])
def test_preview_refuses_counts_out_of_bounds(count: int) -> None:
    """From 1 to 1000."""
    with pytest.raises(InvalidScheduleError) as refused:
        preview("* * * * *", timezone="UTC", after=START, count=count)
    assert refused.value.field == "count"
