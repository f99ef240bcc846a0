"""Crontab text to a stored trigger, read as Debian's cron reads it, or as the original did.

Standard text is parsed to sets and written back in the few forms that an unmodified APScheduler fires the same
(design.md section 5). A minute or hour that starts with `*` stays recognisable, since daylight saving treats it
differently: as `*`, `*/n`, or, where APScheduler refuses such a step, with its first value written twice.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import NoReturn
from zoneinfo import ZoneInfo

from domain.cron_fields import MONTHS, WEEKDAYS
from domain.errors import InvalidScheduleError
from domain.fire_times import next_fire_time
from ports.triggers import CronTrigger

MAX_LENGTH = 512
_LONGEST_ZONE = 64
_COLUMNS = 5
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+)*")
_NOT_ZONES = {"localtime", "posix", "posixrules", "right"}  # files beside the zones, or zones with leap seconds
_PRINTABLE = re.compile(r"[\x20-\x7e\t]*")
_PART = re.compile(r"(?:(\*)|([0-9]+|[a-z]+)(?:-([0-9]+|[a-z]+))?)(?:/([0-9]+))?")
_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ANY_START = datetime(2024, 1, 1, tzinfo=UTC)
_SHORTEST_RUN = 3


class CronDialect(StrEnum):
    """How new schedules' cron text is read."""

    STANDARD = "standard"
    APSCHEDULER = "apscheduler"


@dataclass(frozen=True, slots=True)
class _Column:
    """One column of a crontab; `names[0]` stands for the value `first_name`."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    first_name: int = 0

    def refuse(self, part: str, reason: str | None = None) -> NoReturn:
        """Raise InvalidScheduleError for a part of this column's text."""
        message = f'Unrecognized expression "{part}" for field "{self.name}"'
        if reason is not None:
            message = f"Error validating expression {part!r}: {reason}"
        raise InvalidScheduleError(message, field=self.name)

    def number(self, text: str, part: str) -> int:
        """Return what a number or name in `part` stands for."""
        if text.isdigit():
            return int(text)
        if text not in self.names:
            self.refuse(part)
        return self.names.index(text) + self.first_name


_SUNDAY_FIRST = (WEEKDAYS[6], *WEEKDAYS[:6])
_STANDARD_COLUMNS = (
    _Column("minute", 0, 59),
    _Column("hour", 0, 23),
    _Column("day", 1, 31),
    _Column("month", 1, 12, MONTHS, 1),
    _Column("day_of_week", 0, 7, _SUNDAY_FIRST),
)
_STOCK_COLUMNS = (*_STANDARD_COLUMNS[:4], _Column("day_of_week", 0, 6, WEEKDAYS))


def validate_timezone(name: str) -> str:
    """Return `name` if it is an IANA time zone known here. Raises InvalidScheduleError."""
    if len(name) <= _LONGEST_ZONE and _ZONE.fullmatch(name) and name.split("/", maxsplit=1)[0] not in _NOT_ZONES:
        try:
            ZoneInfo(name)
        except (OSError, ValueError, LookupError):
            pass
        else:
            return name
    raise InvalidScheduleError(f"Unknown timezone {name[:_LONGEST_ZONE]!r}", field="timezone")


def parse_cron(text: str, *, timezone: str, dialect: CronDialect = CronDialect.STANDARD) -> CronTrigger:
    """Return the trigger to store for a crontab expression in a time zone.

    Raises InvalidScheduleError, whose `field` names the column at fault, for text outside the dialect, longer
    than 512 characters, or for dates that never come.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidScheduleError(f"The cron expression is longer than {MAX_LENGTH} characters")
    return _parsed(text, timezone, dialect)


@lru_cache(maxsize=4096)  # many schedules share a text and a zone
def _parsed(text: str, timezone: str, dialect: CronDialect) -> CronTrigger:
    if not _PRINTABLE.fullmatch(text):
        raise InvalidScheduleError("The cron expression has characters that no cron expression has")
    columns = text.lower().split()
    if len(columns) == 1 and columns[0].startswith("@") and dialect is CronDialect.STANDARD:
        if columns[0] not in _ALIASES:
            raise InvalidScheduleError(f"Unknown alias {columns[0]!r}; known are {', '.join(_ALIASES)}")
        columns = _ALIASES[columns[0]].split()
    if len(columns) != _COLUMNS:
        raise InvalidScheduleError(f"Wrong number of fields; got {len(columns)}, expected {_COLUMNS}")
    read = _standard if dialect is CronDialect.STANDARD else _stock
    trigger = read(columns, validate_timezone(timezone))
    if next_fire_time(trigger, _ANY_START) is None:
        raise InvalidScheduleError("The cron expression names a date that never comes")
    return trigger


def _standard(columns: list[str], timezone: str) -> CronTrigger:
    values = [_values(column, text) for column, text in zip(_STANDARD_COLUMNS, columns, strict=True)]
    minutes, hours, days, months, weekdays = values
    weekdays = frozenset((value - 1) % 7 for value in weekdays)  # cron's Sunday is 0 and 7, APScheduler's 6
    day, day_of_week = _days(days, weekdays, either=not (columns[2][0] == "*" or columns[4][0] == "*"))
    return CronTrigger(
        timezone=timezone,
        minute=_clock_text(_STANDARD_COLUMNS[0], columns[0], minutes),
        hour=_clock_text(_STANDARD_COLUMNS[1], columns[1], hours),
        day=day,
        month=_text(months, full=_STANDARD_COLUMNS[3]),
        day_of_week=day_of_week,
    )


def _values(column: _Column, text: str) -> frozenset[int]:
    """Return what a column's text allows, as cron's own parser reads lists, ranges and steps."""
    values: set[int] = set()
    for part in text.split(","):
        found = _PART.fullmatch(part)
        if found is None:
            column.refuse(part)
        star, begin, end, step = found.groups()
        low = column.low if star else column.number(begin, part)
        high = column.high if star or (step and not end) else column.number(end or begin, part)
        _check_range(column, part, low, high)
        if step and int(step) == 0:
            column.refuse(part, "the step value must be higher than 0")
        values.update(range(low, high + 1, int(step or 1)))
    return frozenset(values)


def _check_range(column: _Column, part: str, low: int, high: int) -> None:
    if low < column.low:
        column.refuse(part, f"the first value ({low}) is lower than the minimum value ({column.low})")
    if high > column.high or low > column.high:
        column.refuse(part, f"the last value ({max(low, high)}) is higher than the maximum value ({column.high})")
    if low > high:
        raise InvalidScheduleError(
            "The minimum value in a range must not be higher than the maximum", field=column.name
        )


def _days(days: frozenset[int], weekdays: frozenset[int], *, either: bool) -> tuple[str, str]:
    """Return the stock `day` and `day_of_week`; when either may match, `day` alone says so."""
    every_day, every_weekday = len(days) == 31, len(weekdays) == 7  # noqa: PLR2004
    names = ",".join(WEEKDAYS[value] for value in sorted(weekdays))
    if not either:
        return ("*" if every_day else _runs(days)), ("*" if every_weekday else names)
    if every_day or every_weekday:
        return "*", "*"
    positions = [
        f"{position} {WEEKDAYS[value]}"
        for value in sorted(weekdays)
        for position in ("1st", "2nd", "3rd", "4th", "5th")
    ]
    return ",".join([_runs(days), *positions]), "*"


def _clock_text(column: _Column, typed: str, values: frozenset[int]) -> str:
    """Return a minute or hour that keeps whether it started with `*`."""
    if not typed.startswith("*"):
        return _runs(values)
    first = typed.split(",", maxsplit=1)[0]
    step = int(first.partition("/")[2] or 1)
    if step == 1:
        return "*"
    star = f"*/{step}" if step <= column.high - column.low else f"{column.low},{column.low}"
    rest = values - frozenset(range(column.low, column.high + 1, step))
    return f"{star},{_runs(rest)}" if rest else star


def _text(values: frozenset[int], *, full: _Column) -> str:
    return "*" if len(values) == full.high - full.low + 1 else _runs(values)


def _runs(values: Iterable[int]) -> str:
    """Write values as a list of numbers and ranges."""
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) >= _SHORTEST_RUN else ",".join(map(str, run)) for run in runs)


def _stock(columns: list[str], timezone: str) -> CronTrigger:
    """Read columns as `CronTrigger.from_crontab` does: 0 is Monday, and both day columns must match."""
    minute, hour, day, month, day_of_week = (
        ",".join(_stock_part(column, part) for part in text.split(","))
        for column, text in zip(_STOCK_COLUMNS, columns, strict=True)
    )
    return CronTrigger(timezone=timezone, minute=minute, hour=hour, day=day, month=month, day_of_week=day_of_week)


def _stock_part(column: _Column, part: str) -> str:
    if column.name == "day" and part == "last":
        return part
    found = _PART.fullmatch(part)
    if found is None:
        column.refuse(part)
    star, begin, end, step = found.groups()
    named = bool(begin) and not begin.isdigit()
    if (named and step) or (end and end.isdigit() == named):
        column.refuse(part)
    low = column.low if star else column.number(begin, part)
    high = column.number(end, part) if end else (column.high if star or step else low)
    _check_range(column, part, low, high)
    span = (high or column.high) - low  # the original takes a range that ends in 0 for one without an end
    if step and int(step) == 0:
        column.refuse(part, "Increment must be higher than 0")
    if step and int(step) > span:
        column.refuse(part, f"the step value ({step}) is higher than the total range of the expression ({span})")
    suffix = f"/{int(step)}" if step else ""
    if star:
        return f"*{suffix}"
    if named:
        return begin if low == high else f"{begin}-{end}"
    return (f"{low}-{high}" if end and (low != high or step) else str(low)) + suffix
