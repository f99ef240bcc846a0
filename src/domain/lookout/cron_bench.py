"""The cron bench: what an expression means here, and what the original would have made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from domain.cron import CronDialect, parse_cron
from domain.describe import clock_changes, describe
from domain.errors import InvalidScheduleError
from domain.fire_times import fire_times

COLUMNS = ("minute", "hour", "day", "month", "day_of_week")
"""The columns of a crontab, by the names that a refusal gives them."""


@dataclass(frozen=True, slots=True)
class Run:
    """A time, and whether the clock was changed since the one before."""

    at: datetime
    clock_changed: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What a dialect makes of an expression: its meaning, or why it is refused and which field is at fault."""

    meaning: str = ""
    runs: Sequence[Run] = ()
    notes: Sequence[str] = ()
    refusal: str = ""
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """Both readings; `differ` says that the original would run it at other times, or not at all."""

    ours: Reading
    original: Reading

    @property
    def differ(self) -> bool:
        """Whether the original would do something else."""
        return [run.at for run in self.ours.runs] != [run.at for run in self.original.runs]


def try_cron(cron: str, *, timezone: str, now: datetime, count: int = 10) -> Trial:
    """Read an expression in both dialects. A zone that is none is refused in both."""
    return Trial(*(_read(cron, timezone, now, count, dialect) for dialect in CronDialect))


def marked_runs(times: Sequence[datetime]) -> list[Run]:
    """Return times with a mark where the offset from UTC is another than at the time before."""
    changed = [False, *(one.utcoffset() != other.utcoffset() for one, other in pairwise(times))]
    return [Run(at, mark) for at, mark in zip(times, changed, strict=False)]


def _read(cron: str, timezone: str, now: datetime, count: int, dialect: CronDialect) -> Reading:
    try:
        trigger = parse_cron(cron, timezone=timezone, dialect=dialect)
    except InvalidScheduleError as error:
        return Reading(refusal=str(error), field=error.field)
    runs = marked_runs(fire_times(trigger, now.astimezone(UTC) - timedelta(microseconds=1), count))
    return Reading(describe(trigger), runs, clock_changes(trigger, now))
