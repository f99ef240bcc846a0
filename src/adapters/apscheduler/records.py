"""What a job row's pickle is loaded into: inert records that hold what they were given."""

from typing import Any, Never

from adapters.apscheduler.opcodes import RefusedPickleError


class Record:
    """An object pickled with NEWOBJ and BUILD; `state` is what BUILD brought, and absent without it."""

    __slots__ = ("state",)

    state: Any

    # Being defined here it also answers BUILD on the class itself, by failing for want of an instance.
    def __setstate__(self, state: object) -> None:
        """Keep the state as it is."""
        self.state = state

    def attributes(self) -> dict[Any, Any]:
        """Return the state's attributes. Raises RefusedPickleError when there are none."""
        state = getattr(self, "state", None)
        if type(state) is tuple and len(state) == 2:  # noqa: PLR2004  APScheduler 3.0 wrote (dict, slots)
            state = state[1]
        if type(state) is not dict:
            raise RefusedPickleError("has an object without a state")
        return state


class CronTriggerRecord(Record):
    """`apscheduler.triggers.cron.CronTrigger`."""

    __slots__ = ()


class IntervalTriggerRecord(Record):
    """`apscheduler.triggers.interval.IntervalTrigger`."""

    __slots__ = ()


class DateTriggerRecord(Record):
    """`apscheduler.triggers.date.DateTrigger`."""

    __slots__ = ()


class OrTriggerRecord(Record):
    """`apscheduler.triggers.combining.OrTrigger`."""

    __slots__ = ()


class AndTriggerRecord(Record):
    """`apscheduler.triggers.combining.AndTrigger`."""

    __slots__ = ()


class FieldRecord(Record):
    """A field of a cron trigger, of whatever class: the class follows from its name."""

    __slots__ = ()


class AllExpressionRecord(Record):
    """`*` or `*/n`."""

    __slots__ = ()


class RangeExpressionRecord(Record):
    """`a`, `a-b`, `a/n`, `a-b/n`."""

    __slots__ = ()


class MonthRangeExpressionRecord(Record):
    """`jan-mar`."""

    __slots__ = ()


class WeekdayRangeExpressionRecord(Record):
    """`mon-fri`."""

    __slots__ = ()


class WeekdayPositionExpressionRecord(Record):
    """`1st mon`."""

    __slots__ = ()


class LastDayOfMonthExpressionRecord(Record):
    """`last`."""

    __slots__ = ()


class Inert:
    """A value, or a stand-in for something callable, that BUILD can't change."""

    __slots__ = ()

    def __setstate__(self, state: object) -> Never:
        """Refuse BUILD."""
        raise RefusedPickleError("sets the state of something that has none")


class Span(Inert):
    """A `timedelta` as pickled."""

    __slots__ = ("days", "microseconds", "seconds")

    def __init__(self, days: int, seconds: int, microseconds: int) -> None:
        self.days = days
        self.seconds = seconds
        self.microseconds = microseconds


class FixedZone(Inert):
    """A zone that is no more than an offset."""

    __slots__ = ("offset",)

    def __init__(self, offset: Span) -> None:
        self.offset = offset


class NamedZone(Inert):
    """A zone of the time zone database.

    `utc_offset`, in seconds, is set when pytz says which of the zone's offsets a date in it has.
    """

    __slots__ = ("key", "utc_offset")

    def __init__(self, key: str, utc_offset: int | None = None) -> None:
        self.key = key
        self.utc_offset = utc_offset


class Moment(Inert):
    """A `datetime` as pickled: its ten bytes and its zone."""

    __slots__ = ("raw", "zone")

    def __init__(self, raw: bytes, zone: FixedZone | NamedZone) -> None:
        self.raw = raw
        self.zone = zone
