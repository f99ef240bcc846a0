"""Whatever is sent, nothing breaks: properties of the endpoints of schedules and runs."""

import json
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.apscheduler.job_state import decode, encode
from adapters.memory.clock import SettableClock
from adapters.memory.firings import MemoryFiringLedger
from adapters.memory.jobs import MemoryJobStore
from ports.jobs import StoreName
from tests.rpc.serving import ADD, NOW, World, in_process

LISTING = "/get_graph_execution_schedules"
PATHS = st.sampled_from(["/add_graph_execution_schedule", "/delete_graph_execution_schedule", LISTING])
# Unlike hypothesis' own default, lone surrogates belong to the text that JSON's escapes can spell.
TEXT = st.text(st.characters() | st.characters(categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from([*ADD, "name", "user_timezone", "schedule_id"])
# A good add with some fields replaced, so that most of it gets past the first mistake.
NEARLY_GOOD = st.dictionaries(FIELDS, VALUES, max_size=2).map(lambda changes: {**ADD, **changes})
INPUT_ONLY = st.dictionaries(TEXT, VALUES, max_size=3).map(lambda data: {**ADD, "input_data": data})
BODIES = (NEARLY_GOOD | INPUT_ONLY | VALUES).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=30)


@settings(max_examples=150, deadline=None)
@given(path=PATHS, body=BODIES)
async def test_any_body_is_answered_and_leaves_lists_working(path: str, body: bytes) -> None:
    """A body is answered or refused, never a failure; what was stored is what was answered, and can be listed."""
    ledger = MemoryFiringLedger(SettableClock(NOW))
    jobs = MemoryJobStore(StoreName.EXECUTION, ledger=ledger)
    async with in_process(World(jobs, ledger).app()) as client:
        answer = await client.post(path, content=body)
        assert answer.status_code in {200, 400, 422}
        assert_shape(answer)
        listed = await client.post(LISTING, content=b"{}")
        assert listed.status_code == 200
        added = [answer.json()] if answer.status_code == 200 and path != LISTING else []
        assert listed.json() == added
        assert len(jobs.jobs) == len(added)


def assert_shape(answer: httpx.Response) -> None:
    """Check that an answer is JSON of a shape that the platform's clients know."""
    value: Any = answer.json()
    if answer.status_code == 422:
        assert all(set(mistake) >= {"type", "loc", "msg", "input"} for mistake in value["detail"])
    elif answer.status_code == 400:
        assert list(value) in (["type", "args"], ["detail"])


CALLS = st.sampled_from(
    [
        *("/get_graph_execution_schedule", "/update_graph_execution_schedule", "/pause_graph_execution_schedule"),
        *("/resume_graph_execution_schedule", "/run_graph_execution_schedule_now", "/preview_schedule"),
        *("/backfill_graph_execution_schedule", "/get_schedule_firings", "/add_graph_execution_schedule"),
    ]
)
CALL_FIELDS = st.sampled_from(
    [
        *(
            "cron",
            "run_at",
            "user_timezone",
            "start_at",
            "end_at",
            "jitter_secs",
            "input_data",
            "input_credentials",
        ),
        *("name", "graph_version", "reason", "by", "from", "to", "count", "after", "states", "limit", "before_id"),
        *("schedule_id", "user_id"),
    ]
)
LIKELY = VALUES | st.sampled_from(
    [
        *(
            "* * * * *",
            "0 9 * * 1",
            "2026-11-01",
            "2026-12-01T09:00",
            "9999-12-31T23:59:59Z",
            "0001-01-01T00:00:00",
        ),
        *("Europe/Warsaw", "UTC", 1, 1000, ["failed"], "s", "u1"),
    ]
)
KNOWN = {"schedule_id": "s", "user_id": "u1"}


@settings(max_examples=300, deadline=None)
@given(
    path=CALLS,
    changes=st.dictionaries(CALL_FIELDS, LIKELY, max_size=4),
    base=st.sampled_from([KNOWN, {**ADD, **KNOWN}, {**KNOWN, "from": "2026-11-01", "to": "2026-11-20"}, {}]),
)
async def test_any_call_about_a_schedule_is_answered_and_leaves_lists_working(
    path: str, changes: dict[str, Any], base: dict[str, Any]
) -> None:
    """Whatever is changed, the schedule can be shown after, and its row can be written and read as stock's."""
    ledger = MemoryFiringLedger(SettableClock(NOW))
    jobs = MemoryJobStore(StoreName.EXECUTION, ledger=ledger)
    async with in_process(World(jobs, ledger).app()) as client:
        await client.post("/add_graph_execution_schedule", json={**ADD, **KNOWN})
        answer = await client.post(path, content=json.dumps({**base, **changes}).encode())
        assert answer.status_code in {200, 400, 422}
        assert_shape(answer)
        shown = await client.post("/get_graph_execution_schedule", json=KNOWN)
        assert shown.status_code == 200
        listed = await client.post(LISTING, content=b'{"include_paused": true}')
        assert shown.json() in listed.json()
        for job in jobs.jobs.values():
            column = None if job.next_run_at is None else job.next_run_at.timestamp()
            assert decode(job.id, encode(job), column) == job
