"""When an expression would fire: what people ask before they schedule."""

from datetime import datetime

from domain.cron import CronDialect, parse_cron
from domain.cron_fields import zone_of
from domain.errors import InvalidScheduleError
from domain.fire_times import fire_times

MAX_COUNT = 1000


def preview(
    cron: str, *, timezone: str, after: datetime, count: int, dialect: CronDialect = CronDialect.STANDARD
) -> list[datetime]:
    """Return up to `count` (1 to 1000) fire times strictly after `after`; fewer where the calendar ends.

    A naive `after` is taken as wall time in `timezone`. Raises InvalidScheduleError.
    """
    if not 1 <= count <= MAX_COUNT:
        raise InvalidScheduleError(f"count must be from 1 to {MAX_COUNT}", field="count")
    trigger = parse_cron(cron, timezone=timezone, dialect=dialect)
    if after.tzinfo is None:
        after = after.replace(tzinfo=zone_of(trigger.timezone))
    return fire_times(trigger, after, count)
