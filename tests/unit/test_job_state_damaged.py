"""Whatever the bytes of a row, reading it has an answer."""

from time import process_time

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.apscheduler.job_state import decode, encode
from ports.jobs import Job
from tests.unit.job_state_rows import PATIENCE_SECS, next_run_offset, recorded, refused

START = b"\x80\x05"
ROWS = [(each.id, each.job_state, each.next_run_time) for each in recorded()]


@given(job_state=st.binary(max_size=200))
def test_random_bytes_are_quarantined(job_state: bytes) -> None:
    """Whatever the bytes, decode answers."""
    refused(job_state)
    refused(START + job_state)
    assert next_run_offset(START + job_state) is None


@settings(max_examples=500)
@given(
    row=st.sampled_from(ROWS),
    edits=st.lists(st.tuples(st.integers(0), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=4),
    column=st.none() | st.floats(),
)
def test_a_damaged_row_is_read_or_left_alone(
    row: tuple[str, bytes, float | None], edits: list[tuple[int, int, bytes]], column: float | None
) -> None:
    """Whatever the damage, decode answers in time, and what it reads can be written and read again."""
    row_id, job_state, _ = row
    for position, removed, inserted in edits:
        start = position % len(job_state)
        job_state = job_state[:start] + inserted + job_state[start + removed :]
    began = process_time()
    found = decode(row_id, job_state, column)
    assert process_time() - began < PATIENCE_SECS
    if isinstance(found, Job):
        again = encode(found)
        assert repr(decode(row_id, again, column)) == repr(found)
    else:
        assert found.id == row_id
        assert found.detail
