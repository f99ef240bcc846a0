"""What a start registers for the system tasks, and what it leaves as it is."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.apscheduler.job_state import decode, encode
from domain.errors import InvalidScheduleError
from domain.system_tasks import MonitoringSettings, reconcile, system_jobs
from ports.jobs import Job, JobKind, StockOptions, StoreName
from ports.triggers import CronTrigger, IntervalTrigger
from tests.shared import SHARED

NOW = datetime(2026, 11, 23, 14, 27, 40, 672962, tzinfo=UTC)
SETTINGS = MonitoringSettings(
    late_threshold_secs=300,
    late_checkrange_secs=3600,
    block_error_threshold=0.5,
    block_error_interval_secs=86400,
    include_top_blocks=3,
    cleanup_interval_hours=6,
    weekly_cron="0 * * * *",
)
LATE = "report_late_executions"


def recorded(job_id: str) -> list[dict[str, Any]]:
    """Return the original's rows of a system task, one for each zone that it ran in."""
    rows = map(json.loads, (SHARED / "compat" / "jobs.jsonl").read_bytes().splitlines())
    return [row for row in rows if row["id"] == job_id]


def jobs(
    settings: MonitoringSettings = SETTINGS, *, now: datetime = NOW, timezone: str = "UTC"
) -> dict[str, tuple[StoreName, Job]]:
    """Return the system tasks' jobs by id, each with its store."""
    wanted = system_jobs(settings, now=now, timezone=timezone)
    return {job.id: (store, job) for store, of_store in wanted.items() for job in of_store}


def late_job(settings: MonitoringSettings = SETTINGS, *, now: datetime = NOW, timezone: str = "UTC") -> Job:
    """Return the job of a task that runs at intervals."""
    return jobs(settings, now=now, timezone=timezone)[LATE][1]


def weekly_job(cron: str = "0 * * * *", *, now: datetime = NOW) -> Job:
    """Return the job of the task that runs by a cron expression."""
    return jobs(replace(SETTINGS, weekly_cron=cron), now=now)["process_weekly_summary"][1]


def every(seconds: int, *, settings: MonitoringSettings = SETTINGS) -> MonitoringSettings:
    """Return settings with another interval of the late executions' report."""
    return replace(settings, late_threshold_secs=seconds)


def test_the_four_tasks_are_in_the_stores_of_the_specification() -> None:
    """Batches are not scheduled by default; the weekly summary lives in the memory store."""
    assert {job_id: store for job_id, (store, _) in jobs().items()} == {
        LATE: StoreName.EXECUTION,
        "report_block_error_rates": StoreName.EXECUTION,
        "cleanup_expired_files": StoreName.EXECUTION,
        "process_weekly_summary": StoreName.WEEKLY_NOTIFICATIONS,
    }


@pytest.mark.parametrize("job_id", [LATE, "report_block_error_rates", "cleanup_expired_files"])
def test_a_first_start_registers_what_the_original_did(job_id: str) -> None:
    """Same function, name, interval, zone and first run as every recorded row; no grace that nobody chose."""
    rows = recorded(job_id)
    assert len(rows) == 4
    for row in rows:
        stored = decode(row["id"], _bytes(row), row["next_run_time"])
        assert isinstance(stored, Job)
        assert isinstance(stored.trigger, IntervalTrigger)
        assert stored.next_run_at is not None
        registered_at = (stored.next_run_at - stored.trigger.interval).astimezone(UTC)
        wanted = jobs(now=registered_at, timezone=stored.trigger.timezone)[job_id][1]
        assert wanted == replace(stored, options=StockOptions())
        assert str(wanted.next_run_at) == str(stored.next_run_at)


def test_the_weekly_summary_runs_hourly() -> None:
    """Its cron is a setting, hourly as specified by default; the first run is the next full hour."""
    job = weekly_job()
    assert job.name == "process_weekly_summary"
    assert job.kind is JobKind.PROCESS_WEEKLY_SUMMARY
    assert job.trigger == CronTrigger(timezone="UTC", minute="0")
    assert job.next_run_at == datetime(2026, 11, 23, 15, tzinfo=UTC)


def test_a_job_holds_plain_text_and_can_be_written() -> None:
    """No class of ours gets into a row: an unmodified APScheduler reads it back."""
    for _, job in jobs().values():
        assert type(job.id) is type(job.name) is str
        assert decode(job.id, encode(job), None) == replace(job, next_run_at=None)


def test_a_cron_that_can_not_be_read_is_refused() -> None:
    """A weekly cron that is no cron stops the start."""
    with pytest.raises(InvalidScheduleError):
        weekly_job("often")


def test_a_task_that_is_not_there_is_registered() -> None:
    """The first start stores the job as it is."""
    assert reconcile(None, late_job(), now=NOW) == late_job()


@pytest.mark.parametrize("later", [timedelta(seconds=1), timedelta(hours=5), timedelta(days=400)])
def test_a_restart_keeps_a_tasks_phase(later: timedelta) -> None:
    """With unchanged settings nothing is stored, so the next run stays, also one that is overdue."""
    now = NOW + later
    assert reconcile(late_job(), late_job(now=now), now=now) is None


def test_another_zone_changes_no_interval() -> None:
    """Intervals mean the same in every zone, so that a zone set later does not move them."""
    assert reconcile(late_job(timezone="Etc/UTC"), late_job(timezone="Asia/Kolkata"), now=NOW) is None


def test_rows_of_the_original_are_kept() -> None:
    """After a switch over, the tasks that the original stored go on in their phase."""
    for job_id in (LATE, "report_block_error_rates", "cleanup_expired_files"):
        for row in recorded(job_id):
            stored = decode(row["id"], _bytes(row), row["next_run_time"])
            assert isinstance(stored, Job)
            assert reconcile(stored, jobs(timezone="Europe/Berlin")[job_id][1], now=NOW) is None


def test_a_shorter_interval_begins_at_once() -> None:
    """The next run comes one new interval from now when the stored one is later."""
    stored = late_job(every(86400))
    now = NOW + timedelta(hours=1)
    changed = reconcile(stored, late_job(every(60), now=now), now=now)
    assert changed is not None
    assert changed.next_run_at == now + timedelta(minutes=1)
    assert changed.trigger == IntervalTrigger(timedelta(minutes=1), now + timedelta(minutes=1), "UTC")


def test_a_longer_interval_keeps_the_run_that_was_due_sooner() -> None:
    """The stored run comes first, and the new intervals count from it."""
    stored = late_job()
    now = NOW + timedelta(minutes=1)
    changed = reconcile(stored, late_job(every(86400), now=now), now=now)
    assert changed is not None
    assert changed.next_run_at == stored.next_run_at
    assert changed.trigger == IntervalTrigger(timedelta(days=1), NOW + timedelta(minutes=5), "UTC")


def test_a_changed_interval_goes_by_the_new_zone() -> None:
    """A rewritten job has its next run in its trigger's zone, as every job has."""
    stored = late_job()
    changed = reconcile(stored, late_job(every(86400), timezone="Asia/Kolkata"), now=NOW)
    assert changed is not None
    assert changed.next_run_at == stored.next_run_at
    assert str(changed.next_run_at).endswith("+05:30")


def test_a_changed_task_keeps_what_its_row_holds_besides() -> None:
    """Arguments and options that others wrote survive the new trigger."""
    stored = replace(late_job(), kwargs={"theirs": 1}, options=StockOptions(misfire_grace_time=1))
    changed = reconcile(stored, late_job(every(60)), now=NOW)
    assert changed is not None
    assert changed.kwargs == {"theirs": 1}
    assert changed.options == stored.options


@pytest.mark.parametrize("settings", [SETTINGS, every(60)])
def test_a_paused_task_stays_paused(settings: MonitoringSettings) -> None:
    """A restart does not undo what an operator did, whether or not the settings changed."""
    stored = replace(late_job(), next_run_at=None)
    changed = reconcile(stored, late_job(settings), now=NOW)
    assert changed == (None if settings is SETTINGS else replace(late_job(settings), next_run_at=None))


def test_an_interval_that_ends_or_jitters_is_another() -> None:
    """What the settings don't ask for is taken out."""
    wanted = late_job()
    assert isinstance(wanted.trigger, IntervalTrigger)
    for odd in (replace(wanted.trigger, end_at=NOW), replace(wanted.trigger, jitter=5)):
        assert reconcile(replace(wanted, trigger=odd), wanted, now=NOW) == wanted


def test_a_row_of_another_kind_is_replaced() -> None:
    """The task's id belongs to the task."""
    stored = replace(late_job(), kind=JobKind.EXECUTE_GRAPH, kwargs={"user_id": "u1"})
    assert reconcile(stored, late_job(), now=NOW) == late_job()


def test_a_cron_written_differently_is_unchanged() -> None:
    """`@hourly` is the default in other words."""
    assert reconcile(weekly_job(), weekly_job("@hourly", now=NOW + timedelta(hours=3)), now=NOW) is None


def test_a_changed_cron_runs_at_its_own_times() -> None:
    """The next run is the new expression's first, since the stored one may not be one of its times."""
    changed = reconcile(weekly_job(), weekly_job("30 9 * * 1"), now=NOW)
    assert changed == weekly_job("30 9 * * 1")
    assert changed is not None
    assert changed.next_run_at == datetime(2026, 11, 30, 9, 30, tzinfo=UTC)


def _bytes(row: dict[str, Any]) -> bytes:
    return base64.b64decode(row["job_state"])
