"""How the wall-clock times of a day map to instants where the clock changes, as Debian's cron treats it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

SECOND = timedelta(seconds=1)
_DAY_SECONDS = 24 * 60 * 60
_LONGEST_CAUGHT_UP_GAP = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Span:
    """A day's seconds from `begin` up to `end`, by the wall clock, and when they come.

    A second comes that many seconds after `origin` (UTC). Seconds that the clock skips all come together, at
    `origin`.
    """

    begin: int
    end: int
    origin: datetime
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class _Change:
    at: datetime
    before: timedelta
    after: timedelta


@lru_cache(maxsize=8192)
def spans_of(zone: tzinfo, day: date, *, follows_clock: bool) -> tuple[Span, ...]:
    """Return a day's spans, in the order in which they come: one where no clock changes, none for a lost day.

    A fixed time in a gap of under three hours comes right after the gap, and one in an overlap comes once, the
    first time. One that follows the clock comes whenever the clock shows it (design.md section 5).
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    change = _change_on(zone, midnight)
    if change is None:
        return (Span(0, _DAY_SECONDS, midnight - _offset(zone, midnight)),)
    leaves = (change.at + change.before - midnight) // SECOND
    enters = (change.at + change.after - midnight) // SECOND
    spans = [Span(0, leaves, midnight - change.before)]
    if not follows_clock and enters - leaves < _LONGEST_CAUGHT_UP_GAP // SECOND:
        spans.append(Span(leaves, enters, change.at, skipped=True))
    resumes = enters if follows_clock else max(leaves, enters)
    spans.append(Span(resumes, _DAY_SECONDS, midnight - change.after))
    clipped = (Span(max(span.begin, 0), min(span.end, _DAY_SECONDS), span.origin, span.skipped) for span in spans)
    return tuple(span for span in clipped if span.begin < span.end)


def _offset(zone: tzinfo, wall: datetime, *, fold: int = 0) -> timedelta:
    return wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta(0)


def _change_on(zone: tzinfo, midnight: datetime) -> _Change | None:
    """Return the clock change that touches the day (given as its midnight by the wall clock, marked UTC).

    The instant is found by halving, since zoneinfo doesn't tell; changes happen at whole seconds.
    """
    before = _offset(zone, midnight)
    after = _offset(zone, midnight + _DAY_SECONDS * SECOND, fold=1)
    if before == after:
        return None
    margin = abs(after - before)
    start = midnight - before - margin
    low, high = 0, (midnight + _DAY_SECONDS * SECOND - after + margin - start) // SECOND
    while high - low > 1:
        middle = (low + high) // 2
        if (start + middle * SECOND).astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return _Change(start + high * SECOND, before, after)
