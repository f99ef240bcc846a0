"""What triggers mean in words."""

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cron import parse_cron
from domain.cron_fields import compile_cron
from domain.describe import clock_changes, describe
from domain.errors import InvalidScheduleError
from domain.fire_times import fire_times
from ports.triggers import CombinedTrigger, CronTrigger, DateTrigger, IntervalTrigger, Trigger

WHEN = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("* * * * *", "Every minute"),
        ("*/15 * * * *", "Every 15 minutes"),
        ("0,15,30,45 * * * *", "Every 15 minutes"),
        ("5/15 * * * *", "Every 15 minutes, beginning 5 past the hour"),
        ("*/7 * * * *", "At the minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour, every day"),
        ("0,30 * * * *", "Every 30 minutes"),
        ("0 * * * *", "Every hour, on the hour"),
        ("30 * * * *", "Every hour, 30 past the hour"),
        ("* 9 * * *", "Every minute from 09:00 to 09:59"),
        ("* 9-11,17 * * *", "Every minute from 09:00 to 11:59 and from 17:00 to 17:59"),
        ("*/15 9-17 * * 1-5", "Every 15 minutes from 09:00 to 17:45, from Monday to Friday"),
        ("0 9-17 * * *", "Every hour from 09:00 to 17:00"),
        ("0 */2 * * *", "Every 2 hours from 00:00 to 22:00"),
        ("0 0-6,12-20/2 * * *", "At minute 0 of the hours 0 to 6, 12, 14, 16, 18 and 20, every day"),
        ("1,2,3,7 1-3 * * *", "At the minutes 1 to 3 and 7 of the hours 1 to 3, every day"),
        ("0 9 * * *", "At 09:00, every day"),
        ("0 9,17 * * *", "At 09:00 and 17:00, every day"),
        ("0,30 9,17,20 * * *", "At 09:00, 09:30, 17:00, 17:30, 20:00 and 20:30, every day"),
        ("0 9 * * 1", "At 09:00, on Mondays"),
        ("0 9 * * 0", "At 09:00, on Sundays"),
        ("0 9 * * 7", "At 09:00, on Sundays"),
        ("0 9 * * sun,mon", "At 09:00, on Mondays and Sundays"),
        ("0 9 * * 5-7", "At 09:00, from Friday to Sunday"),
        ("0 9 * * 1,3,5", "At 09:00, on Mondays, Wednesdays and Fridays"),
        ("0 9 1 * *", "At 09:00, on day 1 of the month"),
        ("0 9 1,15,20-25 * *", "At 09:00, on days 1, 15 and 20 to 25 of the month"),
        ("0 9 13 * 5", "At 09:00, on day 13 of the month as well as every Friday"),
        ("0 9 13 * 1,5", "At 09:00, on day 13 of the month as well as every Monday and Friday"),
        (
            "0 9 */5 * 1",
            "At 09:00, on days 1, 6, 11, 16, 21, 26 and 31 of the month, but only on a Monday",
        ),
        ("0 9 1-31 * 1", "At 09:00, every day"),
        ("0 9 * 1 *", "At 09:00, every day, in January"),
        ("0 9 1 jun-aug *", "At 09:00, on day 1 of the month, from June to August"),
        ("0 9 1 */3 *", "At 09:00, on day 1 of the month, in January, April, July and October"),
        ("@yearly", "At 00:00, on day 1 of the month, in January"),
        ("*/5 * * 12 *", "Every 5 minutes, in December"),
    ],
)
def test_a_cron_expression_in_words(cron: str, words: str) -> None:
    """As the standard reads it: either day, Sunday twice, names, steps."""
    assert describe(parse_cron(cron, timezone="UTC")) == words


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        (DateTrigger(WHEN), "Once, at 2027-01-01T00:00:00+00:00"),
        (
            IntervalTrigger(timedelta(days=1, seconds=1), WHEN, "UTC", jitter=60),
            "Every 1 day and 1 second, counted from 2027-01-01T00:00:00+00:00, each up to 1 minute late",
        ),
        (
            IntervalTrigger(timedelta(seconds=1.5), WHEN, "UTC"),
            "Every 1.5 seconds, counted from 2027-01-01T00:00:00+00:00",
        ),
        (
            CombinedTrigger("or", (DateTrigger(WHEN), CronTrigger("UTC", "0", "9"))),
            "Whenever one of these is due: Once, at 2027-01-01T00:00:00+00:00; At 09:00, every day",
        ),
        (
            CronTrigger("UTC", "0", "9", start_at=WHEN, end_at=WHEN + timedelta(days=1)),
            "At 09:00, every day, not before 2027-01-01T00:00:00+00:00, not after 2027-01-02T00:00:00+00:00",
        ),
        (
            CronTrigger("UTC", "0", "9", day="last,1st mon,3rd mon"),
            "At 09:00, on the last day of the month as well as the 1st and 3rd Monday of the month",
        ),
        (
            CronTrigger("UTC", "0", "9", second="*/20"),
            "At the seconds 0, 20 and 40, the minute 0, the hour 9, every day",
        ),
        (
            CronTrigger("UTC", "0", "9", week="1-3", year="2027"),
            "At 09:00, every day, in the ISO weeks 1 to 3, in the years 2027",
        ),
    ],
)
def test_triggers_of_others_in_words(trigger: Trigger, words: str) -> None:
    """Every kind of trigger that a row may have."""
    assert describe(trigger) == words


WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@given(weekdays=st.sets(st.integers(0, 7), min_size=1))
def test_the_weekdays_that_are_said_are_those_that_run(weekdays: set[int]) -> None:
    """Read back from the words, they are the days of the next two weeks' runs."""
    trigger = parse_cron(f"0 9 * * {','.join(map(str, weekdays))}", timezone="UTC")
    _, _, said = describe(trigger).partition(", ")
    if said.startswith("from "):
        low, high = (WEEKDAYS.index(name) for name in said.removeprefix("from ").split(" to "))
        meant = set(range(low, high + 1))
    elif said == "every day":
        meant = set(range(7))
    else:
        names = said.removeprefix("on ").replace(" and ", ", ").split(", ")
        meant = {WEEKDAYS.index(name.removesuffix("s")) for name in names}
    assert {moment.weekday() for moment in fire_times(trigger, WHEN, 14)} == meant


@pytest.mark.parametrize(
    ("cron", "zone", "said"),
    [
        (
            "*/30 * * * *",
            "America/New_York",
            [
                "skips 02:00 to 03:00: runs within that do not come",
                "01:00 to 02:00 twice: runs within that run both",
            ],
        ),
        ("30 2 * * *", "UTC", []),
        ("30 2 * * 1", "America/New_York", []),  # clocks change on Sundays
        ("0 12 * * *", "America/New_York", []),
    ],
)
def test_changes_of_the_clock_are_told_where_they_matter(cron: str, zone: str, said: list[str]) -> None:
    """And only there."""
    found = clock_changes(parse_cron(cron, timezone=zone), WHEN)
    assert len(found) == len(said)
    assert all(words in note for words, note in zip(said, found, strict=True))


def test_what_is_said_of_a_gap_is_what_happens() -> None:
    """The run in the gap comes right after it."""
    trigger = parse_cron("30 2 * * *", timezone="America/New_York")
    (gap,) = clock_changes(trigger, WHEN)
    assert gap.startswith("On 2027-03-14 the clock skips 02:00 to 03:00")
    runs = fire_times(trigger, WHEN, 366)
    assert [f"{run:%H:%M}" for run in runs if run.date() == date(2027, 3, 14)] == ["03:00"]


def _field(random: Random, low: int, high: int) -> str:
    """Return a crontab field, of any form."""

    def part() -> str:
        first = random.randint(low, high)
        last = random.randint(first, high)
        step = random.randint(1, high - low)
        return random.choice(
            ["*", f"*/{step}", f"{first}", f"{first}-{last}", f"{first}-{last}/{step}", f"{first}/{step}"]
        )

    return random.choice(["*", part(), ",".join(part() for _ in range(random.randint(1, 3)))])


def test_what_means_something_else_is_said_in_other_words() -> None:
    """Of thousands of expressions, no two that run at different times have the same description."""
    random = Random(5)
    meanings: dict[str, object] = {}
    for _ in range(6000):
        columns = [_field(random, *bounds) for bounds in ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))]
        if random.random() < 0.5:
            columns[random.randrange(2)] = random.choice(["0", "*", "30", "*/15"])
        try:
            trigger = parse_cron(" ".join(columns), timezone="UTC")
        except InvalidScheduleError:  # a date that never comes
            continue
        cron = compile_cron(trigger)
        days = tuple(cron.days_of(year, month) for year in (2027, 2028) for month in cron.months)
        meaning = (cron.times, cron.months, days)
        assert meanings.setdefault(describe(trigger), meaning) == meaning, " ".join(columns)
    assert len(meanings) > 3000
