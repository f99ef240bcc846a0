"""Whatever is sent, nothing breaks: properties of the three endpoints of schedules."""

import json
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

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
