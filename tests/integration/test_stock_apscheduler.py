"""Rows that we write mean the same to unmodified APScheduler, and rows that it writes mean the same to us."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.apscheduler.job_state import (
    FUNCTION_REFERENCES,
    decode,
    encode,
    next_run_bytes,
)
from adapters.memory.clock import SettableClock
from domain.fire_times import next_fire_time, on_phase
from domain.firing.plan import firing_plan
from domain.notes import NOTES
from ports.jobs import Job, JobKind
from ports.triggers import CombinedTrigger, CronTrigger, DateTrigger, IntervalTrigger, Trigger
from tests.integration.stock.environments import VERSIONS, NotInstallableError, StockAPScheduler, stock_apscheduler
from tests.unit.job_state_rows import next_run_offset, recorded
from tests.unit.schedule_world import World, args

SEEN_FROM = [datetime(2027, 1, 31, 12, 34, 56, 789, UTC), datetime(2028, 2, 28, 23, 59, 59, 0, UTC)]
LATER = datetime(2031, 7, 1, 9, 0, 0, 123456, UTC)
NEW_YORK = ZoneInfo("America/New_York")
EITHER_DAY = "13,1st fri,2nd fri,3rd fri,4th fri,5th fri"
TRIGGERS: Mapping[str, Trigger] = {
    "either day": CronTrigger("UTC", minute="0", hour="9", day=EITHER_DAY),
    "weekdays": CronTrigger("UTC", minute="*/15", hour="9-17", day_of_week="mon,tue,wed,thu,fri"),
    "every field": CronTrigger(
        "Asia/Kolkata", "5/15", "0-23/3,7", "1st mon,last", "jan-mar,11", "0-4", "*/20", "1-52", "2026-2040"
    ),
    "leap day": CronTrigger("Etc/UTC", minute="0", hour="0", day="29", month="feb"),
    "offset": CronTrigger("+05:45", minute="0", hour="9"),
    "bounded": CronTrigger("America/New_York", start_at=LATER, end_at=LATER + timedelta(days=999), jitter=9),
    "overlap": CronTrigger("America/New_York", start_at=datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=NEW_YORK)),
    "interval": IntervalTrigger(timedelta(days=3, seconds=1, microseconds=500000), LATER, "UTC"),
    "interval with end": IntervalTrigger(timedelta(hours=5), LATER, "Europe/London", LATER + timedelta(days=99), 7),
    "date": DateTrigger(LATER.astimezone(NEW_YORK)),
    "or": CombinedTrigger("or", (CronTrigger("UTC", minute="0"), DateTrigger(LATER)), 3),
    "and": CombinedTrigger(
        "and", (CronTrigger("UTC", minute="0", hour="9"), CronTrigger("Asia/Tokyo", minute="0", hour="18", day="1"))
    ),
}
ARGUMENTS = {"user_id": "użytkownik", "input_data": {"a": [1, -0.0, None, True, 10**30, {"b": "\x00\ud800"}]}}


@pytest.fixture(scope="module", params=VERSIONS)
def stock(request: pytest.FixtureRequest) -> StockAPScheduler:
    """APScheduler as it comes from the index, in its own environment and process."""
    try:
        return stock_apscheduler(request.param)
    except NotInstallableError as error:
        pytest.skip(str(error))


class Store:
    """A table of job rows that both sides can open."""

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self._path = path
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS apscheduler_jobs"
                " (id VARCHAR(191) NOT NULL PRIMARY KEY, next_run_time FLOAT, job_state BLOB NOT NULL)"
            )

    def put(self, jobs: Iterable[Job], *, write: Callable[[Job], bytes] = encode) -> None:
        """Store jobs, replacing those of the same ids."""
        rows = [(job.id, job.next_run_at and job.next_run_at.timestamp(), write(job)) for job in jobs]
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO apscheduler_jobs VALUES (?, ?, ?)", rows)

    def jobs(self) -> dict[str, Job]:
        """Return all jobs, each of which must be readable."""
        with closing(sqlite3.connect(self._path)) as connection:
            rows = connection.execute("SELECT id, job_state, next_run_time FROM apscheduler_jobs").fetchall()
        found = {row_id: decode(row_id, state, column) for row_id, state, column in rows}
        assert all(isinstance(job, Job) for job in found.values()), found
        return {row_id: job for row_id, job in found.items() if isinstance(job, Job)}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty table."""
    return Store(tmp_path / "jobs.sqlite")


def schedule(job_id: str, trigger: Trigger, next_run_at: datetime | None = None) -> Job:
    """Return a schedule as the service makes it."""
    return Job(job_id, JobKind.EXECUTE_GRAPH, "execute_graph", trigger, ARGUMENTS, next_run_at)


def recorded_jobs() -> list[Job]:
    """Return the jobs of all recorded rows, under ids of their own."""
    jobs = (decode(row.id, row.job_state, row.next_run_time) for row in recorded())
    return [replace(job, id=f"{n:02}-{job.id}") for n, job in enumerate(jobs) if isinstance(job, Job)]


def instant(moment: datetime | None) -> str | None:
    """Return an instant as the worker writes it."""
    return None if moment is None else moment.astimezone(UTC).isoformat()


def meaning(trigger: Trigger) -> dict[str, Any]:
    """Return what a trigger is, in the worker's words."""
    match trigger:
        case CronTrigger():
            names = ("year", "month", "day", "week", "day_of_week", "hour", "minute", "second")
            own: dict[str, Any] = {"kind": "cron", "fields": {name: getattr(trigger, name) for name in names}}
        case IntervalTrigger():
            secs = trigger.interval.total_seconds()
            own = {"kind": "interval", "every": str(trigger.interval), "secs": secs}
        case DateTrigger():
            return {"kind": "date", "at": instant(trigger.run_at)}
        case CombinedTrigger():
            kind = {"or": "OrTrigger", "and": "AndTrigger"}[trigger.kind]
            return {"kind": kind, "jitter": trigger.jitter, "parts": [meaning(part) for part in trigger.triggers]}
    zone = {"+05:45": "5:45:00"}.get(trigger.timezone, trigger.timezone)
    bounds = {"start": instant(trigger.start_at), "end": instant(trigger.end_at)}
    return {"zone": zone, **bounds, "jitter": trigger.jitter, **own}


def described(job: Job) -> dict[str, Any]:
    """Return what a job is, in the worker's words."""
    options = job.options
    return {
        "id": job.id,
        "func": FUNCTION_REFERENCES[job.kind],
        "trigger": meaning(job.trigger),
        "args": list(options.args),
        "kwargs": job.kwargs,
        "name": job.name,
        "options": [options.executor, options.misfire_grace_time, options.coalesce, options.max_instances],
        "next_run_time": job.next_run_at and job.next_run_at.isoformat(),
    }


def by_id(answer: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the worker's answer without what it computed, by job."""
    return {each["id"]: {key: each[key] for key in each if key != "next_fire_times"} for each in answer}


def test_every_recorded_row_that_we_write_again_is_restored(stock: StockAPScheduler, store: Store) -> None:
    """An operator can go back to the original: it finds each job, as it was."""
    jobs = recorded_jobs()
    store.put(jobs)
    assert by_id(stock.run("restore", store.url)) == {job.id: described(job) for job in jobs}
    assert store.jobs().keys() == {job.id for job in jobs}


def test_every_kind_of_trigger_that_we_write_is_restored(stock: StockAPScheduler, store: Store) -> None:
    """Fields, zones, bounds, phases and parts arrive as they are in the port's records."""
    jobs = [schedule(name, trigger, LATER) for name, trigger in TRIGGERS.items()]
    jobs.append(schedule("paused", TRIGGERS["weekdays"]))
    store.put(jobs)
    jobs = list(store.jobs().values())
    assert by_id(stock.run("restore", store.url)) == {job.id: described(job) for job in jobs}


def test_both_sides_agree_on_the_next_fire_time(stock: StockAPScheduler, store: Store) -> None:
    """In UTC, where no clock is changed, what the domain computes is what APScheduler does with the row."""
    jobs = [job for job in recorded_jobs() if getattr(job.trigger, "timezone", "") in ("UTC", "Etc/UTC")]
    simple = ("either day", "weekdays", "leap day", "interval", "offset")
    jobs += [schedule(name, TRIGGERS[name], LATER) for name in simple]
    fields = ("*/7", "5/15", "0-0/5", "1-5,10-20/2,40", "59")
    jobs += [
        schedule(f"{n} {m}", CronTrigger("UTC", n, m.replace("40", "23").replace("59", "22")))
        for n in fields
        for m in fields
    ]
    never = [job.id for job in jobs if job.trigger == CronTrigger("UTC", "0", "0", "31", "2")]
    jobs = [job for job in jobs if job.id not in never]
    store.put(jobs)
    answered = {each["id"]: each["next_fire_times"] for each in stock.run("restore", store.url)}
    assert len(answered) == len(jobs) > 60
    for job in jobs:
        expected = [instant(next_fire_time(job.trigger, moment)) for moment in SEEN_FROM]
        assert answered[job.id] == expected, job.trigger


def test_what_we_write_is_fired(stock: StockAPScheduler, store: Store) -> None:
    """Every due job is run with its arguments, and moved on to a time that we can read; one-off jobs are gone."""
    now = datetime.now(UTC)
    due = now - timedelta(minutes=10, microseconds=1)
    # Not yet due by their bounds; and stock APScheduler never gets past the second time of an AndTrigger.
    triggers = {name: trigger for name, trigger in TRIGGERS.items() if name not in ("bounded", "overlap", "and")}
    jobs = [schedule(name, trigger, due) for name, trigger in triggers.items()]
    hourly = IntervalTrigger(timedelta(hours=1), due, "UTC")
    jobs += [replace(schedule(kind.value, hourly, due), kind=kind, kwargs={}) for kind in JobKind]
    jobs.append(schedule("not yet", TRIGGERS["weekdays"], now + timedelta(days=1)))
    jobs.append(schedule("paused", TRIGGERS["weekdays"]))
    store.put(jobs)

    fired = stock.run("fire", store.url)

    expected = [job for job in jobs if job.next_run_at == due]
    assert fired["finished"]
    assert {event["code"] for event in fired["events"]} == {fired["executed"]}
    assert sorted(event["id"] for event in fired["events"]) == sorted(job.id for job in expected)
    # It folds what was missed into the latest time that is due.
    assert all(due <= datetime.fromisoformat(event["at"]) <= datetime.now(UTC) for event in fired["events"])
    calls = [{"func": FUNCTION_REFERENCES[job.kind], "kwargs": dict(job.kwargs)} for job in expected]
    assert sorted(fired["calls"], key=json.dumps) == sorted(calls, key=json.dumps)
    left = store.jobs()
    assert {job.id for job in jobs} - left.keys() <= {"date"}
    assert all(left[job.id].next_run_at > now for job in expected if job.id in left)  # type: ignore[operator]


def test_what_it_writes_means_the_same_after_we_wrote_it(stock: StockAPScheduler, store: Store) -> None:
    """Every trigger, zone and option of that version, read and written here, is to it what it was."""
    written = stock.run("write", store.url)
    jobs = store.jobs()
    assert by_id(written) == {job.id: described(job) for job in jobs.values()} | {
        # The text that means what `0-23/3` of that field means, in a zone named by offset.
        job_id: by_id(written)[job_id]
        for job_id in ("fixed",)
    }
    assert len(jobs) == 14
    store.put(jobs.values())
    assert stock.run("restore", store.url) == written
    assert store.jobs() == jobs


def test_a_patched_row_is_restored_with_its_new_time(stock: StockAPScheduler, store: Store) -> None:
    """Ten bytes in place do what writing the whole row would."""
    jobs = [job for job in recorded_jobs() if job.next_run_at is not None]
    in_overlap = datetime(2030, 11, 3, 1, 30, tzinfo=NEW_YORK)
    jobs += [
        schedule(f"fold {fold}", CronTrigger("America/New_York"), in_overlap.replace(fold=fold)) for fold in (0, 1)
    ]

    def patched(job: Job) -> bytes:
        assert job.next_run_at is not None
        row = encode(replace(job, next_run_at=LATER))
        offset = next_run_offset(row)
        assert offset is not None
        return row[:offset] + next_run_bytes(job.next_run_at) + row[offset + 10 :]

    jobs = [
        replace(job, next_run_at=job.next_run_at + timedelta(days=100)) if job.next_run_at < in_overlap else job
        for job in jobs
        if job.next_run_at
    ]
    store.put(jobs, write=patched)
    assert by_id(stock.run("restore", store.url)) == {job.id: described(job) for job in jobs}


async def schedules_of_every_kind(now: datetime) -> list[Job]:
    """Return what our own ways of adding, pausing and resuming store."""
    world = World(clock=SettableClock(now))

    async def add(schedule_id: str, *, cron: str = "*/5 * * * *", **options: Any) -> None:
        await world.schedules.add(args(cron=cron), schedule_id=schedule_id, **options)

    soon = (now + timedelta(minutes=1)).isoformat()
    past, future = (now - timedelta(days=1)).isoformat(), (now + timedelta(days=99)).isoformat()
    await add("once", cron="", run_at=soon, user_timezone="America/New_York")
    await add("bounded", start_at=past, end_at=future, user_timezone="Europe/Warsaw")
    await add("jitter", jitter_secs=60, user_timezone="America/New_York")
    await add("bounded jitter", start_at=past, end_at=future, jitter_secs=200)
    await add("not yet", start_at=future, jitter_secs=10)
    await add("żółw \u2028 '\"")
    for schedule_id in ("paused", "resumed"):
        await add(schedule_id)
        await world.schedules.pause(schedule_id, user_id="u1", reason="Holidays \0", by="support")
    await world.schedules.resume("resumed", user_id="u1")
    return list(world.jobs.jobs.values())


async def test_schedules_in_our_own_ways_are_restored(stock: StockAPScheduler, store: Store) -> None:
    """Once, bounded, spread, paused, with notes: each is to stock what it is to us."""
    jobs = await schedules_of_every_kind(datetime.now(UTC))
    store.put(jobs)
    assert by_id(stock.run("restore", store.url)) == {job.id: described(job) for job in store.jobs().values()}
    paused = by_id(stock.run("restore", store.url))["paused"]
    assert paused["next_run_time"] is None
    assert paused["kwargs"][NOTES]["paused"]["reason"] == "Holidays \0"


async def test_schedules_in_our_own_ways_are_fired(stock: StockAPScheduler, store: Store) -> None:
    """Stock runs what is due, leaves alone what is paused or not yet begun, and we read what it wrote: unchanged
    but for the next run, which it spreads within the same window by lot.
    """
    now = datetime.now(UTC)
    due = now - timedelta(minutes=10, microseconds=1)
    jobs = [
        replace(job, next_run_at=due) if job.id not in ("paused", "not yet") else job
        for job in await schedules_of_every_kind(now)
    ]
    store.put(jobs)
    fired = stock.run("fire", store.url)
    assert fired["finished"]
    assert {event["code"] for event in fired["events"]} == {fired["executed"]}
    assert sorted(event["id"] for event in fired["events"]) == sorted(
        job.id for job in jobs if job.next_run_at == due
    )
    left = store.jobs()
    assert {job.id for job in jobs} - left.keys() == {"once"}
    for job in jobs:
        if job.id in left:
            assert left[job.id] == replace(job, next_run_at=left[job.id].next_run_at)
    for job_id in ("jitter", "bounded jitter"):
        job, lot = left[job_id], left[job_id].next_run_at
        assert lot is not None
        assert isinstance(job.trigger, CronTrigger)
        assert job.trigger.jitter is not None
        nominal = next_fire_time(replace(job.trigger, jitter=None), lot - timedelta(minutes=5))
        assert nominal is not None
        assert timedelta(0) <= lot - nominal < timedelta(seconds=job.trigger.jitter)
        following = firing_plan(None)(job.trigger, lot, lot).next_run_at
        assert following is not None
        assert on_phase(job.trigger, following) == following
        assert following - on_phase(job.trigger, lot) == timedelta(minutes=5)
    assert left["paused"].next_run_at is None
