"""What reading would not take back is not written."""

import pickle
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.apscheduler.job_state import decode, encode
from ports.jobs import Job
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
