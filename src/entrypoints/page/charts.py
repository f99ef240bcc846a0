"""Plots as the server draws them: what goes where in an SVG, so that the page needs no script to show them.

Everything is in a box of `WIDTH` by a plot's own height; templates write it out, classes give it its colours.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from domain.lookout.coming import ComingLoad
from domain.lookout.recent import Slot
from entrypoints.page.words import clock, grouped, lag_of, link, seconds
from ports.firings import FiringRecord, FiringState
from ports.overview import LAG_STEPS

WIDTH = 600.0
BARS_HEIGHT = 90.0
STRIP_HEIGHT = 70.0
_SHORTEST_BAR = 2.0
_SHADES = 6
_STACKED = (
    (FiringState.SUCCEEDED, "succeeded"),
    (FiringState.LEASED, "leased"),
    (FiringState.WAITING, "waiting"),
    (FiringState.HELD, "held"),
    (FiringState.FAILED, "failed"),
    (FiringState.DEAD, "dead"),
    (FiringState.CANCELLED, "cancelled"),
    (FiringState.DROPPED, "dropped"),
)
_LAG_LINES = ((0.5, "p50"), (0.99, "p99"))


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, its class, what it says when pointed at, and where it leads."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str
    href: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One hour of the heat map; `fires` is None for an hour that is not within the week to come."""

    fires: int | None
    shade: int


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One day of the heat map, by hours of the clock."""

    day: date
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class LagLine:
    """How late a share of the dispatches was, over time; `points` may have gaps, so it is several lines."""

    kind: str
    segments: Sequence[str]
    latest: float | None


def heat_map(load: ComingLoad, zone: tzinfo) -> list[HeatRow]:
    """Return the week to come as days of hours in `zone`; an hour that the clock repeats holds both."""
    fires: dict[tuple[date, int], int] = {}
    for number, count in enumerate(load.hours):
        at = (load.first_hour + timedelta(hours=number)).astimezone(zone)
        fires[at.date(), at.hour] = fires.get((at.date(), at.hour), 0) + count
    whole = [count for count in load.hours[1:] if count]  # of the first hour only what is left counts
    lowest, most = min(whole, default=0), max(whole, default=0)
    days = sorted({day for day, _ in fires})
    return [HeatRow(day, [_cell(fires.get((day, hour)), lowest, most) for hour in range(24)]) for day in days]


def _cell(fires: int | None, lowest: int, most: int) -> Cell:
    """Shade an hour by where it stands between the calmest and the busiest, so that a rush stands out."""
    if not fires:
        return Cell(fires, 0)
    share = (fires - lowest) / max(most - lowest, 1)
    return Cell(fires, 1 + round((_SHADES - 1) * min(max(share, 0.0), 1.0)))


def minute_bars(load: ComingLoad, zone: tzinfo) -> list[Bar]:
    """Return how many schedules fire in each minute of the next hour."""
    most = max(load.minutes) or 1
    width = WIDTH / len(load.minutes)
    bars = []
    for number, fires in enumerate(load.minutes):
        at = (load.first_minute + timedelta(minutes=number)).astimezone(zone)
        height = _height(fires, most, BARS_HEIGHT)
        kind = "peak" if at.minute == 0 else "coming"
        title = f"{at:%H:%M}: {grouped(fires)} {'fires' if fires == 1 else 'fire'}"
        bars.append(Bar(number * width, BARS_HEIGHT - height, width - 1, height, kind, title))
    return bars


def outcome_bars(slots: Sequence[Slot], zone: tzinfo) -> list[Bar]:
    """Return stacked bars of what became of the firings in each slot."""
    most = max((slot.total for slot in slots), default=0) or 1
    width = WIDTH / len(slots)
    bars: list[Bar] = []
    for number, slot in enumerate(slots):
        y = BARS_HEIGHT
        begin = slot.begins_at.astimezone(zone)
        for state, kind in _STACKED:
            count = slot.outcomes[state]
            if count:
                height = min(_height(count, most, BARS_HEIGHT), y)
                y -= height
                title = (
                    f"{begin:%H:%M}: {grouped(count)} {kind if state is not FiringState.LEASED else 'under way'}"
                )
                bars.append(Bar(number * width, y, max(width - 1, 1), height, kind, title))
    return bars


def lag_lines(slots: Sequence[Slot]) -> list[LagLine]:
    """Return the median and the 99th percentile of the lag, on a logarithmic scale."""
    return [_lag_line(kind, [slot.lag(share) for slot in slots]) for share, kind in _LAG_LINES]


def _lag_line(kind: str, lags: Sequence[float | None]) -> LagLine:
    width = WIDTH / len(lags)
    segments: list[list[str]] = [[]]
    for number, lag in enumerate(lags):
        if lag is None:
            segments.append([])
        else:
            y = lag_y(lag)
            segments[-1] += [f"{number * width:.1f},{y:.1f}", f"{(number + 1) * width:.1f},{y:.1f}"]
    latest = next((lag for lag in reversed(lags) if lag is not None), None)
    return LagLine(kind, [" ".join(points) for points in segments if points], latest)


def lag_y(lag: float) -> float:
    """Return how far from the top a lag is drawn."""
    return BARS_HEIGHT * (1 - _lag_share(lag))


def _lag_share(lag: float) -> float:
    low, high = math.log(LAG_STEPS[0]), math.log(LAG_STEPS[-1])
    return min(max((math.log(max(lag, LAG_STEPS[0])) - low) / (high - low), 0.0), 1.0)


LAG_MARKS = [(lag_y(lag), seconds(lag)) for lag in (0.01, 0.1, 1.0, 10.0, 60.0, 600.0)]
"""Lines of the lag's scale."""


def history_strip(records: Iterable[FiringRecord]) -> list[Bar]:
    """Return a schedule's firings, the oldest first: colour says the outcome, height how late it was sent."""
    ordered = sorted(records, key=lambda record: record.scheduled_at)
    width = min(WIDTH / max(len(ordered), 1), 14.0)
    bars = []
    for number, record in enumerate(ordered):
        lag = lag_of(record)
        share = 0.0 if lag is None else _lag_share(lag.total_seconds())
        height = 12 + (STRIP_HEIGHT - 12) * share
        said = f"{clock(record.scheduled_at)}: {record.state.value}, lag {seconds(lag)}"
        href = link("/ui/firing", id=record.id)
        bars.append(Bar(number * width, STRIP_HEIGHT - height, width - 1, height, record.state.value, said, href))
    return bars


def hour_marks(first: datetime, last: datetime, zone: tzinfo, *, every: timedelta) -> list[tuple[float, str]]:
    """Return where round times stand between two, in percent of the width."""
    span = (last - first).total_seconds()
    steps = int(span // every.total_seconds())
    step = every.total_seconds()
    offset = -first.timestamp() % step
    marks = []
    for number in range(steps + 1):
        at = first + timedelta(seconds=offset + number * step)
        if at <= last:
            marks.append((WIDTH * (at - first).total_seconds() / span, f"{at.astimezone(zone):%H:%M}"))
    return marks


def _height(count: int, most: int, height: float) -> float:
    return max(height * count / most, _SHORTEST_BAR) if count else 0.0
