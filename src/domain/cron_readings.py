"""What a stored trigger makes of its cron text: standard cron's reading, the original's, or neither.

A stored row's trigger is the truth for that row (design.md section 5); this only compares.
"""

from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from domain.cron import CronDialect, parse_cron
from domain.cron_fields import MONTHS, WEEKDAYS, DayField, day_field, field_values
from domain.errors import InvalidScheduleError
from domain.fire_times import fire_times
from ports.jobs import Job, JobKind
from ports.triggers import CronTrigger

_ANY_START = datetime(2024, 1, 1, tzinfo=UTC)
_ENOUGH_TIMES = 64


class Reading(StrEnum):
    """How a schedule's trigger relates to its cron text."""

    STANDARD = "standard"
    ORIGINAL = "original"  # as APScheduler reads it, where that is something else
    OTHER = "other"


def reading_of(job: Job) -> Reading | None:
    """Return how a schedule reads its cron text; None for what has none, or one that no dialect takes."""
    cron = job.kwargs.get("cron")
    trigger = job.trigger
    if job.kind is not JobKind.EXECUTE_GRAPH or not isinstance(trigger, CronTrigger) or not isinstance(cron, str):
        return None
    standard, original = parsed(cron, CronDialect.STANDARD), parsed(cron, CronDialect.APSCHEDULER)
    if standard is None and original is None:
        return None
    fields = _only_fields(trigger)
    if standard is not None and _same_times(fields, standard):
        return Reading.STANDARD
    if original is not None and _same_times(fields, original):
        return Reading.ORIGINAL
    return Reading.OTHER


@lru_cache(maxsize=4096)
def parsed(cron: str, dialect: CronDialect) -> CronTrigger | None:
    """Return the fields of a cron text, in UTC; None where the dialect refuses it."""
    try:
        return parse_cron(cron, timezone="UTC", dialect=dialect)
    except InvalidScheduleError:
        return None


def _only_fields(trigger: CronTrigger) -> CronTrigger:
    return replace(trigger, timezone="UTC", start_at=None, end_at=None, jitter=None)


@lru_cache(maxsize=4096)
def _same_times(one: CronTrigger, other: CronTrigger) -> bool:
    """Whether two triggers without bounds fire at the same times."""
    try:
        if _values(one) == _values(other):
            return True
        # The same days can be written as weekdays and as `1st mon,2nd mon,...`.
        return fire_times(one, _ANY_START, _ENOUGH_TIMES) == fire_times(other, _ANY_START, _ENOUGH_TIMES)
    except ValueError:  # text outside the grammar, which is not ours
        return False


def _values(trigger: CronTrigger) -> tuple[tuple[int, ...] | DayField, ...]:
    return (
        field_values(trigger.minute, 0, 59),
        field_values(trigger.hour, 0, 23),
        field_values(trigger.second, 0, 59),
        field_values(trigger.month, 1, 12, MONTHS),
        field_values(trigger.day_of_week, 0, 6, WEEKDAYS),
        field_values(trigger.week, 1, 53),
        field_values(trigger.year, 1970, 9999),
        day_field(trigger.day),
    )
