"""What stock APScheduler makes of a job store: run by its own interpreter, one command a process.

    python worker.py restore URL    the jobs that it restores
    python worker.py fire URL       the calls it makes until each job that is due has had its turn
    python worker.py write URL      add a job of every kind, and say what they are

Answers are JSON on standard output.
"""

import json
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from types import ModuleType
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, EVENT_JOB_MISSED
from apscheduler.job import Job
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

# The platform's functions that rows name: its package is not here, so each gets a stand-in that records calls.
REFERENCES = [
    "backend.executor.scheduler:execute_graph",
    "backend.executor.scheduler:cleanup_expired_files",
    "backend.monitoring.late_execution_monitor:report_late_executions",
    "backend.monitoring.block_error_monitor:report_block_error_rates",
    "backend.monitoring.notification_monitor:process_existing_batches",
    "backend.monitoring.notification_monitor:process_weekly_summary",
]
EXECUTE_GRAPH, CLEANUP = REFERENCES[:2]
PATIENCE_SECS = 30
SEEN_FROM = [datetime(2027, 1, 31, 12, 34, 56, 789, UTC), datetime(2028, 2, 28, 23, 59, 59, 0, UTC)]
KWARGS = {
    "user_id": "użytkownik",
    "graph_id": "g",
    "graph_version": 3,
    "cron": "as typed",
    "input_data": {"a": [1, 2.5, None, True, 10**30, {"b": "\u0000"}]},
    "input_credentials": {},
}


calls: list[dict[str, Any]] = []


def stand_in(reference: str) -> None:
    """Make `reference` importable."""
    path, _, name = reference.partition(":")

    def called(**kwargs: Any) -> None:
        calls.append({"func": reference, "kwargs": kwargs})

    parts = path.split(".")
    for depth in range(1, len(parts) + 1):
        module = ".".join(parts[:depth])
        sys.modules.setdefault(module, ModuleType(module))
    setattr(sys.modules[path], name, called)


def scheduler_on(url: str) -> BackgroundScheduler:
    """Return a scheduler with one job store, not started."""
    return BackgroundScheduler(jobstores={"default": SQLAlchemyJobStore(url=url)}, timezone=UTC)


def instant(moment: datetime | None) -> str | None:
    """Return an instant in UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat()


def zone_name(zone: Any) -> str:
    """Return a zone's name, as zoneinfo or pytz have it, or its offset."""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if name is None and zone is not UTC:
        return str(zone.utcoffset(datetime(2026, 1, 1)))  # noqa: DTZ001  the zone is what is asked
    return name or "UTC"


def meaning(trigger: Any) -> dict[str, Any]:
    """Return what a trigger is, in words that don't depend on version or zone library."""
    if isinstance(trigger, (OrTrigger, AndTrigger)):
        return {
            "kind": type(trigger).__name__,
            "jitter": trigger.jitter,
            "parts": [meaning(part) for part in trigger.triggers],
        }
    if isinstance(trigger, DateTrigger):
        return {"kind": "date", "at": instant(trigger.run_date)}
    common = {
        "zone": zone_name(trigger.timezone),
        "start": instant(trigger.start_date),
        "end": instant(trigger.end_date),
        "jitter": trigger.jitter,
    }
    if isinstance(trigger, IntervalTrigger):
        return {**common, "kind": "interval", "every": str(trigger.interval), "secs": trigger.interval_length}
    return {**common, "kind": "cron", "fields": {field.name: str(field) for field in trigger.fields}}


def next_fire_times(trigger: Any) -> list[str | None]:
    """Return when a trigger is due next, seen from several moments; nothing where it is drawn by lot."""
    if getattr(trigger, "jitter", None) or isinstance(trigger, (OrTrigger, AndTrigger)):
        return []
    return [instant(trigger.get_next_fire_time(None, moment)) for moment in SEEN_FROM]


def described(job: Job) -> dict[str, Any]:
    """Return what a job is."""
    return {
        "id": job.id,
        "func": job.func_ref,
        "trigger": meaning(job.trigger),
        "next_fire_times": next_fire_times(job.trigger),
        "args": list(job.args),
        "kwargs": job.kwargs,
        "name": job.name,
        "options": [job.executor, job.misfire_grace_time, job.coalesce, job.max_instances],
        "next_run_time": job.next_run_time and job.next_run_time.isoformat(),
    }


def restore(url: str) -> list[dict[str, Any]]:
    """Load every job, as a scheduler that starts does; what it can't restore it deletes."""
    scheduler = scheduler_on(url)
    scheduler.start(paused=True)
    jobs = [described(job) for job in scheduler.get_jobs()]
    scheduler.shutdown()
    return jobs


def fire(url: str) -> dict[str, Any]:
    """Run the scheduler until each job that is due has been run, or failed, or was missed."""
    scheduler, done, events = scheduler_on(url), threading.Event(), []
    scheduler.start(paused=True)
    expected = {
        job.id for job in scheduler.get_jobs() if job.next_run_time and job.next_run_time <= datetime.now(UTC)
    }

    def heard(event: Any) -> None:
        events.append({"id": event.job_id, "at": instant(event.scheduled_run_time), "code": event.code})
        if {each["id"] for each in events} >= expected:
            done.set()

    scheduler.add_listener(heard, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR | EVENT_JOB_MISSED)
    scheduler.resume()
    finished = done.wait(PATIENCE_SECS)
    scheduler.shutdown()
    return {"finished": finished, "events": events, "calls": calls, "executed": EVENT_JOB_EXECUTED}


def write(url: str) -> list[dict[str, Any]]:
    """Add a job of every kind of trigger, in zones given by name, which each version takes its own way."""
    start, end = datetime(2026, 11, 24, 9, 0, 0, 123456, UTC), datetime(2031, 7, 1, tzinfo=UTC)
    triggers = {
        "crontab": CronTrigger.from_crontab("*/15 9-17 1-7,last * mon-fri", timezone="UTC"),
        "new-york": CronTrigger.from_crontab("30 1 * * *", timezone="America/New_York"),
        "every-field": CronTrigger(
            second="*/20",
            minute="5/15",
            hour="0-23/3,7",
            day="1st mon,last fri,last",
            month="jan-mar,11",
            year="2026-2040",
            week="1-52",
            day_of_week="0-4",
            timezone="Asia/Kolkata",
        ),
        "bounded": CronTrigger(hour=9, timezone="America/New_York", start_date=start, end_date=end, jitter=30),
        "fixed": CronTrigger(hour=9, timezone=timezone(timedelta(hours=5, minutes=45))),
        "interval": IntervalTrigger(days=3, seconds=1.5, start_date=start, end_date=end, timezone="Europe/London"),
        "interval-utc": IntervalTrigger(hours=6, start_date=end, timezone="UTC"),
        "date": DateTrigger(run_date=end, timezone="UTC"),
        "date-zone": DateTrigger(run_date="2031-07-01 09:00:00", timezone="America/New_York"),
        "or": OrTrigger([CronTrigger(hour=9, timezone="Asia/Tokyo"), IntervalTrigger(hours=5, start_date=end)]),
        "and": AndTrigger(
            [CronTrigger(hour=9, timezone="UTC"), CronTrigger(day=1, hour=9, timezone="UTC")], jitter=5
        ),
    }
    scheduler = scheduler_on(url)
    scheduler.start(paused=True)
    for job_id, trigger in triggers.items():
        scheduler.add_job(EXECUTE_GRAPH, trigger, id=job_id, kwargs=KWARGS)
    scheduler.add_job(EXECUTE_GRAPH, triggers["crontab"], id="0a1b2c3d-0000-4000-8000-000000000000", kwargs=KWARGS)
    scheduler.add_job(EXECUTE_GRAPH, triggers["crontab"], id="paused", kwargs=KWARGS, next_run_time=None)
    scheduler.add_job(
        CLEANUP,
        triggers["interval-utc"],
        id="options",
        name="another",
        misfire_grace_time=None,
        coalesce=False,
        max_instances=7,
        executor="default",
    )
    jobs = [described(job) for job in scheduler.get_jobs()]
    scheduler.shutdown()
    return jobs


if __name__ == "__main__":
    command, store = sys.argv[1:]
    for each in REFERENCES:
        stand_in(each)
    print(json.dumps({"restore": restore, "fire": fire, "write": write}[command](store)))  # noqa: T201  its answer
