"""A stored cron trigger's fields, compiled to sets (APScheduler's own grammar: weekday 0 is Monday)."""

import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from ports.triggers import CronTrigger

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
POSITIONS = ("1st", "2nd", "3rd", "4th", "5th", "last")
_LAST = POSITIONS.index("last")
_DECEMBER = 12
_NUMERIC = re.compile(r"(?:(\*)|(\d+)(?:-(\d+))?)(?:/(\d+))?", re.ASCII)
_NAMED = re.compile(r"([a-z]{3})(?:-([a-z]{3}))?")
_POSITION = re.compile(rf"({'|'.join(POSITIONS)}) +({'|'.join(WEEKDAYS)})")
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)(?::(\d\d))?", re.ASCII)


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """Return the zone of an IANA name or a `+05:30`. Raises ZoneInfoNotFoundError for any other."""
    fixed = _OFFSET.fullmatch(name)
    if fixed is None:
        return UTC if name == "UTC" else ZoneInfo(name)
    hours, minutes, seconds = (int(part or 0) for part in fixed.groups()[1:])
    return timezone((-1 if fixed[1] == "-" else 1) * timedelta(hours=hours, minutes=minutes, seconds=seconds))


@lru_cache(maxsize=2048)
def field_values(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> tuple[int, ...]:
    """Return, in order, the values that a field's text allows; `names[0]` stands for `low`.

    Raises ValueError for text outside the grammar, or that allows nothing.
    """
    values: set[int] = set()
    for part in text.split(","):
        named = _NAMED.fullmatch(part) if names else None
        numeric = _NUMERIC.fullmatch(part)
        if named:
            start = names.index(named[1]) + low
            stop = start if named[2] is None else names.index(named[2]) + low
            step = 1
        elif numeric:
            start = low if numeric[1] else int(numeric[2])
            open_ended = numeric[1] or (numeric[4] and numeric[3] is None)
            stop = high if open_ended else int(numeric[3] or numeric[2])
            step = int(numeric[4] or 1)
        else:
            raise ValueError(f"unknown expression {part!r}")
        if not low <= start <= stop <= high:
            raise ValueError(f"nothing from {low} to {high} in {part!r}")
        values.update(range(start, stop + 1, step))
    return tuple(sorted(values))


@lru_cache(maxsize=256)
def _times(hour: str, minute: str, second: str) -> "array[int]":
    """Return a day's times in seconds, in order: shared between triggers and packed, since `* * *` has 86,400."""
    return array(
        "l",
        (
            h * 3600 + m * 60 + s
            for h in field_values(hour, 0, 23)
            for m in field_values(minute, 0, 59)
            for s in field_values(second, 0, 59)
        ),
    )


@dataclass(frozen=True, slots=True)
class DayField:
    """The `day` field: numbers, positions such as `1st mon`, and `last`."""

    numbers: frozenset[int]
    positions: tuple[tuple[int, int], ...]
    last: bool

    def days(self, first_weekday: int, length: int) -> set[int]:
        """Return which days are allowed in a month of `length` days that starts on `first_weekday`."""
        found = {number for number in self.numbers if number <= length}
        if self.last:
            found.add(length)
        for position, weekday in self.positions:
            first = 1 + (weekday - first_weekday) % 7
            day = first + (length - first) // 7 * 7 if position == _LAST else first + 7 * position
            if day <= length:
                found.add(day)
        return found


def day_field(text: str) -> DayField:
    """Return what the text of a `day` field allows."""
    parts = text.split(",")
    positions = [found for found in map(_POSITION.fullmatch, parts) if found]
    plain = [part for part in parts if part != "last" and not _POSITION.fullmatch(part)]
    return DayField(
        numbers=frozenset(field_values(",".join(plain), 1, 31) if plain else ()),
        positions=tuple((POSITIONS.index(found[1]), WEEKDAYS.index(found[2])) for found in positions),
        last="last" in parts,
    )


@dataclass(frozen=True, slots=True)
class CompiledCron:
    """A cron trigger ready to compute with.

    `times` are a day's seconds, in order. `days_of(year, month)` are the month's days that fit every field, in
    order. `follows_clock`: the minute or hour started with `*`, which daylight saving treats in its own way.
    """

    zone: tzinfo
    years: tuple[int, ...]
    months: tuple[int, ...]
    days_of: Callable[[int, int], tuple[int, ...]]
    times: "array[int]"
    follows_clock: bool


@lru_cache(maxsize=4096)
def compile_cron(trigger: CronTrigger) -> CompiledCron:
    """Compile a trigger's fields. Raises ValueError for text that APScheduler would not have stored."""
    return CompiledCron(
        zone=zone_of(trigger.timezone),
        years=field_values(trigger.year, 1970, 9999),
        months=field_values(trigger.month, 1, 12, MONTHS),
        days_of=_month_days(trigger),
        times=_times(trigger.hour, trigger.minute, trigger.second),
        follows_clock=_starts_with_star(trigger.hour) or _starts_with_star(trigger.minute),
    )


def _starts_with_star(text: str) -> bool:
    """Whether the column was typed with a `*` first; `domain.cron` says so by a doubled value where it must."""
    first, _, rest = text.partition(",")
    return first.startswith("*") or first == rest.partition(",")[0]


def _month_days(trigger: CronTrigger) -> Callable[[int, int], tuple[int, ...]]:
    """Return the function from a year and month to the days that fit `day`, `day_of_week` and `week`.

    It remembers its answers by the month's shape, of which there are 28, or about 100 where weeks matter: a
    search over forty years looks at the same few shapes.
    """
    on_days = day_field(trigger.day)
    weekdays = frozenset(field_values(trigger.day_of_week, 0, 6, WEEKDAYS))
    weeks = None if trigger.week == "*" else frozenset(field_values(trigger.week, 1, 53))
    known: dict[tuple[int, ...], tuple[int, ...]] = {}

    def days_of(year: int, month: int) -> tuple[int, ...]:
        first = date(year, month, 1)
        length = (date(year, month + 1, 1) - first).days if month < _DECEMBER else 31
        first_weekday = first.weekday()
        shape: tuple[int, ...] = (first_weekday, length)
        if weeks is not None:
            shape = (*shape, first.isocalendar().week, date(year, month, length).isocalendar().week)
        days = known.get(shape)
        if days is None:
            days = known[shape] = tuple(
                day
                for day in sorted(on_days.days(first_weekday, length))
                if (first_weekday + day - 1) % 7 in weekdays
                and (weeks is None or date(year, month, day).isocalendar().week in weeks)
            )
        return days

    return days_of
