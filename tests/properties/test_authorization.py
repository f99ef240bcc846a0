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
from domain.models import GraphExecutionJobArgs, ScheduleChanges
from domain.runs import ScheduleRuns
from domain.schedules import Schedules
from ports.firings import FiringRecord
from ports.jobs import Job, StoreName

NOW = datetime(2026, 11, 23, 14, 28, 30, tzinfo=UTC)
VICTIM = "victim"
SECRET = "the victim's own"

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


@dataclass(frozen=True)
class Call:
    """Any of the calls that name a schedule, made with an id that may be anybody's."""

    name: str
    user_id: str
    schedule_id: str


@dataclass(frozen=True)
class Take:
    """Add under an id that may be anybody's."""

    user_id: str
    schedule_id: str


NAMES = ["get", "update", "pause", "resume", "run_now", "backfill", "preview", "history", "all history"]
CRON = st.sampled_from(["0 9 * * *", "* * * * *", "0 0 30 2 *", "nonsense"])
CALLS = st.lists(
    st.builds(Add, user_id=ATTACKERS, graph_id=st.sampled_from(["g1", "g2"]), name=st.none() | IDS, cron=CRON)
    | st.builds(Delete, user_id=ATTACKERS, schedule_id=IDS)
    | st.builds(Call, name=st.sampled_from(NAMES), user_id=ATTACKERS, schedule_id=IDS)
    | st.builds(Take, user_id=ATTACKERS, schedule_id=IDS)
    | st.builds(Look, user_id=st.none() | ATTACKERS | st.just(VICTIM), graph_id=st.none() | st.just("g1")),
    max_size=12,
)


def arguments(user_id: str, graph_id: str, cron: str) -> GraphExecutionJobArgs:
    """Return what a schedule of a user runs."""
    return GraphExecutionJobArgs(user_id=user_id, graph_id=graph_id, graph_version=1, cron=cron, input_data={})


class World:
    """The use cases, and every answer that an attacker gets other than from a list, which anybody may ask for."""

    def __init__(self) -> None:
        self.clock = SettableClock(NOW)
        self.ledger = MemoryFiringLedger(self.clock)
        self.jobs = MemoryJobStore(StoreName.EXECUTION, ledger=self.ledger)
        self.schedules = Schedules(
            jobs=self.jobs,
            clock=self.clock,
            default_timezone="UTC",
            dialect=CronDialect.STANDARD,
            new_id=map("id{}".format, itertools.count(1)).__next__,
        )
        self.runs = ScheduleRuns(
            jobs=self.jobs,
            ledger=self.ledger,
            clock=self.clock,
            default_timezone="UTC",
            dialect=CronDialect.STANDARD,
        )
        self.answers: list[object] = []

    async def make(self, call: Add | Delete | Look | Call | Take) -> None:
        """Make a call and take its refusal for an answer."""
        schedules = self.schedules
        try:
            match call:
                case Add():
                    arguments_of_add = arguments(call.user_id, call.graph_id, call.cron)
                    self.answers.append(await schedules.add(arguments_of_add, name=call.name))
                case Delete():
                    self.answers.append(await schedules.delete(call.schedule_id, user_id=call.user_id))
                case Take():
                    taken = arguments(call.user_id, "g1", "0 9 * * *")
                    self.answers.append(await schedules.add(taken, schedule_id=call.schedule_id))
                case Call():
                    self.answers.append(await self._call(call.name, call.schedule_id, call.user_id))
                case Look():
                    async for _ in schedules.list(user_id=call.user_id, graph_id=call.graph_id):
                        pass
        except (DomainError, ValidationError) as error:
            self.answers.append(str(error))

    async def _call(self, name: str, schedule_id: str, user_id: str) -> object:
        match name:
            case "update":
                changes = ScheduleChanges(name="taken", cron="0 1 * * *", input_data={"taken": True})
                return await self.schedules.update(schedule_id, changes, user_id=user_id)
            case "backfill":
                window = {"begin": "2026-11-20", "end": "2026-11-21"}
                return await self.runs.backfill(schedule_id, user_id=user_id, **window)
            case "preview" | "history":
                return await getattr(self.runs, name)(schedule_id=schedule_id, user_id=user_id)
            case "all history":
                return await self.runs.history(user_id=user_id)
            case "run_now":
                return await self.runs.run_now(schedule_id, user_id=user_id)
        return await getattr(self.schedules, name)(schedule_id, user_id=user_id)

    def victims(self) -> tuple[dict[str, Job], list[FiringRecord]]:
        """Return what is the victim's: schedules and firings."""
        jobs = {job_id: job for job_id, job in self.jobs.jobs.items() if job.kwargs["user_id"] == VICTIM}
        firings = [entry.record for entry in self.ledger.entries.values() if entry.record.user_id == VICTIM]
        return jobs, firings


async def attack(calls: Sequence[Add | Delete | Look | Call | Take]) -> World:
    """Let a victim have two schedules, one of them paused, and a firing; then let an attacker make `calls`."""
    world = World()
    for cron in ("0 9 * * *", "*/5 * * * *"):
        secret = GraphExecutionJobArgs(
            user_id=VICTIM, graph_id="g1", graph_version=1, cron=cron, input_data={"k": SECRET}
        )
        await world.schedules.add(secret, name=SECRET)
    await world.runs.run_now("id1", user_id=VICTIM)
    await world.schedules.pause("id2", user_id=VICTIM, reason=SECRET)
    before = world.victims()
    for call in calls:
        await world.make(call)
    assert world.victims() == before
    return world


@given(calls=CALLS)
def test_no_sequence_of_calls_touches_or_shows_anothers_schedules(
    calls: list[Add | Delete | Look | Call | Take],
) -> None:
    """Whatever others call, the victim's schedules and firings stay as they were, and no answer tells of them."""
    world = asyncio.run(attack(calls))
    assert not any(SECRET in str(answer) or "*/5" in str(answer) for answer in world.answers)
