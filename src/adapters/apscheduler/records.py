"""Loading a job row's pickle into inert records: no library class is ever handed to the unpickler.

A class that is handed out can be rewritten for the whole process by BUILD, and a real `getattr` reaches
anything (design.md section 4). So every global is one of the stand-ins below, which hold what they were given.
"""

import io
import pickle
from typing import Any, Never, Self

from adapters.apscheduler.opcodes import RefusedPickleError, scan


class Record:
    """An instance of a class that was pickled with NEWOBJ and BUILD; `state` is what BUILD brought."""

    __slots__ = ("state",)

    state: Any

    def __new__(cls) -> Self:
        """Start without a state; NEWOBJ calls no __init__."""
        record = super().__new__(cls)
        record.state = None
        return record

    def __setstate__(self, state: object) -> None:
        """Keep the state; 3.0-style states are pairs whose second half is the attributes."""
        if isinstance(state, tuple) and len(state) == 2:  # noqa: PLR2004  (dict, slots), by pickle's definition
            state = state[1]
        if self.state is not None or not isinstance(state, dict):
            raise RefusedPickleError("sets an object's state twice, or to something odd")
        self.state = state


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
    """`a`, `a-b`, `a-b/n`."""

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
    """A value or stand-in that can't be rebuilt."""

    __slots__ = ()

    def __setstate__(self, state: object) -> Never:
        """Refuse BUILD."""
        raise RefusedPickleError("sets the state of something that has none")


class Zone(Inert):
    """A time zone: an IANA key, or a fixed offset."""

    __slots__ = ("key", "offset")

    def __init__(self, key: str | None, offset: "Span | None" = None) -> None:
        self.key = key
        self.offset = offset


class Span(Inert):
    """A `timedelta` as pickled."""

    __slots__ = ("days", "microseconds", "seconds")

    def __init__(self, days: int, seconds: int, microseconds: int) -> None:
        self.days = days
        self.seconds = seconds
        self.microseconds = microseconds


class Moment(Inert):
    """A `datetime` as pickled: its ten bytes and its zone."""

    __slots__ = ("raw", "zone")

    def __init__(self, raw: bytes, zone: Zone | None) -> None:
        self.raw = raw
        self.zone = zone


class _Datetime(Inert):
    __slots__ = ()

    def __call__(self, raw: object, zone: object = None) -> Moment:
        if type(raw) is not bytes or len(raw) != 10 or not (zone is None or type(zone) is Zone):  # noqa: PLR2004
            raise RefusedPickleError("has an odd date")
        return Moment(raw, zone)


class _Timedelta(Inert):
    __slots__ = ()

    def __call__(self, days: object, seconds: object, microseconds: object) -> Span:
        if not (type(days) is int and type(seconds) is int and type(microseconds) is int):
            raise RefusedPickleError("has an odd duration")
        return Span(days, seconds, microseconds)


class _FixedZone(Inert):
    __slots__ = ()

    def __call__(self, offset: object, name: object = None) -> Zone:
        if type(offset) is not Span or not (name is None or type(name) is str):
            raise RefusedPickleError("has an odd offset")
        return Zone(None, offset)


class _NamedZone(Inert):
    """Takes a key and whatever else the constructor took (`from_cache`, or pytz's offsets)."""

    __slots__ = ()

    def __call__(self, key: object = "UTC", *rest: object) -> Zone:
        if type(key) is not str or len(rest) > 3:  # noqa: PLR2004  pytz gives three
            raise RefusedPickleError("has an odd time zone")
        return Zone(key)


class _ZoneInfoClass(Inert):
    """`zoneinfo.ZoneInfo`, of which only `_unpickle` can be had, through `getattr`."""

    __slots__ = ()


class _Enum(Inert):
    """A string enum of the platform's, such as ProviderName: its members become their plain values."""

    __slots__ = ()

    def __call__(self, value: object) -> str:
        if type(value) is not str:
            raise RefusedPickleError("has an odd enum value")
        return value


_NAMED_ZONE = _NamedZone()


class _GetAttr(Inert):
    """`builtins.getattr`, for `ZoneInfo._unpickle` and for enums that are pickled by member name."""

    __slots__ = ()

    def __call__(self, owner: object, name: object) -> object:
        if type(owner) is _ZoneInfoClass and name == "_unpickle":
            return _NAMED_ZONE
        if type(owner) is _Enum and type(name) is str and name.isidentifier() and not name.startswith("_"):
            # A member NAME stands for the value that the platform gives it: the same word in lower case.
            return name.lower()
        raise RefusedPickleError("asks for an attribute that no job row asks for")


_GLOBALS: dict[tuple[str, str], Any] = {
    ("apscheduler.triggers.cron", "CronTrigger"): CronTriggerRecord,
    ("apscheduler.triggers.interval", "IntervalTrigger"): IntervalTriggerRecord,
    ("apscheduler.triggers.date", "DateTrigger"): DateTriggerRecord,
    ("apscheduler.triggers.combining", "OrTrigger"): OrTriggerRecord,
    ("apscheduler.triggers.combining", "AndTrigger"): AndTriggerRecord,
    **{
        ("apscheduler.triggers.cron.fields", name): FieldRecord
        for name in ("BaseField", "MonthField", "DayOfMonthField", "WeekField", "DayOfWeekField")
    },
    ("apscheduler.triggers.cron.expressions", "AllExpression"): AllExpressionRecord,
    ("apscheduler.triggers.cron.expressions", "RangeExpression"): RangeExpressionRecord,
    ("apscheduler.triggers.cron.expressions", "MonthRangeExpression"): MonthRangeExpressionRecord,
    ("apscheduler.triggers.cron.expressions", "WeekdayRangeExpression"): WeekdayRangeExpressionRecord,
    ("apscheduler.triggers.cron.expressions", "WeekdayPositionExpression"): WeekdayPositionExpressionRecord,
    ("apscheduler.triggers.cron.expressions", "LastDayOfMonthExpression"): LastDayOfMonthExpressionRecord,
    ("datetime", "datetime"): _Datetime(),
    ("datetime", "timedelta"): _Timedelta(),
    ("datetime", "timezone"): _FixedZone(),
    ("zoneinfo", "ZoneInfo"): _ZoneInfoClass(),
    ("builtins", "getattr"): _GetAttr(),
    # APScheduler 3.10 on pytz.
    ("pytz", "_UTC"): _NAMED_ZONE,
    ("pytz", "_p"): _NAMED_ZONE,
}
_ENUM = _Enum()


class _RecordUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        found = _GLOBALS.get((module_name, global_name))
        if found is not None:
            return found
        if module_name.startswith("backend.") and "." not in global_name:
            return _ENUM
        raise RefusedPickleError("refers to something that no job row refers to")


def load(data: bytes) -> Any:
    """Return the records in `data`. Raises RefusedPickleError for anything that a job row would not hold."""
    scan(data)
    try:
        return _RecordUnpickler(io.BytesIO(data)).load()
    except RefusedPickleError:
        raise
    except Exception as error:  # noqa: BLE001  hostile bytes make the unpickler raise anything
        raise RefusedPickleError(f"does not load ({type(error).__name__})") from None
