"""Times and zones: from loaded records to the standard library's, and zones to and from their names."""

import re
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from adapters.apscheduler import records
from adapters.apscheduler.opcodes import RefusedPickleError

_FIXED_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)(?::(\d\d))?", re.ASCII)
_PROTOCOL = 5
_FOLD = 0x80
_RAW_BYTES = 10


@lru_cache(maxsize=1024)
def zone(name: str) -> tzinfo:
    """Return the zone that the port names `name`: an IANA key or an offset such as `+05:30`.

    Raises RefusedPickleError when there is none.
    """
    fixed = _FIXED_OFFSET.fullmatch(name)
    if fixed is None:
        return _database_zone(name)
    hours, minutes, seconds = (int(part or 0) for part in fixed.groups()[1:])
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    try:
        return timezone(-offset if fixed[1] == "-" else offset)
    except ValueError:
        raise RefusedPickleError("has an odd offset") from None


@lru_cache(maxsize=1024)
def _database_zone(key: str) -> ZoneInfo:
    try:
        return ZoneInfo(key)
    except (OSError, ValueError, LookupError):  # not a file, not a zone's file, not a path within, not there
        raise RefusedPickleError("has a time zone that is not known here") from None


def zone_name(record: object) -> str:
    """Return how the port names a loaded zone. Raises RefusedPickleError when this machine lacks it."""
    if type(record) is records.NamedZone:
        _database_zone(record.key)
        return record.key
    if type(record) is not records.FixedZone:
        raise RefusedPickleError("has an odd time zone")
    offset = span(record.offset)
    if abs(offset) >= timedelta(days=1) or offset.microseconds:
        raise RefusedPickleError("has an odd offset")
    if not offset:
        return "UTC"
    minutes, seconds = divmod(int(abs(offset).total_seconds()), 60)
    text = f"{'-' if offset < timedelta(0) else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{seconds:02d}" if seconds else text


def span(record: object) -> timedelta:
    """Return a loaded duration. Raises RefusedPickleError."""
    if type(record) is not records.Span:
        raise RefusedPickleError("has an odd duration")
    try:
        return timedelta(record.days, record.seconds, record.microseconds)
    except OverflowError:
        raise RefusedPickleError("has an odd duration") from None


def moment(record: object) -> datetime:
    """Return a loaded date in its own zone. Raises RefusedPickleError."""
    if type(record) is not records.Moment or len(record.raw) != _RAW_BYTES:
        raise RefusedPickleError("has an odd date")
    raw, where = record.raw, zone(zone_name(record.zone))
    utc_offset = record.zone.utc_offset if type(record.zone) is records.NamedZone else None
    try:
        # Taken apart here, since `datetime(raw)` looks at nothing but the month.
        year, month, day = raw[0] << 8 | raw[1], raw[2] & ~_FOLD, raw[3]
        hour, minute, second, microsecond = raw[4], raw[5], raw[6], int.from_bytes(raw[7:], "big")
        fold = int(raw[2] >= _FOLD)
        local = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=where, fold=fold)
        if utc_offset is None:
            return local
        return local.replace(tzinfo=timezone(timedelta(seconds=utc_offset))).astimezone(where)
    except (ValueError, OverflowError):
        raise RefusedPickleError("has an odd date") from None


def moment_bytes(moment: datetime) -> bytes:
    """Return the ten bytes that stand for `moment` in a pickle: local time and fold, without the zone."""
    raw = moment.__reduce_ex__(_PROTOCOL)[1][0]
    assert isinstance(raw, bytes)
    return raw
