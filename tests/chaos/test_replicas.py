"""Replicas that share work without being told to."""

import asyncio
import itertools
import time
import uuid
from datetime import UTC, datetime, timedelta

from adapters.memory.clock import SystemClock
from adapters.postgres.database import Database
from adapters.postgres.jobs import PostgresJobStore
from ports.jobs import Job, JobKind, StoreName
from ports.triggers import DateTrigger
from tests.chaos.conftest import Start, together
from tests.chaos.ledger import await_settled, cursor_on, eventually
from tests.chaos.receiver import ChaosReceiver
from tests.chaos.schedules import rush
from tests.postgres import SCHEMA

_TASK_FIRINGS = f"""
    SELECT scheduled_at, coalesced, attempts FROM {SCHEMA}.scheduler_firings
    WHERE job_id = 'report_late_executions' AND attempts > 0 ORDER BY scheduled_at
"""


def test_system_tasks_run_once_across_replicas(start: Start, database: str, receiver: ChaosReceiver) -> None:
    """Three replicas with the same system task each second: each due time is one call of its neighbour."""
    settings = {
        "EXECUTION_LATE_NOTIFICATION_THRESHOLD_SECS": "1",
        "DATABASE_API_PORT": str(receiver.port),
        "NOTIFICATION_SERVICE_PORT": str(receiver.port),
    }
    services = together(start, 3, database, "--system-tasks", **settings)
    asked = "/get_graph_executions"
    receiver.wait_for(lambda: sum(call.path == asked for call in receiver.calls) >= 3)
    for service in services:
        assert service.stop() == 0
    with cursor_on(database) as cursor:
        cursor.execute(_TASK_FIRINGS)
        found = cursor.fetchall()
    assert len(found) == sum(call.path == asked for call in receiver.calls)
    times = [scheduled_at for scheduled_at, _, _ in found]
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(times)]
    assert [1 + coalesced for _, coalesced, _ in found[1:]] == gaps


def test_a_sleeping_replica_is_woken_for_what_another_adds(
    start: Start, database: str, receiver: ChaosReceiver
) -> None:
    """A schedule that another replica adds, due before anything else, fires on time: NOTIFY, not the poll."""
    service = start(database)
    for added in (1, 2, 3):
        due = datetime.now(UTC) + timedelta(seconds=0.5)
        asyncio.run(add_as_another_replica(database, due))
        receiver.wait_for_calls(added, seconds=5)  # the poll would come after fifteen seconds
        assert time.time() - due.timestamp() < 2
    assert service.stop() == 0


async def add_as_another_replica(url: str, due: datetime) -> None:
    """Store a schedule as any replica would."""
    database = Database(url, schema=SCHEMA)
    store = PostgresJobStore(StoreName.EXECUTION, database=database, clock=SystemClock())
    kwargs = {
        "user_id": "u",
        "graph_id": "g",
        "graph_version": 1,
        "cron": "",
        "input_data": {},
        "input_credentials": {},
    }
    try:
        await store.put(
            Job(
                id=uuid.uuid4().hex,
                kind=JobKind.EXECUTE_GRAPH,
                name="n",
                trigger=DateTrigger(run_at=due),
                kwargs=kwargs,
                next_run_at=due,
            )
        )
    finally:
        await database.aclose()


def test_replicas_that_come_and_go_share_the_work(start: Start, database: str, receiver: ChaosReceiver) -> None:
    """Two replicas with room for ten calls each: both have calls under way during the same rush."""
    settings = {"SCHEDULER_MAX_IN_FLIGHT": "10"}
    services = together(start, 2, database, **settings)
    receiver.delay_secs = 0.05
    rush(database, 400)
    eventually(lambda: len(owners(database)) == 2)
    await_settled(database)
    for service in services:
        claimed = metric(service.client.get("/metrics").text, "scheduler_claimed_total")
        assert claimed >= 0.3 * 400
        assert service.stop() == 0


def metric(text: str, name: str) -> float:
    """Return a metric's value from the exposition text."""
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


def owners(url: str) -> set[str]:
    """Return the replicas that have firings in hand."""
    with cursor_on(url) as cursor:
        cursor.execute(f"SELECT DISTINCT owner FROM {SCHEMA}.scheduler_firings WHERE owner IS NOT NULL")
        return {owner for (owner,) in cursor.fetchall()}
