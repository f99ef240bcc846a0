"""What goes where in the page's plots."""

from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

from domain.lookout.coming import ComingLoad
from domain.lookout.recent import Slot
from entrypoints.page import charts
from ports.firings import FiringState
from tests.contract.worlds import HOUR, NOW

MINUTE = timedelta(minutes=1)


def load(*, hours: dict[int, int], minutes: dict[int, int] | None = None) -> ComingLoad:
    """Return a load that is nothing but for these."""
    of_minutes = minutes or {}
    return ComingLoad(
        first_hour=NOW,
        hours=[hours.get(number, 0) for number in range(168)],
        first_minute=NOW,
        minutes=[of_minutes.get(number, 0) for number in range(60)],
        active=1,
        paused=0,
    )


def test_the_week_is_days_of_hours_of_the_clock() -> None:
    """Hours before and after it are not part of it."""
    rows = charts.heat_map(load(hours={0: 5, 13: 7}), ZoneInfo("Asia/Tokyo"))
    assert len(rows) == 8
    assert [cell.fires for cell in rows[0].cells[20:]] == [None, 5, 0, 0]
    assert rows[1].cells[10].fires == 7
    assert rows[-1].cells[21].fires is None


def test_a_rush_is_dark_and_a_calm_hour_light() -> None:
    """What is left of the first hour does not count for the scale, and an hour without a run has no shade."""
    (row, *_) = charts.heat_map(load(hours={0: 1, 1: 100, 2: 1000, 3: 0, 4: 550}), UTC)
    assert [cell.shade for cell in row.cells[12:17]] == [1, 1, 6, 0, 3]


def test_an_hour_that_the_clock_shows_twice_holds_both() -> None:
    """In New York on the first Sunday of November."""
    autumn = load(hours=dict.fromkeys(range(168), 1))
    begins = NOW.replace(month=10, day=31)
    rows = charts.heat_map(
        ComingLoad(begins, autumn.hours, begins, autumn.minutes, 1, 0), ZoneInfo("America/New_York")
    )
    (changed,) = [row for row in rows if row.day.isoformat() == "2026-11-01"]
    assert [cell.fires for cell in changed.cells[:4]] == [1, 2, 1, 1]


def test_the_top_of_the_hour_has_a_colour_of_its_own() -> None:
    """The rush leaps to the eye; a single run can be seen beside ten thousand."""
    bars = charts.minute_bars(load(hours={}, minutes={0: 10_000, 1: 1}), UTC)
    assert [(bar.kind, bar.height) for bar in bars[:3]] == [("peak", 90.0), ("coming", 2.0), ("coming", 0.0)]
    assert bars[0].title == "12:00: 10\u202f000 fire"


def test_outcomes_stand_on_each_other_and_stay_in_the_plot() -> None:
    """However small some are."""
    slot = Slot(NOW)
    slot.outcomes.update({FiringState.SUCCEEDED: 10_000, FiringState.FAILED: 1, FiringState.DEAD: 1})
    bars = charts.outcome_bars([slot, Slot(NOW + MINUTE)], UTC)
    assert [bar.kind for bar in bars] == ["succeeded", "failed", "dead"]
    assert all(bar.y >= 0 for bar in bars)


def test_a_lag_line_has_gaps_where_nothing_was_sent() -> None:
    """And says where it ended."""
    slots = [Slot(NOW + number * MINUTE) for number in range(4)]
    slots[0].lags[0] = slots[1].lags[5] = slots[3].lags[1] = 1
    half, _ = charts.lag_lines(slots)
    assert len(half.segments) == 2
    assert half.latest == 0.01


def test_marks_stand_at_round_times() -> None:
    """Where they belong."""
    marks = charts.hour_marks(NOW + 10 * MINUTE, NOW + 70 * MINUTE, UTC, every=timedelta(minutes=30))
    assert marks == [(200.0, "12:30"), (500.0, "13:00")]
    assert charts.hour_marks(NOW, NOW + HOUR, UTC, every=HOUR) == [(0.0, "12:00"), (600.0, "13:00")]
