"""Lines about executions that were handed over."""

import asyncio
import logging
from datetime import UTC, datetime

import pytest

from entrypoints.firing_log import FiringLog
from ports.firings import Firing, FiringState, Outcome
from ports.jobs import JobKind

DUE = datetime(2026, 11, 27, 9, tzinfo=UTC)


def fired(job_id: str, kind: str = JobKind.EXECUTE_GRAPH) -> Firing:
    """Return a firing."""
    payload = {"user_id": "u", "graph_id": "g", "input_data": {"a": "a value to hide"}}
    return Firing(1, "execution", job_id, kind, DUE, DUE, payload)


def outcome(state: FiringState = FiringState.SUCCEEDED) -> Outcome:
    """Return what an attempt came to."""
    return Outcome(1, state, dispatched_at=DUE, finished_at=DUE, attempts=1, execution_id="e1")


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="entrypoints.firing_log")


def test_a_success_is_a_line_with_the_job_and_the_execution(caplog: pytest.LogCaptureFixture) -> None:
    """And without what the schedule's user put in."""
    FiringLog().observe(fired("j1"), outcome())
    [record] = caplog.records
    assert record.getMessage() == "fired graph g"
    assert (record.__dict__["job_id"], record.__dict__["execution_id"]) == ("j1", "e1")
    assert "a value to hide" not in str(record.__dict__)


def test_failures_and_system_tasks_are_left_to_others(caplog: pytest.LogCaptureFixture) -> None:
    """Those are logged where they happen."""
    log = FiringLog()
    log.observe(fired("j1"), outcome(FiringState.FAILED))
    log.observe(fired("cleanup_expired_files", JobKind.CLEANUP_EXPIRED_FILES), outcome())
    assert caplog.records == []


async def test_a_rush_is_twenty_lines_and_a_count(caplog: pytest.LogCaptureFixture) -> None:
    """The next second has its own twenty."""
    now = 5.0
    log = FiringLog(now=lambda: now, count_after_secs=0)
    for _ in range(1020):
        log.observe(fired("j1"), outcome())
    await asyncio.sleep(0.01)
    assert [record.getMessage() for record in caplog.records] == ["fired graph g"] * 20 + ["fired 1000 graphs more"]
    now = 6.0
    log.observe(fired("j2"), outcome())
    assert caplog.records[-1].__dict__["job_id"] == "j2"
