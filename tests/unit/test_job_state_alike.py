"""Rows that begin like others before are read as if they had come alone."""

import pickle
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.apscheduler.alike import Beginnings
from adapters.apscheduler.depth import is_one_object
from adapters.apscheduler.job_state import decode_to_patch, decode_whole, encode
from ports.jobs import Job
from ports.triggers import CronTrigger
from tests.unit.job_state_rows import DUE, due, recorded, state

FRAMED = 11  # bytes before what the frame holds
ENOUGH = 5  # sightings, after which a beginning is known
ROWS = [(each.id, each.job_state, each.next_run_time) for each in recorded()]
HARMFUL = [
    pickle.BUILD,
    pickle.SETITEM,
    pickle.SETITEMS,
    pickle.APPEND,
    pickle.APPENDS,
    pickle.TUPLE,
    pickle.TUPLE1,
    pickle.TUPLE2,
    pickle.TUPLE3,
    pickle.MARK,
    pickle.EMPTY_DICT,
    pickle.EMPTY_LIST,
    pickle.NONE,
    pickle.REDUCE,
    pickle.NEWOBJ,
    pickle.MEMOIZE,
    pickle.NEXT_BUFFER,
    pickle.POP_MARK,
    pickle.STOP,
    b"\x8c\x07trigger",
    b"\x8c\x08executor\x94",
]


@pytest.fixture(autouse=True, scope="module")
def _known() -> None:
    """Make the beginnings of all rows known."""
    for row in ROWS * ENOUGH:
        decode_to_patch(*row)


def framed(job_state: bytes) -> bytes:
    """Return a row whose frame is as long as it says."""
    return job_state[:3] + (len(job_state) - FRAMED).to_bytes(8, "little") + job_state[FRAMED:]


def test_the_beginnings_of_recorded_rows_are_known_after_some() -> None:
    """Else the other tests here would show nothing."""
    beginnings = Beginnings()
    assert not any(beginnings.find(row_id, job_state) for row_id, job_state, _ in ROWS[:1])
    for _ in range(ENOUGH):
        known = [beginnings.find(row_id, job_state) for row_id, job_state, _ in ROWS]
    assert sum(each is not None for each in known) > len(ROWS) * 9 // 10


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_reads_the_same_whatever_came_before(row: tuple[str, bytes, float | None]) -> None:
    """Job, zone and the place of the next run."""
    assert repr(decode_to_patch(*row)) == repr(decode_whole(*row))


def test_rows_that_begin_alike_have_ids_arguments_and_next_runs_of_their_own() -> None:
    """Nothing but the trigger is one object."""
    trigger = CronTrigger("Europe/Berlin", minute="5")
    for number in range(2 * ENOUGH):
        when = datetime(2027, 1, 1, number, 5, tzinfo=ZoneInfo("Europe/Berlin"))
        found = decode_to_patch(
            f"id-{number:02d}", _row(f"id-{number:02d}", trigger, number, when), when.timestamp()
        )
        assert isinstance(found, tuple)
        job, _ = found
        assert (job.id, job.kwargs, job.next_run_at) == (f"id-{number:02d}", {"n": [number]}, when)
        job.kwargs["n"].append("mine")


def _row(job_id: str, trigger: CronTrigger, number: int, when: datetime) -> bytes:
    found = decode_whole("x", pickle.dumps(state(id="x"), 5), due())
    assert isinstance(found, tuple)
    base = found[0]
    return encode(Job(job_id, base.kind, "name", trigger, {"n": [number]}, when, base.options))


def test_a_trigger_that_refers_to_its_rows_id_is_each_rows_own() -> None:
    """The same bytes mean another zone where the id is another text."""
    for key in ["Europe/Berlin", "Europe/Vienna"] * ENOUGH:
        trigger = state()["trigger"].__class__.from_crontab("5 4 * * *", timezone=ZoneInfo(key))
        zone = _zone_of(trigger)
        job_state = pickle.dumps(state(id=zone.key, trigger=trigger, next_run_time=DUE.astimezone(zone)), 5)
        found = decode_to_patch(key, job_state, due())
        assert isinstance(found, tuple)
        assert isinstance(found[0].trigger, CronTrigger)
        assert found[0].trigger.timezone == key


def _zone_of(trigger: object) -> ZoneInfo:
    zone = trigger.timezone  # type: ignore[attr-defined]
    assert isinstance(zone, ZoneInfo)
    return zone


@settings(max_examples=1500, deadline=None)
@given(
    row=st.sampled_from(ROWS),
    edits=st.lists(
        st.tuples(
            st.integers(0, 5000),
            st.integers(0, 3),
            st.lists(
                st.one_of(
                    st.sampled_from(HARMFUL),
                    st.integers(0, 110).map(lambda number: b"h" + bytes([number])),
                    st.binary(min_size=1, max_size=2),
                ),
                max_size=4,
            ).map(b"".join),
        ),
        min_size=1,
        max_size=3,
    ),
    at_the_end=st.booleans(),
)
def test_a_damaged_or_hostile_row_reads_as_it_would_alone_and_changes_no_other(
    row: tuple[str, bytes, float | None], edits: list[tuple[int, int, bytes]], *, at_the_end: bool
) -> None:
    """Whatever is done to what rows share, each is read, or refused for a reason, as if it were the only one."""
    row_id, job_state, column = row
    before = repr(decode_whole(*row))
    begins = job_state.find(b"\x8c\x08executor\x94") if at_the_end else FRAMED
    for position, removed, inserted in edits:
        start = begins + position % (len(job_state) - begins)
        job_state = job_state[:start] + inserted + job_state[start + removed :]
    for changed in (job_state, framed(job_state)):
        assert repr(decode_to_patch(row_id, changed, column)) == repr(decode_whole(row_id, changed, column))
    assert repr(decode_to_patch(*row)) == before


@pytest.mark.parametrize(
    ("opcodes", "is_one"),
    [
        (b"N", True),
        (b"}", True),
        (b"(NNt", True),
        (b"}(NNu", True),
        (b"NN\x86", True),
        (b"", False),
        (b"NN", False),
        (b"\x86", False),
        (b"N\x86", False),
        (b"t", False),
        (b"t(N", False),
        (b"u", False),
        (b"(u", False),
        (b"b", False),
        (b"(N", False),
        (b"N.", False),
        (b"1", False),
        (b"\x94", False),
        (b"h", False),
        (b"\x8c\x05abc", False),
    ],
)
def test_opcodes_that_reach_below_or_leave_more_than_one_are_told(opcodes: bytes, is_one: bool) -> None:  # noqa: FBT001
    """A beginning has to be one object that stands by itself, for others to be loaded behind it."""
    assert is_one_object(opcodes) is is_one
