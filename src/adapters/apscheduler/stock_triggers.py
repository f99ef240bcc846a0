"""APScheduler's own trigger objects, built from the port's records."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger as StockCronTrigger
from apscheduler.triggers.date import DateTrigger as StockDateTrigger
from apscheduler.triggers.interval import IntervalTrigger as StockIntervalTrigger

from adapters.apscheduler.moments import zone
from ports.triggers import CronTrigger, DateTrigger, IntervalTrigger, Trigger

FIELD_NAMES: Sequence[str] = StockCronTrigger.FIELD_NAMES
_COMBINED: Mapping[Literal["or", "and"], Any] = {"or": OrTrigger, "and": AndTrigger}
# The texts that `from_crontab` leaves as they are for want of a column; what has a column counts as given.
_DEFAULTS: Mapping[str, str] = {"year": "*", "week": "*", "second": "0"}


def stock_trigger(trigger: Trigger) -> Any:
    """Return APScheduler's own trigger that means the same. Raises ValueError for fields that it does not take."""
    if isinstance(trigger, CronTrigger):
        tz = zone(trigger.timezone)
        stock = StockCronTrigger.__new__(StockCronTrigger)
        # The way in that APScheduler uses itself for a stored trigger; its constructor parses every field again.
        stock.__setstate__(
            {
                "timezone": tz,
                "start_date": trigger.start_at and trigger.start_at.astimezone(tz),
                "end_date": trigger.end_at and trigger.end_at.astimezone(tz),
                "fields": list(stock_fields(*(getattr(trigger, name) for name in FIELD_NAMES))),
                "jitter": trigger.jitter,
            }
        )
        return stock
    if isinstance(trigger, IntervalTrigger):
        tz = zone(trigger.timezone)
        return StockIntervalTrigger(
            days=trigger.interval.days,
            seconds=trigger.interval.seconds + trigger.interval.microseconds / 1e6,
            start_date=trigger.start_at.astimezone(tz),
            end_date=trigger.end_at and trigger.end_at.astimezone(tz),
            timezone=tz,
            jitter=trigger.jitter,
        )
    if isinstance(trigger, DateTrigger):
        return StockDateTrigger(run_date=trigger.run_at, timezone=trigger.run_at.tzinfo)
    return _COMBINED[trigger.kind]([stock_trigger(part) for part in trigger.triggers], jitter=trigger.jitter)


@lru_cache(maxsize=4096)
def stock_fields(*texts: str) -> Sequence[Any]:
    """Return APScheduler's fields for their texts, in the order of FIELD_NAMES; shared, so not to be changed.

    Raises ValueError for what APScheduler does not take.
    """
    fields: Sequence[Any] = StockCronTrigger(**dict(zip(FIELD_NAMES, texts, strict=True)), timezone="UTC").fields
    for field in fields:
        field.is_default = _DEFAULTS.get(field.name) == str(field)
    return tuple(fields)
