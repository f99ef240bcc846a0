"""A next run can be written into a row in place, where nothing else depends on its ten bytes."""

import pickle
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from adapters.apscheduler.job_state import decode, encode, next_run_bytes
from ports.jobs import Job
from tests.unit.job_state_rows import DUE, Call, Global, dumps, next_run_offset, recorded, row, state

NEW_YORK = ZoneInfo("America/New_York")


def patched(job_state: bytes, when: datetime) -> bytes:
    """Return the row with another next run."""
    offset, raw = next_run_offset(job_state), next_run_bytes(when)
    assert offset is not None
    assert len(raw) == 10
    return job_state[:offset] + raw + job_state[offset + len(raw) :]


def stored(trigger: object, when: datetime | None) -> bytes:
    """Return a row as APScheduler itself pickles it."""
    return pickle.dumps(state(trigger=trigger, next_run_time=when), 5)


def test_every_recorded_row_takes_another_next_run_and_nothing_else() -> None:
    """Patching gives what encoding the job with that next run gives."""
    for each in recorded():
        job = decode(each.id, each.job_state, each.next_run_time)
        assert isinstance(job, Job)
        if job.next_run_at is None:
            continue
        later = job.next_run_at + timedelta(days=200, microseconds=1)
        found = decode(each.id, patched(each.job_state, later), later.timestamp())
        again = decode(each.id, patched(encode(job), later), later.timestamp())
        assert isinstance(found, Job)
        assert found == again
        assert found.next_run_at == later
        assert (found.kwargs, found.trigger, found.options) == (job.kwargs, job.trigger, job.options)


@pytest.mark.parametrize("fold", [0, 1])
def test_the_fold_is_part_of_the_ten_bytes(fold: int) -> None:
    """Half past one comes twice when the clocks go back."""
    when = datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK, fold=fold)
    nine = datetime(2026, 7, 1, 9, tzinfo=NEW_YORK)
    found = pickle.loads(patched(stored(CronTrigger(minute=30, timezone=NEW_YORK), nine), when))
    assert found["next_run_time"].isoformat() == when.isoformat()


def test_what_we_write_can_be_patched_though_start_and_next_run_are_one() -> None:
    """A new interval is first due at its start, which must stay where it is."""
    start = datetime(2026, 11, 24, 9, tzinfo=ZoneInfo("UTC"))
    job = decode("a-job", stored(IntervalTrigger(hours=1, start_date=start), start), start.timestamp())
    assert isinstance(job, Job)
    later = pickle.loads(patched(encode(job), start + timedelta(hours=1)))
    assert later["trigger"].start_date == start
    assert later["next_run_time"] == start + timedelta(hours=1)


@pytest.mark.parametrize(
    "job_state",
    [
        pytest.param(stored(CronTrigger(timezone="UTC"), None), id="paused"),
        pytest.param(stored(IntervalTrigger(hours=1, start_date=DUE), DUE), id="start and next run are one object"),
        pytest.param(stored(DateTrigger(run_date=DUE), DUE), id="a single date"),
        pytest.param(stored(CronTrigger(timezone=NEW_YORK), DUE), id="a zone other than the trigger's"),
        pytest.param(stored(CronTrigger(timezone=NEW_YORK), DUE.astimezone(UTC)), id="no zone's name"),
        pytest.param(row()[:-1], id="half a row"),
        pytest.param(b"", id="nothing"),
        pytest.param(dumps([row()]), id="a row within a row"),
    ],
)
def test_a_row_whose_next_run_is_not_its_own_is_left_to_encoding(job_state: bytes) -> None:
    """Ten bytes alone would change something else, or not suffice."""
    assert next_run_offset(job_state) is None


def test_a_zone_object_of_pytz_is_not_kept_for_another_time() -> None:
    """It carries the offset of one half of the year."""
    zone = Call(Global("pytz", "_p"), "America/New_York", -18000, 0, "EST")
    raw = next_run_bytes(DUE)
    trigger = CronTrigger(timezone="UTC")
    trigger.timezone = zone
    assert (
        next_run_offset(row(trigger=trigger, next_run_time=Call(Global("datetime", "datetime"), raw, zone))) is None
    )


def test_bytes_that_look_like_the_end_of_a_row_are_not_patched() -> None:
    """A key that nobody reads may hold any bytes, and stand last."""
    job_state = stored(CronTrigger(timezone=NEW_YORK), datetime(2026, 1, 2, 3, 4, 5, tzinfo=NEW_YORK))
    offset = next_run_offset(job_state)
    assert offset is not None
    tail = job_state[job_state.rindex(b"\x8c\rnext_run_time", 0, offset) : -2]
    imitation = b"\x8c\x01x\x94C" + bytes([len(tail)]) + tail
    job = decode("a-job", job_state[:-2] + imitation + b"u.", 0.0)
    assert isinstance(job, Job)
    assert next_run_offset(job_state[:-2] + imitation + b"u.") is None
