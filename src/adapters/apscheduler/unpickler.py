"""Loading a job row's pickle: no library class is ever handed to the unpickler.

A class that is handed out can be rewritten for the whole process by BUILD, and a real `getattr` reaches
anything (design.md section 4). So every global is a record, or one of the stand-ins below that make one.
"""

import io
import pickle
from collections.abc import Mapping
from typing import Any

from adapters.apscheduler import records
from adapters.apscheduler.opcodes import RefusedPickleError, scan
from adapters.apscheduler.records import FixedZone, Inert, Moment, NamedZone, Span


class _Datetime(Inert):
    __slots__ = ()

    def __call__(self, raw: object, zone: object = None) -> Moment:
        if type(raw) is not bytes or not isinstance(zone, FixedZone | NamedZone):
            raise RefusedPickleError("has an odd date")
        return Moment(raw, zone)


class _Timedelta(Inert):
    __slots__ = ()

    def __call__(self, days: object, seconds: object, microseconds: object) -> Span:
        if not (type(days) is int and type(seconds) is int and type(microseconds) is int):
            raise RefusedPickleError("has an odd duration")
        return Span(days, seconds, microseconds)


class _Timezone(Inert):
    """`datetime.timezone`; its name for the offset is not kept."""

    __slots__ = ()

    def __call__(self, offset: object, name: object = None) -> FixedZone:
        if type(offset) is not Span or not (name is None or type(name) is str):
            raise RefusedPickleError("has an odd offset")
        return FixedZone(offset)


class _UnpickleZoneInfo(Inert):
    """`ZoneInfo._unpickle`, given a key and whether it came from the cache."""

    __slots__ = ()

    def __call__(self, key: object, from_cache: object) -> NamedZone:
        del from_cache  # all zones are cached here
        if type(key) is not str:
            raise RefusedPickleError("has an odd time zone")
        return NamedZone(key)


class _ZoneInfoClass(Inert):
    """`zoneinfo.ZoneInfo`, of which only `_unpickle` can be had, through `getattr`."""

    __slots__ = ()


class _PytzUTC(Inert):
    """`pytz._UTC`; like the two that follow, from APScheduler 3.10 where a zone was given by name."""

    __slots__ = ()

    def __call__(self) -> NamedZone:
        return NamedZone("UTC")


class _PytzZone(Inert):
    """`pytz._p`, given a key, and for a zone whose offset changes also offset, daylight saving and name."""

    __slots__ = ()

    def __call__(
        self, key: object, utc_offset: object = None, dst: object = None, name: object = None
    ) -> NamedZone:
        del dst, name  # both follow from the key and the offset
        if type(key) is not str or not (utc_offset is None or type(utc_offset) is int):
            raise RefusedPickleError("has an odd time zone")
        return NamedZone(key, utc_offset)


class _PytzFixedOffset(Inert):
    """`pytz.FixedOffset`, given minutes."""

    __slots__ = ()

    def __call__(self, minutes: object) -> FixedZone:
        if type(minutes) is not int:
            raise RefusedPickleError("has an odd offset")
        return FixedZone(Span(0, 60 * minutes, 0))


class _Enum(Inert):
    """A string enum of the platform's, such as ProviderName: its members become their plain values."""

    __slots__ = ()

    def __call__(self, value: object) -> str:
        if type(value) is not str:
            raise RefusedPickleError("has an odd enum value")
        return value


_UNPICKLE_ZONE_INFO = _UnpickleZoneInfo()


class _GetAttr(Inert):
    """`builtins.getattr`, for `ZoneInfo._unpickle` and for enums that are pickled by member name."""

    __slots__ = ()

    def __call__(self, owner: object, name: object) -> object:
        if type(owner) is _ZoneInfoClass and name == "_unpickle":
            return _UNPICKLE_ZONE_INFO
        if type(owner) is _Enum and type(name) is str and name.isidentifier() and not name.startswith("_"):
            # The class is not here to ask; the platform names its members after their values (OPENAI = "openai").
            return name.lower()
        raise RefusedPickleError("asks for an attribute that no job row asks for")


GLOBALS: Mapping[tuple[str, str], Any] = {
    ("apscheduler.triggers.cron", "CronTrigger"): records.CronTriggerRecord,
    ("apscheduler.triggers.interval", "IntervalTrigger"): records.IntervalTriggerRecord,
    ("apscheduler.triggers.date", "DateTrigger"): records.DateTriggerRecord,
    ("apscheduler.triggers.combining", "OrTrigger"): records.OrTriggerRecord,
    ("apscheduler.triggers.combining", "AndTrigger"): records.AndTriggerRecord,
    **{
        ("apscheduler.triggers.cron.fields", name): records.FieldRecord
        for name in ("BaseField", "MonthField", "DayOfMonthField", "WeekField", "DayOfWeekField")
    },
    ("apscheduler.triggers.cron.expressions", "AllExpression"): records.AllExpressionRecord,
    ("apscheduler.triggers.cron.expressions", "RangeExpression"): records.RangeExpressionRecord,
    ("apscheduler.triggers.cron.expressions", "MonthRangeExpression"): records.MonthRangeExpressionRecord,
    ("apscheduler.triggers.cron.expressions", "WeekdayRangeExpression"): records.WeekdayRangeExpressionRecord,
    ("apscheduler.triggers.cron.expressions", "WeekdayPositionExpression"): records.WeekdayPositionExpressionRecord,
    ("apscheduler.triggers.cron.expressions", "LastDayOfMonthExpression"): records.LastDayOfMonthExpressionRecord,
    ("datetime", "datetime"): _Datetime(),
    ("datetime", "timedelta"): _Timedelta(),
    ("datetime", "timezone"): _Timezone(),
    ("zoneinfo", "ZoneInfo"): _ZoneInfoClass(),
    ("builtins", "getattr"): _GetAttr(),
    ("pytz", "_UTC"): _PytzUTC(),
    ("pytz", "_p"): _PytzZone(),
    ("pytz", "FixedOffset"): _PytzFixedOffset(),
}
_ENUM = _Enum()


class RecordUnpickler(pickle.Unpickler):
    """Makes records. For data that `scan` has let through."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Return what stands for a global. Raises RefusedPickleError for one that no job row refers to."""
        found = GLOBALS.get((module_name, global_name))
        if found is not None:
            return found
        if module_name.startswith("backend.") and global_name.isidentifier() and global_name[0].isupper():
            return _ENUM
        raise RefusedPickleError("refers to something that no job row refers to")


def load(data: bytes) -> tuple[Any, int]:
    """Return the records in `data`, and where its last opcode for bytes is (`scan`).

    Raises RefusedPickleError for anything that a job row would not hold.
    """
    last_bytes = scan(data)
    try:
        return RecordUnpickler(io.BytesIO(data)).load(), last_bytes
    except RefusedPickleError:
        raise
    except Exception as error:  # noqa: BLE001  hostile bytes make the unpickler raise anything
        raise RefusedPickleError(f"does not load ({type(error).__name__})") from None
