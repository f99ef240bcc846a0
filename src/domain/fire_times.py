"""When triggers fire: a pure function of fields, zone and time, daylight saving as Debian's cron treats it.

APScheduler 3.11's own stepping loses runs over a spring gap (traps.md), so it is not asked.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo

from domain.cron_fields import CompiledCron, compile_cron, zone_of
from ports.triggers import CombinedTrigger, CronTrigger, DateTrigger, IntervalTrigger, Trigger

_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
_LONGEST_CAUGHT_UP_GAP = timedelta(hours=3)
_LONGEST_SEARCH_MONTHS = 12 * 41  # weekdays and leap days repeat within 40 years
_LONGEST_AND_SEARCH = 5000


def next_fire_time(trigger: Trigger, after: datetime) -> datetime | None:
    """Return the first fire time strictly after `after` (aware), in the trigger's zone; None when there is none.

    Jitter is not applied. The search is bounded: forty years of months, or a few thousand steps of a
    combination, after which a date counts as never coming (design.md section 5).
    """
    if isinstance(trigger, CronTrigger):
        return _next_cron(trigger, after)
    if isinstance(trigger, IntervalTrigger):
        steps = max(0, (after - trigger.start_at) // trigger.interval + 1)
        found = (trigger.start_at.astimezone(UTC) + steps * trigger.interval).astimezone(zone_of(trigger.timezone))
        return None if trigger.end_at is not None and found > trigger.end_at else found
    if isinstance(trigger, DateTrigger):
        return trigger.run_at if trigger.run_at > after else None
    return _next_combined(trigger, after)


def fire_times(trigger: Trigger, after: datetime, count: int) -> list[datetime]:
    """Return up to `count` fire times strictly after `after`."""
    found: list[datetime] = []
    while len(found) < count and (moment := next_fire_time(trigger, after)) is not None:
        found.append(moment)
        after = moment
    return found


def latest_fire_time(trigger: Trigger, due: datetime, now: datetime) -> tuple[datetime, int]:
    """Return the latest fire time up to `now` of a job that is due at `due`, and how many earlier ones it folds.

    `due` counts as a fire time, on the trigger's grid or not. Days are counted, not stepped through, so months
    of a downtime cost little.
    """
    if isinstance(trigger, CronTrigger):
        return _latest_cron(trigger, due, now)
    if isinstance(trigger, IntervalTrigger):
        until = now if trigger.end_at is None else min(now, trigger.end_at)
        last = (until - trigger.start_at) // trigger.interval
        before = max(-1, (due - trigger.start_at) // trigger.interval)
        if last <= before:
            return due, 0
        latest = trigger.start_at.astimezone(UTC) + last * trigger.interval
        return latest.astimezone(zone_of(trigger.timezone)), last - before
    latest, folded = due, 0
    while (following := next_fire_time(trigger, latest)) is not None and following <= now:
        latest, folded = following, folded + 1
    return latest, folded


def _next_combined(trigger: CombinedTrigger, after: datetime) -> datetime | None:
    for _ in range(_LONGEST_AND_SEARCH):
        times = [next_fire_time(part, after) for part in trigger.triggers]
        known = [time for time in times if time is not None]
        if trigger.kind == "or":
            return min(known, default=None)
        if len(known) < len(times):
            return None
        if min(known) == max(known):
            return known[0]
        after = max(known) - _TICK
    return None


def _next_cron(trigger: CronTrigger, after: datetime) -> datetime | None:
    cron = compile_cron(trigger)
    if trigger.start_at is not None:
        after = max(after, trigger.start_at - _TICK)
    after = after.astimezone(UTC)
    for day in _days_from(cron, after.astimezone(cron.zone).date() - _DAY):
        found = _first_after(cron, day, after)
        if found is not None:
            local = found.astimezone(cron.zone)
            return None if trigger.end_at is not None and local > trigger.end_at else local
    return None


def _days_from(cron: CompiledCron, start: date) -> Iterator[date]:
    """Yield the trigger's days from `start` on, month by month, for as long as the search may take."""
    year, month = start.year, start.month
    for _ in range(_LONGEST_SEARCH_MONTHS):
        if year > date.max.year - 1:
            return
        if month in cron.months and year in cron.years:
            for number in sorted(cron.days_of(year, month)):
                day = date(year, month, number)
                if day >= start and cron.matches(day):
                    yield day
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)  # noqa: PLR2004  December


def _first_after(cron: CompiledCron, day: date, after: datetime) -> datetime | None:
    """Return the day's first fire time after `after` (UTC); a neighbour's earlier one where the clock goes back."""
    if _changes(cron.zone, day):
        around = [near for near in (day - _DAY, day, day + _DAY) if cron.matches(near)]
        return min((at for near in around for at in _instants(cron, near) if at > after), default=None)
    midnight = datetime(day.year, day.month, day.day, tzinfo=cron.zone).astimezone(UTC)
    passed = (after - midnight) // timedelta(seconds=1)
    index = bisect_right(cron.times, passed)
    return midnight + timedelta(seconds=cron.times[index]) if index < len(cron.times) else None


def _changes(zone: tzinfo, day: date) -> bool:
    """Whether the clock changes on `day` or right beside it."""
    begin = datetime(day.year, day.month, day.day, tzinfo=zone) - timedelta(hours=3)
    end = begin + timedelta(hours=30)
    return begin.utcoffset() != end.replace(fold=1).utcoffset()


def _instants(cron: CompiledCron, day: date) -> list[datetime]:
    """Return when a day's times really come, in UTC and in order, none twice.

    A time that the clock skips fires right after a gap of under three hours, if its hour and minute are fixed;
    one that comes twice fires once, or twice if it follows the clock.
    """
    found: set[datetime] = set()
    for seconds in cron.times:
        naive = datetime(day.year, day.month, day.day) + timedelta(seconds=seconds)  # noqa: DTZ001  wall time
        early, late = naive.replace(tzinfo=cron.zone), naive.replace(tzinfo=cron.zone, fold=1)
        before, behind = early.utcoffset() or timedelta(0), late.utcoffset() or timedelta(0)
        if before < behind:
            if not cron.follows_clock and behind - before < _LONGEST_CAUGHT_UP_GAP:
                found.add(_gap_end(cron.zone, naive, before, behind))
            continue
        found.add(early.astimezone(UTC))
        if before > behind and cron.follows_clock:
            found.add(late.astimezone(UTC))
    return sorted(found)


def _gap_end(zone: tzinfo, naive: datetime, before: timedelta, behind: timedelta) -> datetime:
    """Return the instant at which the clock skips over `naive`, found by halving."""
    wall = naive.replace(tzinfo=UTC)
    low, high = wall - behind, wall - before
    while high - low > _TICK:
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def _latest_cron(trigger: CronTrigger, due: datetime, now: datetime) -> tuple[datetime, int]:
    cron = compile_cron(trigger)
    until = now if trigger.end_at is None else min(now, trigger.end_at)
    if trigger.start_at is not None and until < trigger.start_at:
        return due, 0
    begin = due if trigger.start_at is None else max(due, trigger.start_at - _TICK)
    begin, until = begin.astimezone(UTC), until.astimezone(UTC)
    last_day = until.astimezone(cron.zone).date() + _DAY
    latest, folded = due, 0
    for day in _days_from(cron, begin.astimezone(cron.zone).date() - _DAY):
        if day > last_day:
            break
        found, count = _last_within(cron, day, begin, until)
        folded += count
        if found is not None and (folded == count or found > latest):
            latest = found.astimezone(cron.zone)
    return latest, folded


def _last_within(cron: CompiledCron, day: date, begin: datetime, until: datetime) -> tuple[datetime | None, int]:
    """Return a day's last fire time in (begin, until] and how many there are."""
    if _changes(cron.zone, day):
        within = [at for at in _instants(cron, day) if begin < at <= until]
        return (within[-1] if within else None), len(within)
    midnight = datetime(day.year, day.month, day.day, tzinfo=cron.zone).astimezone(UTC)
    second = timedelta(seconds=1)
    low = bisect_right(cron.times, (begin - midnight) // second)
    high = bisect_right(cron.times, (until - midnight) // second)
    if high <= low:
        return None, 0
    return midnight + timedelta(seconds=cron.times[high - 1]), high - low
