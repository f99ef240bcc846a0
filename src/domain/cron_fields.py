"""A stored cron trigger's fields, compiled to sets (APScheduler's own grammar: weekday 0 is Monday)."""

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from ports.triggers import CronTrigger

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_POSITIONS = ("1st", "2nd", "3rd", "4th", "5th", "last")
_NUMERIC = re.compile(r"(?:(\*)|(\d+)(?:-(\d+))?)(?:/(\d+))?")
_NAMED = re.compile(r"([a-z]{3})(?:-([a-z]{3}))?")
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)(?::(\d\d))?")


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """Return the zone of an IANA name or a `+05:30`. Raises ZoneInfoNotFoundError for any other."""
    fixed = _OFFSET.fullmatch(name)
    if fixed is None:
        return UTC if name == "UTC" else ZoneInfo(name)
    hours, minutes, seconds = (int(part or 0) for part in fixed.groups()[1:])
    return timezone((-1 if fixed[1] == "-" else 1) * timedelta(hours=hours, minutes=minutes, seconds=seconds))


def field_values(text: str, low: int, high: int, names: tuple[str, ...] = (), first: int = 0) -> frozenset[int]:
    """Return the values that a field's text allows. Raises ValueError for text outside the grammar."""
    values: set[int] = set()
    for part in text.split(","):
        named = _NAMED.fullmatch(part) if names else None
        if named:
            start = names.index(named[1]) + first
            values.update(range(start, (names.index(named[2]) + first if named[2] else start) + 1))
            continue
        numeric = _NUMERIC.fullmatch(part)
        if numeric is None:
            raise ValueError(f"unknown expression {part!r}")
        star, begin, end, step = numeric.groups()
        start = low if star else int(begin)
        stop = high if star or (step and end is None) else int(end if end is not None else begin)
        values.update(range(start, min(stop, high) + 1, int(step or 1)))
    return frozenset(values)


def _days(text: str) -> Callable[[int, int], frozenset[int]]:
    """Return which days of a (year, month) the `day` text allows."""
    plain: list[str] = []
    special: list[tuple[int, int]] = []
    last = False
    for part in text.split(","):
        words = part.split()
        if part == "last":
            last = True
        elif len(words) == 2:  # noqa: PLR2004  `1st mon`
            special.append((_POSITIONS.index(words[0]), WEEKDAYS.index(words[1])))
        else:
            plain.append(part)
    fixed = field_values(",".join(plain), 1, 31) if plain else frozenset()

    def days(year: int, month: int) -> frozenset[int]:
        first_weekday, length = calendar.monthrange(year, month)
        found = {day for day in fixed if day <= length}
        if last:
            found.add(length)
        for position, weekday in special:
            hit = 1 + (weekday - first_weekday) % 7
            if position == len(_POSITIONS) - 1:
                hit += (length - hit) // 7 * 7
            else:
                hit += 7 * position
            if hit <= length:
                found.add(hit)
        return frozenset(found)

    return days


def _starts_with_star(text: str) -> bool:
    """Whether the column was typed with a `*` first; `domain.cron` says so by a doubled value where it must."""
    first, _, rest = text.partition(",")
    return first.startswith("*") or first == rest.partition(",")[0]


@dataclass(frozen=True, slots=True)
class CompiledCron:
    """A cron trigger ready to compute with; `times` are seconds of a day, in order."""

    zone: tzinfo
    years: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    weeks: frozenset[int] | None
    days_of: Callable[[int, int], frozenset[int]]
    times: tuple[int, ...]
    follows_clock: bool

    def matches(self, day: date) -> bool:
        """Whether `day` is one of the trigger's."""
        return (
            day.month in self.months
            and day.year in self.years
            and day.weekday() in self.weekdays
            and day.day in self.days_of(day.year, day.month)
            and (self.weeks is None or day.isocalendar().week in self.weeks)
        )


@lru_cache(maxsize=4096)
def compile_cron(trigger: CronTrigger) -> CompiledCron:
    """Compile a trigger's fields. Raises ValueError for text that APScheduler would not have stored."""
    hours = field_values(trigger.hour, 0, 23)
    minutes = field_values(trigger.minute, 0, 59)
    seconds = field_values(trigger.second, 0, 59)
    return CompiledCron(
        zone=zone_of(trigger.timezone),
        years=field_values(trigger.year, 1970, 9999),
        months=field_values(trigger.month, 1, 12, MONTHS, 1),
        weekdays=field_values(trigger.day_of_week, 0, 6, WEEKDAYS),
        weeks=None if trigger.week == "*" else field_values(trigger.week, 1, 53),
        days_of=lru_cache(maxsize=64)(_days(trigger.day)),
        times=tuple(sorted(h * 3600 + m * 60 + s for h in hours for m in minutes for s in seconds)),
        follows_clock=_starts_with_star(trigger.hour) or _starts_with_star(trigger.minute),
    )
