"""The cron bench: what an expression means, and what the original would have made of it."""

import pytest

from domain.lookout.cron_bench import COLUMNS, try_cron
from tests.contract.worlds import NOW


def test_what_both_read_the_same_way_does_not_differ() -> None:
    """With words and ten runs."""
    trial = try_cron("0 9 * * *", timezone="UTC", now=NOW)
    assert trial.ours.meaning == "At 09:00, every day"
    assert len(trial.ours.runs) == 10
    assert not trial.differ


def test_weekday_numbers_differ_by_a_day() -> None:
    """The original's Monday is 0."""
    trial = try_cron("0 9 * * 1", timezone="UTC", now=NOW)
    assert trial.differ
    assert (trial.ours.meaning, trial.original.meaning) == ("At 09:00, on Mondays", "At 09:00, on Tuesdays")


@pytest.mark.parametrize("cron", ["@daily", "0 9 * * 7"])
def test_what_only_we_read_is_refused_by_the_original(cron: str) -> None:
    """It says so, and ours goes on."""
    trial = try_cron(cron, timezone="UTC", now=NOW)
    assert trial.ours.runs
    assert trial.original.refusal
    assert trial.differ


@pytest.mark.parametrize(
    ("cron", "field"),
    [("61 * * * *", "minute"), ("* 24 * * *", "hour"), ("* * 32 * *", "day"), ("* * * x *", "month")],
)
def test_a_refusal_points_at_the_field(cron: str, field: str) -> None:
    """By one of the names of the columns."""
    refused = try_cron(cron, timezone="UTC", now=NOW).ours
    assert refused.refusal
    assert refused.field == field
    assert field in COLUMNS


def test_a_zone_that_is_none_is_the_field_at_fault() -> None:
    """Whatever the expression."""
    assert try_cron("* * * * *", timezone="Mars/Base", now=NOW).ours.field == "timezone"


def test_runs_are_marked_where_the_clock_has_changed() -> None:
    """Only there; and the notes say what happens to what falls into the change."""
    trial = try_cron("30 2 1,28 * *", timezone="Europe/Warsaw", now=NOW)
    marked = [run.at.date().isoformat() for run in trial.ours.runs if run.clock_changed]
    assert marked == ["2027-03-28"]
    assert "On 2027-03-28 the clock skips 02:00 to 03:00" in trial.ours.notes[0]
