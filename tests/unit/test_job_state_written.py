"""What reading would not take back is not written, and what is written is what APScheduler would write."""

import pickle
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from adapters.apscheduler.job_state import FUNCTION_REFERENCES, decode, encode
from adapters.apscheduler.stock_triggers import stock_trigger
from adapters.apscheduler.triggers import own_zone
from ports.jobs import Job, JobKind
from ports.triggers import CronTrigger
from tests.unit.job_state_rows import due, row, state


@pytest.mark.parametrize(
    "kwargs",
    [
        {"a": (1,)},
        {"a": {1: 2}},
        {"a": b""},
        {"a": datetime(2026, 1, 1, tzinfo=UTC)},
        {"a": 10**4300},
        {"a": ["x" * 9_000_000] * 2},
    ],
    ids=lambda kwargs: type(kwargs["a"]).__name__,
)
def test_arguments_that_are_not_json_are_not_written(kwargs: dict[str, object]) -> None:
    """A row that only the writer could read would be lost."""
    job = decode("a-job", row(), due())
    assert isinstance(job, Job)
    with pytest.raises(ValueError, match="no row can hold this job"):
        encode(replace(job, kwargs=kwargs))


def test_arguments_nested_beyond_what_can_be_pickled_are_not_written() -> None:
    """Python gives up at a depth that depends on the stack; the answer is the same."""
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    job = decode("a-job", row(), due())
    assert isinstance(job, Job)
    with pytest.raises(ValueError, match="no row can hold this job"):
        encode(replace(job, kwargs={"input_data": nested}))


def test_a_row_of_ten_megabytes_is_written_and_read() -> None:
    """The largest body that the service takes still fits, be it text or numbers."""
    for value in ("я" * 5_000_000, list(range(1_000_000)), [{"a": n} for n in range(300_000)]):
        job = decode("a-job", pickle.dumps(state(kwargs={"input_data": value}), 5), due())
        assert isinstance(job, Job)
        assert decode("a-job", encode(job), due()) == job


def test_a_field_that_apscheduler_does_not_take_is_not_written() -> None:
    """The row would be unreadable for everybody."""
    job = decode("a-job", row(), due())
    assert isinstance(job, Job)
    for trigger in (CronTrigger("UTC", minute="61"), CronTrigger("Mars/Olympus"), CronTrigger("UTC", hour="noon")):
        with pytest.raises(ValueError, match=r"row can hold|Unrecognized|higher"):
            encode(replace(job, trigger=trigger))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "+05:30"])
@pytest.mark.parametrize("text", ["plain", "zone", "id", "func", "x" * 300, "\ud800", "y" * 40_000])
def test_a_job_is_pickled_as_a_whole_would_be_whoever_was_before(zone: str, text: str) -> None:
    """Byte for byte, whatever its parts have in common with others, with each other or with its trigger."""
    text = zone if text == "zone" else text
    for minute in ("1", "2", "1", "1-5", "1"):
        trigger = CronTrigger(zone, minute=minute)
        when = datetime(2027, 1, 1, 1, 1, tzinfo=own_zone(trigger))
        shared = {"text": text, "minute": minute, "list": [text, zone]}
        job_id = f"job-{minute}"
        for name in (text, "name", "minute", zone, job_id):
            job = Job(job_id, JobKind.EXECUTE_GRAPH, name, trigger, {"a": shared, "b": shared, name: 1}, when)
            assert encode(job) == _pickled_whole(job)


@pytest.mark.parametrize("job_id", ["job", "a", "", "id", "func", "trigger", "executor", "name", "zone"])
def test_an_id_that_is_one_object_with_another_part_is_written_once(job_id: str) -> None:
    """With a part of the arguments, or of what all jobs begin with."""
    trigger = CronTrigger("Europe/Berlin")
    zone = own_zone(trigger)
    assert isinstance(zone, ZoneInfo)
    job_id = zone.key if job_id == "zone" else job_id
    when = datetime(2027, 1, 1, 1, 1, tzinfo=zone)
    for kwargs in ({}, {"a": job_id}, {"a": [{job_id: job_id}]}):
        for name in ("some name", job_id):
            job = Job(job_id, JobKind.EXECUTE_GRAPH, name, trigger, kwargs, when)
            assert encode(job) == _pickled_whole(job)


def test_an_id_that_occurs_elsewhere_is_kept() -> None:
    """Whether or not it is one object with a part of the rest."""
    for job_id in ("id", "UTC", "executor", "name") * 2:
        when = datetime(2027, 1, 1, 1, 1, tzinfo=UTC)
        trigger, kwargs = CronTrigger("UTC"), {job_id: job_id}
        job = Job(job_id, JobKind.EXECUTE_GRAPH, "some name", trigger, kwargs, when)
        assert decode(job_id, encode(job), when.timestamp()) == replace(job, next_run_at=when)


def _pickled_whole(job: Job) -> bytes:
    assert job.next_run_at is not None
    return pickle.dumps(
        {
            "version": 1,
            "id": job.id,
            "func": FUNCTION_REFERENCES[job.kind],
            "trigger": stock_trigger(job.trigger),
            "executor": job.options.executor,
            "args": (),
            "kwargs": job.kwargs,
            "name": job.name,
            "misfire_grace_time": None,
            "coalesce": True,
            "max_instances": 1,
            "next_run_time": job.next_run_at.replace(),
        },
        5,
    )


def test_jobs_of_equal_triggers_keep_bounds_in_their_own_zones() -> None:
    """Two bounds may be equal and read different."""
    for name in ("UTC", "Europe/Berlin") * 2:
        end = datetime(2027, 6, 1, 12, tzinfo=UTC).astimezone(ZoneInfo(name))
        trigger = CronTrigger(name, end_at=end)
        job = Job("job", JobKind.EXECUTE_GRAPH, "name", trigger, {}, datetime(2027, 1, 1, tzinfo=ZoneInfo(name)))
        found = decode("job", encode(job), job.next_run_at.timestamp() if job.next_run_at else None)
        assert repr(found) == repr(job)
