"""Triggers: from loaded records to the port's."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Literal

from apscheduler.triggers.cron.expressions import MONTHS, WEEKDAYS, WeekdayPositionExpression

from adapters.apscheduler import records
from adapters.apscheduler.moments import moment, span, zone, zone_name
from adapters.apscheduler.opcodes import RefusedPickleError
from adapters.apscheduler.stock_triggers import FIELD_NAMES, stock_fields
from ports.triggers import CombinedTrigger, CronTrigger, DateTrigger, IntervalTrigger, Trigger

_MAX_PARTS = 100  # triggers in a trigger
_MAX_EXPRESSIONS = 5000  # in a field; the original takes lists of any length
_MAX_JITTER = 10**9
_MAX_NUMBER = 9999  # the largest year, and year is the largest field
_POSITIONS = WeekdayPositionExpression.options
_REFERENCES: Mapping[str, type[records.Record]] = {
    "apscheduler.triggers.cron:CronTrigger": records.CronTriggerRecord,
    "apscheduler.triggers.interval:IntervalTrigger": records.IntervalTriggerRecord,
    "apscheduler.triggers.date:DateTrigger": records.DateTriggerRecord,
    "apscheduler.triggers.combining:OrTrigger": records.OrTriggerRecord,
    "apscheduler.triggers.combining:AndTrigger": records.AndTriggerRecord,
}


def read_trigger(record: object) -> Trigger:
    """Return the port's trigger for a loaded one, which APScheduler's own can always be built from.

    Raises RefusedPickleError, also for a time zone that this machine does not know.
    """
    return _Reader().read(record)


def own_zone(trigger: Trigger) -> tzinfo | None:
    """Return the zone that a trigger's due times are in; None for a combined one, whose parts may differ."""
    if isinstance(trigger, CronTrigger | IntervalTrigger):
        return zone(trigger.timezone)
    return trigger.run_at.tzinfo if isinstance(trigger, DateTrigger) else None


class _Reader:
    """Reads one trigger and counts its parts, since a combined one may hold the same part again and again."""

    def __init__(self) -> None:
        self._parts = 0

    def read(self, record: object) -> Trigger:
        self._parts += 1
        if self._parts > _MAX_PARTS or not isinstance(record, records.Record):
            raise RefusedPickleError("has an odd trigger")
        state = record.attributes()
        try:
            match record:
                case records.CronTriggerRecord():
                    return _cron(state)
                case records.IntervalTriggerRecord():
                    return _interval(state)
                case records.DateTriggerRecord():
                    return DateTrigger(run_at=moment(state["run_date"]))
                case records.OrTriggerRecord():
                    return self._combined("or", state)
                case records.AndTriggerRecord():
                    return self._combined("and", state)
        except KeyError:
            raise RefusedPickleError("has an incomplete trigger") from None
        raise RefusedPickleError("has an odd trigger")

    def _combined(self, kind: Literal["or", "and"], state: Mapping[str, Any]) -> Trigger:
        parts = state["triggers"]
        if type(parts) is not list or not parts:
            raise RefusedPickleError("has an odd trigger")
        triggers = tuple(self.read(_part(part)) for part in parts)
        return CombinedTrigger(kind=kind, triggers=triggers, jitter=_jitter(state["jitter"]))


def _part(pair: object) -> records.Record:
    """Return a part of a combined trigger, which is kept as the name of its class and its state."""
    if type(pair) is not tuple or len(pair) != 2 or type(pair[0]) is not str:  # noqa: PLR2004  (class, state)
        raise RefusedPickleError("has an odd trigger")
    if pair[0] not in _REFERENCES:
        raise RefusedPickleError("has a trigger of an unknown kind")
    record = _REFERENCES[pair[0]]()
    record.state = pair[1]
    return record


def _cron(state: Mapping[str, Any]) -> Trigger:
    fields = state["fields"]
    if type(fields) is not list or len(fields) != len(FIELD_NAMES):
        raise RefusedPickleError("has odd fields")
    texts = tuple(_field_text(name, field) for name, field in zip(FIELD_NAMES, fields, strict=True))
    timezone, start, end, jitter = (
        zone_name(state["timezone"]),
        state["start_date"],
        state["end_date"],
        state.get("jitter"),
    )
    if start is end is jitter is None:
        return _plain_cron(timezone, texts)
    return replace(
        _plain_cron(timezone, texts),
        start_at=_optional_moment(start, timezone),
        end_at=_optional_moment(end, timezone),
        jitter=_jitter(jitter),
    )


@lru_cache(maxsize=4096)
def _plain_cron(timezone: str, texts: tuple[str, ...]) -> CronTrigger:
    """Return what nearly every row has: many share one, which is then one object."""
    try:
        stock_fields(*texts)
    except ValueError:
        raise RefusedPickleError("has a field that APScheduler does not take") from None
    named: dict[str, Any] = dict(zip(FIELD_NAMES, texts, strict=True))
    return CronTrigger(timezone, **named)


def _interval(state: Mapping[str, Any]) -> Trigger:
    interval, timezone = span(state["interval"]), zone_name(state["timezone"])
    if interval <= timedelta(0):
        raise RefusedPickleError("has an interval that leads nowhere")
    return IntervalTrigger(
        interval=interval,
        start_at=_moment_in(timezone, moment(state["start_date"])),
        timezone=timezone,
        end_at=_optional_moment(state["end_date"], timezone),
        jitter=_jitter(state.get("jitter")),
    )


def _optional_moment(record: object, timezone: str) -> datetime | None:
    return None if record is None else _moment_in(timezone, moment(record))


def _moment_in(timezone: str, when: datetime) -> datetime:
    try:
        return when.astimezone(zone(timezone))
    except (ValueError, OverflowError):
        raise RefusedPickleError("has an odd date") from None


def _jitter(value: object) -> int | None:
    if value is None or (type(value) is int and 0 <= value <= _MAX_JITTER):
        return value
    raise RefusedPickleError("has an odd jitter")


def _field_text(name: str, field: object) -> str:
    """Write a field the way APScheduler's own str() does, but for what str() loses."""
    if type(field) is not records.FieldRecord:
        raise RefusedPickleError("has an odd field")
    state = field.attributes()
    expressions = state["expressions"]
    if state["name"] != name or type(expressions) is not list or not 0 < len(expressions) <= _MAX_EXPRESSIONS:
        raise RefusedPickleError("has an odd field")
    return ",".join([_expression_text(expression) for expression in expressions])


def _expression_text(record: object) -> str:
    if not isinstance(record, records.Record):
        raise RefusedPickleError("has an odd expression")
    writer = _WRITERS.get(type(record))
    if writer is None:
        raise RefusedPickleError("has an odd expression")
    return writer(record.attributes())


def _all_text(state: Mapping[str, Any]) -> str:
    step = state["step"]
    return "*" if step is None else f"*/{_number(step, low=1)}"


def _range_text(state: Mapping[str, Any]) -> str:
    low, high, step = _number(state["first"]), state["last"], state["step"]
    if low == high:
        return str(low)  # `0-0/5` is 0 alone, where APScheduler's str() says `0/5`
    if step is not None:
        return f"{low}{'' if high is None else f'-{_number(high)}'}/{_number(step, low=1)}"
    return f"{low}-{_number(high)}"


def _named_range_text(names: list[str], first_number: int) -> Callable[[Mapping[str, Any]], str]:
    def text(state: Mapping[str, Any]) -> str:
        low, high = (_name(names, state[end], first_number) for end in ("first", "last"))
        if state["step"] is not None:
            raise RefusedPickleError("has an odd expression")
        return low if low == high else f"{low}-{high}"

    return text


def _position_text(state: Mapping[str, Any]) -> str:
    return f"{_name(_POSITIONS, state['option_num'])} {_name(WEEKDAYS, state['weekday'])}"


def _name(names: list[str], number: object, first_number: int = 0) -> str:
    return names[_number(number, low=first_number, high=first_number + len(names) - 1) - first_number]


def _number(value: object, *, low: int = 0, high: int = _MAX_NUMBER) -> int:
    if type(value) is not int or not low <= value <= high:
        raise RefusedPickleError("has an odd number in a field")
    return value


_WRITERS: Mapping[type[records.Record], Callable[[Mapping[str, Any]], str]] = {
    records.AllExpressionRecord: _all_text,
    records.RangeExpressionRecord: _range_text,
    records.MonthRangeExpressionRecord: _named_range_text(MONTHS, 1),
    records.WeekdayRangeExpressionRecord: _named_range_text(WEEKDAYS, 0),
    records.WeekdayPositionExpressionRecord: _position_text,
    records.LastDayOfMonthExpressionRecord: lambda _: "last",
}
