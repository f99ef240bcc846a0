"""When triggers fire: a pure function of fields, zone and time, daylight saving as Debian's cron treats it.

APScheduler 3.11's own stepping loses runs over a spring gap (traps.md), so it is not asked. Everything inside
is in UTC, since Python compares and subtracts two times of one zone by the wall clock.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise

from domain.cron_fields import CompiledCron, compile_cron, zone_of
from domain.wall_clock import SECOND, Span, spans_of
from ports.triggers import CombinedTrigger, CronTrigger, DateTrigger, IntervalTrigger, Trigger

_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
_CALENDAR_BEGINS = datetime(1, 1, 4)  # noqa: DTZ001  compared by the wall clock
_LONGEST_SEARCH_YEARS = 41  # a leap day on a given weekday comes within 40 years
_LONGEST_AND_SEARCH = 2000
_LONGEST_EXACT_COUNT = 500
_LONGEST_DAY_COUNT = 3000
_NO_TIME = timedelta(0)
_ANY_DAY = date(2024, 1, 1)


@dataclass(slots=True)
class Search:
    """How much a search for a fire time has looked at: months, days, and rounds of combined triggers."""

    steps: int = 0


def next_fire_time(trigger: Trigger, after: datetime, *, search: Search | None = None) -> datetime | None:
    """Return the first fire time strictly after `after` (aware), in the trigger's zone; None when there is none.

    A cron trigger with jitter fires its `phase_of` after each of its times. The search is bounded, and counted in
    `search`: 41 of a cron trigger's years, or two thousand steps of a combination, after which a date counts as
    never coming (design.md section 5).
    """
    # A day more than any zone is off UTC: so close to the year 1, sums of dates would leave the calendar.
    if after.replace(tzinfo=None) < _CALENDAR_BEGINS:
        after = _CALENDAR_BEGINS.replace(tzinfo=UTC)
    phase = phase_of(trigger)
    try:
        found = _next(trigger, after.astimezone(UTC) - phase, search or Search())
        return _later(found, phase) if phase and found is not None else found
    except OverflowError:  # past the year 9999
        return None


def fire_times(trigger: Trigger, after: datetime, count: int) -> list[datetime]:
    """Return up to `count` fire times strictly after `after`."""
    found: list[datetime] = []
    while len(found) < count and (moment := next_fire_time(trigger, after)) is not None:
        found.append(moment)
        after = moment
    return found


def fire_times_between(trigger: Trigger, begin: datetime, end: datetime, *, limit: int) -> list[datetime]:
    """Return up to `limit` fire times from `begin` (included) until `end` (not)."""
    found: list[datetime] = []
    after = begin - _TICK
    while len(found) < limit and (moment := next_fire_time(trigger, after)) is not None and moment < end:
        found.append(moment)
        after = moment
    return found


def latest_fire_time(trigger: Trigger, due: datetime, now: datetime) -> tuple[datetime, int]:
    """Return the latest fire time up to `now` of a job that is due at `due`, and how many earlier ones it folds.

    `due` counts as a fire time, on the trigger's grid or not. Days are counted, not stepped through, so months
    of a downtime cost little. For a combined trigger the count stops at a few hundred.
    """
    begin, until = due.astimezone(UTC), now.astimezone(UTC)
    if phase := phase_of(trigger):
        assert isinstance(trigger, CronTrigger)
        latest, folded = _latest_cron(trigger, on_phase(trigger, begin) - phase, until - phase)
        latest += phase
    elif isinstance(trigger, CronTrigger):
        latest, folded = _latest_cron(trigger, begin, until)
    elif isinstance(trigger, IntervalTrigger):
        latest, folded = _latest_interval(trigger, begin, until)
    else:
        latest, folded = _latest_stepped(trigger, begin, until)
    if folded == 0:
        return due, 0
    zone = zone_of(trigger.timezone) if isinstance(trigger, CronTrigger | IntervalTrigger) else due.tzinfo
    return latest.astimezone(zone), folded


def phase_of(trigger: Trigger) -> timedelta:
    """Return how long after each of its times a cron trigger fires: from nothing up to its jitter.

    The microseconds of `start_at` are the share of the jitter, in millionths. So the phase is each trigger's own,
    the plan stays a function of the trigger, and a row that stock APScheduler rewrites, which draws a lot every
    time, still has it. `domain.timing` writes them.
    """
    if not isinstance(trigger, CronTrigger) or not trigger.jitter or trigger.start_at is None:
        return _NO_TIME
    return timedelta(microseconds=trigger.jitter * trigger.start_at.microsecond)


def on_phase(trigger: Trigger, due: datetime) -> datetime:
    """Return when a trigger with jitter would have been due instead of `due`, which somebody else drew by lot.

    What is due by any other trigger, or by no time of this one, stays as it is.
    """
    phase = phase_of(trigger)
    if not phase:
        return due
    assert isinstance(trigger, CronTrigger)
    at = due.astimezone(UTC)
    if next_fire_time(trigger, at - _TICK) == at:
        return due
    latest, found = _latest_cron(trigger, at - timedelta(seconds=trigger.jitter or 0), at)
    return latest + phase if found else due


def shortest_gap(trigger: CronTrigger) -> timedelta | None:
    """Return the shortest time between two runs by the wall clock, None when there are no two.

    A day's times are compared, and its last with the first of the day after: exact, but for days that come in a
    row only after the three thousandth. Daylight saving does not count, nor do `start_at` and `end_at`.
    """
    cron = compile_cron(trigger)
    within = min((late - early for early, late in pairwise(cron.times)), default=None)
    days = islice(_days_from(cron, _ANY_DAY, Search()), _LONGEST_DAY_COUNT)
    between: timedelta | None = None
    for early, late in pairwise(days):
        between = min(late - early, between or late - early)
        if between == _DAY:
            break
    gaps = [] if within is None else [within * SECOND]
    if between is not None:
        gaps.append(between + (cron.times[0] - cron.times[-1]) * SECOND)
    return min(gaps, default=None)


def _later(moment: datetime, phase: timedelta) -> datetime:
    return (moment.astimezone(UTC) + phase).astimezone(moment.tzinfo)


def _next(trigger: Trigger, after: datetime, search: Search) -> datetime | None:
    if isinstance(trigger, CronTrigger):
        return _next_cron(trigger, after, search)
    if isinstance(trigger, IntervalTrigger):
        return _next_interval(trigger, after)
    if isinstance(trigger, DateTrigger):
        return trigger.run_at if trigger.run_at.astimezone(UTC) > after else None
    return _next_combined(trigger, after, search)


def _next_combined(trigger: CombinedTrigger, after: datetime, search: Search) -> datetime | None:
    while search.steps < _LONGEST_AND_SEARCH:
        search.steps += 1
        times = [_next(part, after, search) for part in trigger.triggers]
        instants = [time.astimezone(UTC) for time in times if time is not None]
        if trigger.kind == "or":
            return min(filter(None, times), key=lambda time: time.astimezone(UTC), default=None)
        if not instants or len(instants) < len(times):
            return None
        if min(instants) == max(instants):
            return times[0]
        after = max(instants) - _TICK
    return None


def _next_interval(trigger: IntervalTrigger, after: datetime) -> datetime | None:
    start, interval = trigger.start_at.astimezone(UTC), trigger.interval
    found = start + max(0, (after - start) // interval + 1) * interval
    if trigger.end_at is not None and found > trigger.end_at.astimezone(UTC):
        return None
    return found.astimezone(zone_of(trigger.timezone))


def _next_cron(trigger: CronTrigger, after: datetime, search: Search) -> datetime | None:
    cron = compile_cron(trigger)
    if trigger.start_at is not None:
        after = max(after, trigger.start_at.astimezone(UTC) - _TICK)
    found = _first_after(cron, after, search)
    if found is None or (trigger.end_at is not None and found > trigger.end_at.astimezone(UTC)):
        return None
    return found.astimezone(cron.zone)


def _first_after(cron: CompiledCron, after: datetime, search: Search) -> datetime | None:
    """Return the first fire time after `after`.

    The search starts a day early and, where the clock changes, looks at one more day: an hour that is repeated
    over midnight brings yesterday back.
    """
    best: datetime | None = None
    for day in _days_from(cron, after.astimezone(cron.zone).date() - _DAY, search):
        spans = spans_of(cron.zone, day, follows_clock=cron.follows_clock)
        found = next((at for span in spans if (at := _first_in(cron, span, after)) is not None), None)
        if best is not None:
            return min(best, found or best)
        if found is not None and len(spans) == 1:
            return found
        best = found
    return best


def _days_from(cron: CompiledCron, start: date, search: Search) -> Iterator[date]:
    """Yield the trigger's days from `start` on, month by month, for as long as the search may take."""
    first = bisect_left(cron.years, start.year)
    for year in cron.years[first : first + _LONGEST_SEARCH_YEARS]:
        for month in cron.months:
            if year == start.year and month < start.month:
                continue
            search.steps += 1
            for number in cron.days_of(year, month):
                if year > start.year or month > start.month or number >= start.day:
                    search.steps += 1
                    yield date(year, month, number)


def _first_in(cron: CompiledCron, span: Span, after: datetime) -> datetime | None:
    """Return the first fire time of a span after `after`."""
    if span.skipped:
        index = bisect_left(cron.times, span.begin)
        comes = span.origin > after and index < len(cron.times) and cron.times[index] < span.end
        return span.origin if comes else None
    index = bisect_right(cron.times, max((after - span.origin) // SECOND, span.begin - 1))
    if index < len(cron.times) and cron.times[index] < span.end:
        return span.origin + cron.times[index] * SECOND
    return None


def _latest_cron(trigger: CronTrigger, begin: datetime, until: datetime) -> tuple[datetime, int]:
    """Return the last fire time in (begin, until], and how many there are."""
    cron = compile_cron(trigger)
    if trigger.start_at is not None:
        begin = max(begin, trigger.start_at.astimezone(UTC) - _TICK)
    if trigger.end_at is not None:
        until = min(until, trigger.end_at.astimezone(UTC))
    last_day = until.astimezone(cron.zone).date() + _DAY
    latest, count = begin, 0
    for day in _days_from(cron, begin.astimezone(cron.zone).date() - _DAY, Search()):
        if day > last_day:
            break
        for span in spans_of(cron.zone, day, follows_clock=cron.follows_clock):
            first = _first_in(cron, span, begin)
            if first is None or first > until:
                continue
            last, found = _last_in(cron, span, first, until)
            count += found - (first == latest)  # what a gap held comes with the first time after it
            latest = max(latest, last)
    return latest, count


def _last_in(cron: CompiledCron, span: Span, first: datetime, until: datetime) -> tuple[datetime, int]:
    """Return a span's last fire time up to `until`, and how many there are from `first` on."""
    if span.skipped:
        return first, 1
    low = bisect_left(cron.times, (first - span.origin) // SECOND)
    high = bisect_right(cron.times, min((until - span.origin) // SECOND, span.end - 1))
    return span.origin + cron.times[high - 1] * SECOND, high - low


def _latest_interval(trigger: IntervalTrigger, begin: datetime, until: datetime) -> tuple[datetime, int]:
    """Return the last fire time in (begin, until], and how many there are."""
    start, interval = trigger.start_at.astimezone(UTC), trigger.interval
    if trigger.end_at is not None:
        until = min(until, trigger.end_at.astimezone(UTC))
    count = (until - start) // interval - max(-1, (begin - start) // interval)
    return (start + (until - start) // interval * interval, count) if count > 0 else (begin, 0)


def _latest_stepped(trigger: Trigger, begin: datetime, until: datetime) -> tuple[datetime, int]:
    """Return the last fire time in (begin, until], and how many there are, counted up to a bound.

    Past the bound the last is found by halving what is left.
    """
    latest, count = begin, 0
    unknown = until
    while unknown - latest >= _TICK:
        probe = latest if count < _LONGEST_EXACT_COUNT else latest + (unknown - latest) / 2
        found = next_fire_time(trigger, probe)
        if found is not None and (at := found.astimezone(UTC)) <= until:
            latest, count = at, min(count + 1, _LONGEST_EXACT_COUNT)
        elif probe == latest:
            break
        else:
            unknown = probe
    return latest, count
