"""Rows that the original wrote are read as what they mean, and written again as they were."""

import ast
import datetime as dt
import re
import zoneinfo
from typing import Any

import pytest

from adapters.apscheduler.job_state import FUNCTION_REFERENCES, decode, encode
from ports.jobs import Job
from ports.triggers import CronTrigger, IntervalTrigger
from tests.unit.job_state_rows import Recorded, next_run_offset, recorded

ROWS = list(recorded())


def job_of(row: Recorded) -> Job:
    """Return what the codec makes of a row that it must be able to read."""
    job = decode(row.id, row.job_state, row.next_run_time)
    assert isinstance(job, Job)
    return job


def trigger_state(row: Recorded) -> dict[str, Any]:
    """Return the trigger's recorded state, its fields as (name, text)."""

    def field(name: str, text: str) -> tuple[str, str]:
        return name, text

    names = {f"{kind}Field": field for kind in ("Base", "Month", "DayOfMonth", "Week", "DayOfWeek")}
    written: dict[str, Any] = eval(row.decoded["trigger_state"], {"datetime": dt, "zoneinfo": zoneinfo, **names})
    return written


def test_there_are_rows_of_every_setting() -> None:
    """The recordings are where the tests look for them."""
    assert len(ROWS) == 99


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.decoded["trigger_repr"])
def test_a_recorded_row_reads_as_it_was_decoded(row: Recorded) -> None:
    """Trigger, function, arguments and options are those that APScheduler itself found in the row."""
    job, seen = job_of(row), row.decoded
    assert job.id == row.id
    assert FUNCTION_REFERENCES[job.kind] == seen["func"]
    assert job.name == seen["name"]
    assert repr(job.options.args) == seen["args"]
    assert job.kwargs == ast.literal_eval(re.sub(r"<\w+\.\w+: ('[^']*')>", r"\1", seen["kwargs_repr"]))
    assert (job.options.executor, job.options.misfire_grace_time) == (seen["executor"], seen["misfire_grace_time"])
    assert (job.options.coalesce, job.options.max_instances) == (seen["coalesce"], seen["max_instances"])
    assert (job.next_run_at and job.next_run_at.isoformat()) == seen["next_run_time"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.decoded["trigger_repr"])
def test_a_recorded_trigger_reads_as_its_state(row: Recorded) -> None:
    """Every field has the text that APScheduler gives it, and every date is the recorded one in its zone."""
    job, written = job_of(row), trigger_state(row)
    trigger = job.trigger
    assert isinstance(trigger, CronTrigger | IntervalTrigger)
    assert trigger.timezone == written["timezone"].key
    assert (trigger.end_at, trigger.jitter) == (written["end_date"], written["jitter"])
    if isinstance(trigger, IntervalTrigger):
        assert trigger.interval == written["interval"]
        assert trigger.start_at.isoformat() == written["start_date"].isoformat()
    else:
        assert trigger.start_at is written["start_date"] is None
        assert [(name, getattr(trigger, name)) for name, _ in written["fields"]] == written["fields"]


@pytest.mark.parametrize("row", [row for row in ROWS if row.response], ids=lambda row: row.decoded["trigger_repr"])
def test_a_recorded_schedule_holds_what_the_original_answered(row: Recorded) -> None:
    """The answer to the call that made a schedule can be given again from its row."""
    job, answered = job_of(row), dict(row.response or {})
    assert job.next_run_at is not None
    # Some fired between the answer and the recording of the row.
    assert dt.datetime.fromisoformat(answered.pop("next_run_time")) <= job.next_run_at
    assert answered == {**job.kwargs, "id": job.id, "name": job.name}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.decoded["trigger_repr"])
def test_a_recorded_row_keeps_its_meaning_when_written_again(row: Recorded) -> None:
    """Reading what we wrote gives what we had read."""
    job = job_of(row)
    assert decode(row.id, encode(job), row.next_run_time) == job


def test_recorded_rows_without_enums_are_written_byte_for_byte() -> None:
    """Whoever compares a row before and after finds no difference, since the library writes what it wrote then."""
    changed = [row for row in ROWS if encode(job_of(row)) != row.job_state]
    assert len(changed) == 5
    assert all("ProviderName" in row.decoded["kwargs_repr"] for row in changed)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.decoded["trigger_repr"])
def test_a_recorded_row_can_be_patched_unless_it_is_paused(row: Recorded) -> None:
    """The fast path applies to all that the original writes for jobs that have a next run."""
    assert (next_run_offset(row.job_state) is None) == (row.next_run_time is None)
