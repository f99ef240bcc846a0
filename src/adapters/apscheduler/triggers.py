"""Triggers: from loaded records to the port's, and from the port's to APScheduler's own objects."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger as StockCronTrigger
from apscheduler.triggers.cron.expressions import MONTHS, WEEKDAYS, WeekdayPositionExpression
from apscheduler.triggers.date import DateTrigger as StockDateTrigger
from apscheduler.triggers.interval import IntervalTrigger as StockIntervalTrigger

from adapters.apscheduler import records
from adapters.apscheduler.opcodes import RefusedPickleError
from ports.triggers import CombinedTrigger, CronTrigger, DateTrigger, IntervalTrigger, Trigger

_FIXED_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)(?::(\d\d))?")
_MAX_NESTING = 8
_POSITIONS = WeekdayPositionExpression.options
_COMBINED = {
    "apscheduler.triggers.cron:CronTrigger": records.CronTriggerRecord,
    "apscheduler.triggers.interval:IntervalTrigger": records.IntervalTriggerRecord,
    "apscheduler.triggers.date:DateTrigger": records.DateTriggerRecord,
    "apscheduler.triggers.combining:OrTrigger": records.OrTriggerRecord,
    "apscheduler.triggers.combining:AndTrigger": records.AndTriggerRecord,
}


@lru_cache(maxsize=1024)
def zone(name: str) -> tzinfo:
    """Return the time zone of an IANA name or a `+05:30`. Raises RefusedPickleError when there is none."""
    fixed = _FIXED_OFFSET.fullmatch(name)
    if fixed:
        sign = -1 if fixed[1] == "-" else 1
        hours, minutes, seconds = (int(part or 0) for part in fixed.groups()[1:])
        return timezone(sign * timedelta(hours=hours, minutes=minutes, seconds=seconds))
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise RefusedPickleError("has a time zone that is not known here") from None


def zone_name(record: object) -> str:
    """Return how the port names a loaded zone."""
    if type(record) is not records.Zone:
        raise RefusedPickleError("has an odd time zone")
    if record.key is not None:
        zone(record.key)
        return record.key
    offset = span(record.offset)
    if not offset:
        return "UTC"
    if abs(offset) >= timedelta(days=1) or offset.microseconds:
        raise RefusedPickleError("has an odd offset")
    sign, total = ("-", -offset) if offset < timedelta(0) else ("+", offset)
    minutes, seconds = divmod(int(total.total_seconds()), 60)
    text = f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{seconds:02d}" if seconds else text


def span(record: object) -> timedelta:
    """Return a loaded duration."""
    if type(record) is not records.Span:
        raise RefusedPickleError("has an odd duration")
    try:
        return timedelta(record.days, record.seconds, record.microseconds)
    except OverflowError:
        raise RefusedPickleError("has an odd duration") from None


def moment(record: object) -> datetime:
    """Return a loaded, aware date."""
    if type(record) is not records.Moment:
        raise RefusedPickleError("has an odd date")
    try:
        naive = datetime(record.raw)  # type: ignore[call-arg, arg-type]  # noqa: DTZ001  pickle's own way in
    except (TypeError, ValueError):
        raise RefusedPickleError("has an odd date") from None
    assert isinstance(naive, datetime)
    return naive.replace(tzinfo=zone(zone_name(record.zone)), fold=naive.fold)


def _optional_moment(record: object) -> datetime | None:
    return None if record is None else moment(record)


def _jitter(value: object) -> int | None:
    if value is None or type(value) is int:
        return value
    raise RefusedPickleError("has an odd jitter")


def _number(value: object, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise RefusedPickleError("has an odd number in a field")
    return value


def read_trigger(record: object, *, nesting: int = 0) -> Trigger:
    """Return the port's trigger for a loaded one. Raises RefusedPickleError."""
    if nesting > _MAX_NESTING or not isinstance(record, records.Record) or not isinstance(record.state, dict):
        raise RefusedPickleError("has an odd trigger")
    reader = _READERS.get(type(record))
    if reader is None:
        raise RefusedPickleError("has an odd trigger")
    try:
        return reader(record.state, nesting)
    except KeyError:
        raise RefusedPickleError("has an incomplete trigger") from None


def _read_cron(state: Mapping[str, Any], nesting: int) -> Trigger:
    del nesting
    fields = state["fields"]
    if type(fields) is not list:
        raise RefusedPickleError("has odd fields")
    texts = dict(_field_text(field) for field in fields)
    if tuple(texts) != StockCronTrigger.FIELD_NAMES:
        raise RefusedPickleError("has odd fields")
    return CronTrigger(
        timezone=zone_name(state["timezone"]),
        start_at=_optional_moment(state["start_date"]),
        end_at=_optional_moment(state["end_date"]),
        jitter=_jitter(state.get("jitter")),
        **texts,
    )


def _field_text(field: object) -> tuple[str, str]:
    if type(field) is not records.FieldRecord or not isinstance(field.state, dict):
        raise RefusedPickleError("has an odd field")
    name, expressions = field.state["name"], field.state["expressions"]
    if type(name) is not str or type(expressions) is not list or not expressions:
        raise RefusedPickleError("has an odd field")
    return name, ",".join(_expression_text(expression) for expression in expressions)


def _expression_text(record: object) -> str:
    """Write an expression the way APScheduler's own str() does."""
    if not isinstance(record, records.Record):
        raise RefusedPickleError("has an odd expression")
    state = record.state or {}
    if type(record) is records.LastDayOfMonthExpressionRecord:
        return "last"
    if type(record) is records.WeekdayPositionExpressionRecord:
        position = _number(state["option_num"], 0, len(_POSITIONS) - 1)
        return f"{_POSITIONS[position]} {WEEKDAYS[_number(state['weekday'], 0, 6)]}"
    step = state.get("step")
    suffix = "" if step is None else f"/{_number(step, 1, 9999)}"
    if type(record) is records.AllExpressionRecord:
        return f"*{suffix}"
    low, high = state["first"], state["last"]
    if type(record) is records.MonthRangeExpressionRecord:
        return _range_text(low, high, lambda value: MONTHS[_number(value, 1, 12) - 1])
    if type(record) is records.WeekdayRangeExpressionRecord:
        return _range_text(low, high, lambda value: WEEKDAYS[_number(value, 0, 6)])
    if type(record) is records.RangeExpressionRecord:
        return _range_text(low, high, lambda value: str(_number(value, 0, 9999))) + suffix
    raise RefusedPickleError("has an odd expression")


def _range_text(low: object, high: object, text: Callable[[object], str]) -> str:
    return text(low) if high is None or high == low else f"{text(low)}-{text(high)}"


def _read_interval(state: Mapping[str, Any], nesting: int) -> Trigger:
    del nesting
    interval = span(state["interval"])
    if interval <= timedelta(0):
        raise RefusedPickleError("has an interval that goes nowhere")
    return IntervalTrigger(
        interval=interval,
        start_at=moment(state["start_date"]),
        timezone=zone_name(state["timezone"]),
        end_at=_optional_moment(state["end_date"]),
        jitter=_jitter(state.get("jitter")),
    )


def _read_date(state: Mapping[str, Any], nesting: int) -> Trigger:
    del nesting
    return DateTrigger(run_at=moment(state["run_date"]))


def _read_combined(kind: Any) -> Callable[[Mapping[str, Any], int], Trigger]:
    def read(state: Mapping[str, Any], nesting: int) -> Trigger:
        parts = state["triggers"]
        if type(parts) is not list or not parts:
            raise RefusedPickleError("has an odd trigger")
        triggers = []
        for part in parts:
            if type(part) is not tuple or len(part) != 2 or part[0] not in _COMBINED:  # noqa: PLR2004  (ref, state)
                raise RefusedPickleError("has an odd trigger")
            record = _COMBINED[part[0]]()
            record.state = part[1]
            triggers.append(read_trigger(record, nesting=nesting + 1))
        return CombinedTrigger(kind=kind, triggers=tuple(triggers), jitter=_jitter(state.get("jitter")))

    return read


_READERS: Mapping[type, Callable[[Mapping[str, Any], int], Trigger]] = {
    records.CronTriggerRecord: _read_cron,
    records.IntervalTriggerRecord: _read_interval,
    records.DateTriggerRecord: _read_date,
    records.OrTriggerRecord: _read_combined("or"),
    records.AndTriggerRecord: _read_combined("and"),
}


@lru_cache(maxsize=4096)
def stock_trigger(trigger: Trigger) -> Any:
    """Return APScheduler's own trigger that means the same; shared between callers, so not to be changed."""
    if isinstance(trigger, CronTrigger):
        return _stock_cron(trigger)
    if isinstance(trigger, IntervalTrigger):
        tz = zone(trigger.timezone)
        return StockIntervalTrigger(
            days=trigger.interval.days,
            seconds=trigger.interval.seconds + trigger.interval.microseconds / 1e6,
            start_date=trigger.start_at.astimezone(tz),
            end_date=None if trigger.end_at is None else trigger.end_at.astimezone(tz),
            timezone=tz,
            jitter=trigger.jitter,
        )
    if isinstance(trigger, DateTrigger):
        return StockDateTrigger(run_date=trigger.run_at, timezone=trigger.run_at.tzinfo or UTC)
    parts = [stock_trigger(part) for part in trigger.triggers]
    return (OrTrigger if trigger.kind == "or" else AndTrigger)(parts, jitter=trigger.jitter)


def _stock_cron(trigger: CronTrigger) -> StockCronTrigger:
    tz = zone(trigger.timezone)
    stock = StockCronTrigger(
        **{name: getattr(trigger, name) for name in StockCronTrigger.FIELD_NAMES},
        timezone=tz,
        start_date=None if trigger.start_at is None else trigger.start_at.astimezone(tz),
        end_date=None if trigger.end_at is None else trigger.end_at.astimezone(tz),
        jitter=trigger.jitter,
    )
    # As `from_crontab` leaves them: what a crontab has no column for counts as not given.
    for field, default in zip(stock.fields, ("*", None, None, "*", None, None, None, "0"), strict=True):
        field.is_default = str(field) == default
    return stock
