"""When a job is due: the records that job stores carry and the domain computes with."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class CronTrigger:
    """A cron trigger as APScheduler keeps it: one expression text per field, in a time zone.

    `timezone` is an IANA name, `UTC`, or a fixed offset written `+05:30`.
    Every field holds text in APScheduler's own grammar (weekday 0 is Monday), as str() of the field gives it.
    `jitter` is in seconds.
    """

    timezone: str
    minute: str = "*"
    hour: str = "*"
    day: str = "*"
    month: str = "*"
    day_of_week: str = "*"
    second: str = "0"
    week: str = "*"
    year: str = "*"
    start_at: datetime | None = None
    end_at: datetime | None = None
    jitter: int | None = None


@dataclass(frozen=True, slots=True)
class IntervalTrigger:
    """Every `interval`, in phase with `start_at`."""

    interval: timedelta
    start_at: datetime
    timezone: str
    end_at: datetime | None = None
    jitter: int | None = None


@dataclass(frozen=True, slots=True)
class DateTrigger:
    """Once, at `run_at`."""

    run_at: datetime


@dataclass(frozen=True, slots=True)
class CombinedTrigger:
    """Due when any (`or`) or all (`and`) of `triggers` are."""

    kind: Literal["or", "and"]
    triggers: tuple["Trigger", ...]
    jitter: int | None = None


Trigger: TypeAlias = CronTrigger | IntervalTrigger | DateTrigger | CombinedTrigger
