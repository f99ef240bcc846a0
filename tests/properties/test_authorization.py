"""No sequence of calls by one user touches another's schedules."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.memory.clock import SettableClock
from adapters.memory.firings import MemoryFiringLedger
from adapters.memory.jobs import MemoryJobStore
from domain.cron import CronDialect
from domain.errors import DomainError
from domain.models import GraphExecutionJobArgs
from domain.schedules import Schedules
from ports.jobs import Job, StoreName

NOW = datetime(2026, 11, 23, 14, 28, 30, tzinfo=UTC)
VICTIM = "victim"

# Ids that exist (the first ones belong to the victim), ids that nobody has, and the victim's own name.
IDS = st.sampled_from(["id1", "id2", "id3", "id4", "id5", "ID1", "id1 ", "", "id1\0", VICTIM]) | st.text(max_size=5)
ATTACKERS = st.sampled_from(["attacker", "", "VICTIM", "victim ", "victim\0", "%"]) | st.text(max_size=8).filter(
    lambda user: user != VICTIM
)


@dataclass(frozen=True)
class Add:
    """Add a schedule of one's own, of any graph, under any name."""

    user_id: str
    graph_id: str
    name: str | None
    cron: str


@dataclass(frozen=True)
class Delete:
    """Delete by an id that may be anybody's."""

    user_id: str
    schedule_id: str


@dataclass(frozen=True)
class Look:
    """List, also what is the victim's."""

    user_id: str | None
    graph_id: str | None


CRON = st.sampled_from(["0 9 * * *", "* * * * *", "0 0 30 2 *", "nonsense"])
CALLS = st.lists(
    st.builds(Add, user_id=ATTACKERS, graph_id=st.sampled_from(["g1", "g2"]), name=st.none() | IDS, cron=CRON)
    | st.builds(Delete, user_id=ATTACKERS, schedule_id=IDS)
    | st.builds(Look, user_id=st.none() | ATTACKERS | st.just(VICTIM), graph_id=st.none() | st.just("g1")),
    max_size=12,
)


def arguments(user_id: str, graph_id: str, cron: str) -> GraphExecutionJobArgs:
    """Return what a schedule of a user runs."""
    return GraphExecutionJobArgs(user_id=user_id, graph_id=graph_id, graph_version=1, cron=cron, input_data={})


async def make(schedules: Schedules, call: Add | Delete | Look) -> None:
    """Make a call and take its refusal for an answer."""
    try:
        if isinstance(call, Add):
            await schedules.add(arguments(call.user_id, call.graph_id, call.cron), name=call.name)
        elif isinstance(call, Delete):
            await schedules.delete(call.schedule_id, user_id=call.user_id)
        else:
            async for _ in schedules.list(user_id=call.user_id, graph_id=call.graph_id):
                pass
    except (DomainError, ValidationError):
        return


async def attack(calls: Sequence[Add | Delete | Look]) -> tuple[dict[str, Job], dict[str, Job]]:
    """Let a victim add two schedules and an attacker make `calls`; return the victim's jobs before and after."""
    clock = SettableClock(NOW)
    jobs = MemoryJobStore(StoreName.EXECUTION, ledger=MemoryFiringLedger(clock))
    schedules = Schedules(
        jobs=jobs,
        clock=clock,
        default_timezone="UTC",
        dialect=CronDialect.STANDARD,
        new_id=map("id{}".format, itertools.count(1)).__next__,
    )
    for cron in ("0 9 * * *", "*/5 * * * *"):
        await schedules.add(arguments(VICTIM, "g1", cron))
    before = dict(jobs.jobs)
    for call in calls:
        await make(schedules, call)
    after = {job_id: job for job_id, job in jobs.jobs.items() if job.kwargs["user_id"] == VICTIM}
    return before, after


@given(calls=CALLS)
def test_no_sequence_of_calls_touches_anothers_schedules(calls: list[Add | Delete | Look]) -> None:
    """Whatever other users add, delete and list, the victim's schedules stay exactly as they were."""
    before, after = asyncio.run(attack(calls))
    assert after == before
