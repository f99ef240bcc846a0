"""How values are written on the page: times, lags, numbers."""

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from ports.firings import FiringRecord, FiringState

LONGEST_INPUT = 64 * 1024

STATE_WORDS = {
    FiringState.LEASED: "under way",
    FiringState.WAITING: "waiting",
    FiringState.HELD: "held",
    FiringState.SUCCEEDED: "succeeded",
    FiringState.FAILED: "failed",
    FiringState.DEAD: "dead",
    FiringState.CANCELLED: "cancelled",
    FiringState.DROPPED: "dropped",
}
STATE_MEANINGS = {
    FiringState.LEASED: "A replica is at it.",
    FiringState.WAITING: "It is tried again when its time has come.",
    FiringState.HELD: "The receiver seems to be the wrong one; it is tried again once that is put right.",
    FiringState.SUCCEEDED: "The receiver has it.",
    FiringState.FAILED: "The receiver refused it for good.",
    FiringState.DEAD: "It was retried until the deadline and given up.",
    FiringState.CANCELLED: "Its schedule was deleted or paused before it was sent.",
    FiringState.DROPPED: "It was later than SCHEDULER_MISFIRE_GRACE_SECS allows.",
}
RESENDABLE = frozenset({FiringState.FAILED, FiringState.DEAD, FiringState.HELD})

_UNITS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
_THOUSAND = 1000
_SHOWN_DIGITS = 10


def moment(value: datetime | str | None) -> datetime | None:
    """Return a time that may come as ISO 8601."""
    if isinstance(value, str):
        return datetime.fromisoformat(value) if value else None
    return value


def iso(value: datetime | str) -> str:
    """Write a time for machines, with its offset."""
    found = moment(value)
    return "" if found is None else found.isoformat()


def clock(value: datetime | str) -> str:
    """Write a time in its own zone, to the second."""
    found = moment(value)
    if found is None:
        return ""
    name = found.tzname() or ""
    return f"{found:%a} {found:%Y-%m-%d %H:%M:%S} {name}".strip()


def seconds(value: float | timedelta | None) -> str:
    """Write a length of time in the unit that suits it."""
    if value is None:
        return "–"  # noqa: RUF001  a dash for nothing
    length = value.total_seconds() if isinstance(value, timedelta) else value
    size = abs(length)
    if size < 1:
        return f"{length * 1000:.0f} ms"
    unit, name = next((unit, name) for unit, name in _UNITS if size >= unit)
    number = length / unit
    return f"{number:.1f} {name}" if abs(number) < _SHOWN_DIGITS and number % 1 else f"{number:.0f} {name}"


def lag_of(record: FiringRecord) -> timedelta | None:
    """Return how long after its due time a firing was sent."""
    return None if record.dispatched_at is None else record.dispatched_at - record.scheduled_at


def short(number: int) -> str:
    """Write a number in at most four characters."""
    if number < _THOUSAND:
        return str(number)
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            shown = number / size
            return f"{shown:.1f}{letter}" if shown < _SHOWN_DIGITS and number % size else f"{int(shown)}{letter}"
    return str(number)


def grouped(number: int) -> str:
    """Write a number with its thousands apart."""
    return f"{number:,}".replace(",", "\u202f")


def pretty(value: Any) -> tuple[str, bool]:
    """Write input data for people; say whether it was cut."""
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = "It is nested too deeply to be shown."
    return text[:LONGEST_INPUT].encode("utf-8", "replace").decode(), len(text) > LONGEST_INPUT


def link(path: str, **query: Any) -> str:
    """Write an address of the page's own; what is empty is left out."""
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given, errors='replace')}" if given else path
