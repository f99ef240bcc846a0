"""The receiver that only records."""

import logging

import pytest

from adapters.record_dispatch import RecordingExecutionDispatch
from tests.dispatching import a_request


async def test_firing_is_told_in_the_log_without_its_inputs(caplog: pytest.LogCaptureFixture) -> None:
    """A newcomer reads which graph would start; inputs and credentials stay out; no id is made up."""
    caplog.set_level(logging.INFO, logger="adapters.record_dispatch")
    assert await RecordingExecutionDispatch().dispatch(a_request()) is None
    [record] = caplog.records
    assert record.getMessage() == "fired graph graph-1 version 3 (recorded only, nothing was started)"
    assert record.__dict__["job_id"] == "job-1"
    assert not [value for value in record.__dict__.values() if "a value to hide" in str(value)]
