"""Cron, whatever the expression."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from apscheduler.triggers.cron import CronTrigger as StockTrigger
from croniter import croniter
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.cron import CronDialect, parse_cron
from domain.cron_fields import POSITIONS, WEEKDAYS, field_values
from domain.errors import InvalidScheduleError
from domain.fire_times import Search, fire_times, latest_fire_time, next_fire_time
from ports.triggers import CronTrigger

ZONES = ["UTC", "America/New_York", "Europe/London", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo"]


def column(low: int, high: int) -> st.SearchStrategy[str]:
    """Return a strategy for one column's text."""
    number = st.integers(low, high)
    pair = st.tuples(number, number).filter(lambda ends: ends[0] < ends[1])  # the oracles disagree about 0-0
    part = st.one_of(
        st.just("*"),
        st.integers(1, high).map(lambda step: f"*/{step}"),
        number.map(str),
        pair.map(lambda ends: f"{ends[0]}-{ends[1]}"),
        st.tuples(pair, st.integers(1, 9)).map(lambda drawn: f"{drawn[0][0]}-{drawn[0][1]}/{drawn[1]}"),
    )
    return st.lists(part, min_size=1, max_size=3).map(",".join)


expressions = st.tuples(column(0, 59), column(0, 23), column(1, 28), column(1, 12), column(0, 7)).map(" ".join)


def stock_column(name: str, low: int, high: int) -> st.SearchStrategy[str]:
    """Return a strategy for one field's text that stock APScheduler takes."""

    def taken(text: str) -> bool:
        try:
            StockTrigger(timezone=UTC, **{name: text})
        except ValueError:
            return False
        return True

    return column(low, high).filter(taken)


stock_days = st.one_of(
    stock_column("day", 1, 28),
    st.just("last"),
    st.tuples(st.sampled_from(POSITIONS), st.sampled_from(WEEKDAYS)).map(" ".join),
)
stock_weekdays = st.one_of(
    st.just("*"), st.sampled_from(WEEKDAYS), st.sampled_from(["mon-fri", "wed-sun", "0-2", "1,3,sat", "*/2", "2/2"])
)
stock_fields = st.fixed_dictionaries(
    {
        "hour": stock_column("hour", 0, 23),
        "minute": st.one_of(stock_column("minute", 0, 59), st.just("7/9")),
        "day": st.one_of(st.just("*"), st.lists(stock_days, min_size=1, max_size=3).map(",".join)),
    },
    optional={
        "year": st.sampled_from(["*/2", "2018-2030", "2020,2033", "2001/3"]),
        "month": st.one_of(stock_column("month", 1, 12), st.sampled_from(["feb", "jan-mar,dec"])),
        "week": st.sampled_from(["*/2", "1", "53", "52,53,1-3", "10-40/5"]),
        "day_of_week": stock_weekdays,
        "second": st.sampled_from(["0", "*/20", "5,35"]),
    },
)
moments = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1)).map(  # noqa: DTZ001  made aware at once
    lambda naive: naive.replace(tzinfo=UTC)
)


@settings(max_examples=80, deadline=None)
@given(expressions, st.sampled_from(ZONES), moments)
def test_fire_times_are_after_and_strictly_increase(text: str, zone: str, after: datetime) -> None:
    """Never the same instant twice, never backwards."""
    found = [at.astimezone(UTC) for at in fire_times(parse_cron(text, timezone=zone), after, 8)]
    assert all(earlier < later for earlier, later in pairwise([after, *found]))


@settings(max_examples=80, deadline=None)
@given(expressions, st.sampled_from(ZONES), moments)
def test_the_clock_shows_the_fields_away_from_transitions(text: str, zone: str, after: datetime) -> None:
    """Where no clock changes for a day around, the minute, hour and month are those asked for."""
    trigger = parse_cron(text, timezone=zone)
    for at in fire_times(trigger, after, 8):
        if (at - timedelta(days=1)).utcoffset() == (at + timedelta(days=1)).utcoffset():
            assert at.second == 0
            assert at.minute in field_values(trigger.minute, 0, 59)
            assert at.hour in field_values(trigger.hour, 0, 23)
            assert at.month in field_values(trigger.month, 1, 12)


@settings(max_examples=150, deadline=None)
@given(stock_fields, moments)
def test_a_stored_row_fires_as_stock_apscheduler_fires_it(fields: dict[str, str], after: datetime) -> None:
    """Whatever grammar a row holds in its eight fields; what the original finds we find, within the same bound."""
    stock = StockTrigger(timezone=UTC, end_date=after + timedelta(days=9 * 366), **fields)
    texts: dict[str, Any] = {field.name: str(field) for field in stock.fields}
    trigger = CronTrigger(timezone="UTC", end_at=after + timedelta(days=9 * 366), **texts)
    search, moment = Search(), after
    for found in fire_times(trigger, after, 4):
        assert next_fire_time(trigger, moment, search=search) == found
        moment = stock.get_next_fire_time(None, moment + timedelta(microseconds=1))
        assert found == moment
    assert search.steps < 4 * 600
    if not fire_times(trigger, moment, 1):
        assert stock.get_next_fire_time(None, moment + timedelta(microseconds=1)) is None


@settings(max_examples=80, deadline=None)
@given(expressions, moments)
def test_a_stored_trigger_means_the_same_to_stock_apscheduler(text: str, after: datetime) -> None:
    """An unmodified APScheduler fires what we store at the same times, where no clock changes."""
    trigger = parse_cron(text, timezone="UTC")
    stock = StockTrigger(
        minute=trigger.minute,
        hour=trigger.hour,
        day=trigger.day,
        month=trigger.month,
        day_of_week=trigger.day_of_week,
        timezone=UTC,
    )
    moment = after
    for found in fire_times(trigger, after, 4):
        moment = stock.get_next_fire_time(None, moment + timedelta(microseconds=1))
        assert found == moment


@settings(max_examples=80, deadline=None)
@given(expressions, moments)
def test_cronsim_agrees_in_utc(text: str, after: datetime) -> None:
    """An independent implementation of Debian's rules gives the same times."""
    found = fire_times(parse_cron(text, timezone="UTC"), after, 4)
    simulated = CronSim(text, after)
    assert found == [next(simulated) for _ in found]


@settings(max_examples=60, deadline=None)
@given(st.tuples(column(0, 59), column(0, 23), st.just("*"), column(1, 12), column(0, 6)).map(" ".join), moments)
def test_croniter_agrees_where_only_weekdays_are_restricted(text: str, after: datetime) -> None:
    """A second one agrees where it follows the same rule."""
    found = fire_times(parse_cron(text, timezone="UTC"), after, 3)
    iterated = croniter(text, after)
    assert found == [iterated.get_next(datetime) for _ in found]


@settings(max_examples=60, deadline=None)
@given(expressions, st.sampled_from(ZONES), moments, st.integers(0, 40 * 24 * 60))
def test_the_latest_due_time_is_the_last_of_all(text: str, zone: str, after: datetime, minutes: int) -> None:
    """Counting days gives what stepping through every due time gives."""
    trigger = parse_cron(text, timezone=zone)
    due = next_fire_time(trigger, after)
    assert due is not None
    now = due + timedelta(minutes=minutes)
    stepped, folded, following = due, 0, next_fire_time(trigger, due)
    while following is not None and following <= now and folded < 500:
        stepped, folded, following = following, folded + 1, next_fire_time(trigger, following)
    if folded < 500:
        assert latest_fire_time(trigger, due, now) == (stepped, folded)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40), st.sampled_from(list(CronDialect)))
def test_any_text_is_a_trigger_or_refused(text: str, dialect: CronDialect) -> None:
    """Nothing but InvalidScheduleError comes out of the parser."""
    try:
        parse_cron(text, timezone="UTC", dialect=dialect)
    except InvalidScheduleError:
        return
    assert len(text.split()) == 5 or text.strip().startswith("@")


@settings(max_examples=60, deadline=None)
@given(st.tuples(column(0, 59), column(0, 23), column(1, 31), column(1, 12), column(0, 6)).map(" ".join), moments)
def test_the_originals_dialect_reads_as_from_crontab(text: str, after: datetime) -> None:
    """`SCHEDULER_CRON_DIALECT=apscheduler` keeps weekday numbers and the joining of days as they were."""
    try:
        stock = StockTrigger.from_crontab(text, timezone=UTC)
    except ValueError:
        return
    try:
        trigger = parse_cron(text, timezone="UTC", dialect=CronDialect.APSCHEDULER)
    except InvalidScheduleError:
        assert stock.get_next_fire_time(None, datetime(2024, 1, 1, tzinfo=UTC)) is None
        return
    assert next_fire_time(trigger, after) == stock.get_next_fire_time(None, after + timedelta(microseconds=1))


def test_the_rarest_dates_are_found_and_impossible_ones_given_up() -> None:
    """A leap day on a Sunday may be forty years away; a 31st of February is decided within the same bound."""
    leap_sunday = CronTrigger(timezone="UTC", minute="0", hour="0", day="29", month="2", day_of_week="sun")
    found = next_fire_time(leap_sunday, datetime(2088, 3, 1, tzinfo=UTC))
    assert found is not None
    assert (found.month, found.day, found.strftime("%a")) == (2, 29, "Sun")
    never = CronTrigger(timezone="UTC", minute="0", hour="0", day="31", month="2")
    assert next_fire_time(never, datetime(2026, 1, 1, tzinfo=UTC)) is None
