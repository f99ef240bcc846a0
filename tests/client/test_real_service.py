"""Both clients against the service as operators run it."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from entrypoints.client import (
    InvalidRequestError,
    NotAuthorizedError,
    NotFoundError,
    RemoteCallError,
    SchedulerClient,
    SyncSchedulerClient,
)
from tests.client.conftest import Caller
from tests.postgres import session_server
from tests.running import ROOT, RunningService, direct_url

TOKEN = "let-me-in"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run a service that asks for a token."""
    database = session_server().new_database()
    settings = {
        "DIRECT_URL": direct_url(database),
        "SCHEDULER_DISPATCH": "record",
        "SCHEDULER_RPC_TOKEN": TOKEN,
    }
    running = RunningService(tmp_path_factory.mktemp("service"), settings, "--no-system-tasks").wait_until_ready()
    yield running
    assert running.stop() == 0
    session_server().drop(database)


@pytest.fixture
def do(call: Caller, service: RunningService) -> Any:
    """Return a caller of the running service."""

    def do(method: str, *args: Any, **kwargs: Any) -> Any:
        return call(service.url, method, *args, **({"token": TOKEN} | kwargs))

    return do


def test_a_schedules_life(do: Any) -> None:
    """Added, found, changed, paused, resumed, run, back-filled, looked at, deleted: each answer typed."""
    added = do("add_execution_schedule", "life", "g1", 1, "0 9 * * 1", {"a": 1}, {}, "Monday", user_timezone="UTC")
    me = {"schedule_id": added.id, "user_id": "life"}
    assert (added.name, added.timezone, added.input_data) == ("Monday", "UTC", {"a": 1})
    assert do("get_schedule", **me) == added
    assert do("get_execution_schedules", user_id="life") == [added]
    changed = do("update_schedule", **me, cron="0 10 * * 1", jitter_secs=60)
    assert (changed.changed, changed.cron, changed.jitter_secs) == (True, "0 10 * * 1", 60)
    assert do("update_schedule", **me, jitter_secs=None).jitter_secs is None
    paused = do("pause_schedule", **me, reason="Holidays")
    assert (paused.changed, paused.paused_reason, paused.paused_by) == (True, "Holidays", "life")
    assert do("get_execution_schedules", user_id="life") == []
    assert [found.paused for found in do("get_execution_schedules", user_id="life", include_paused=True)] == [True]
    assert not do("resume_schedule", **me).paused
    ran = do("run_schedule_now", **me)
    week = timedelta(days=7)
    filled = do("backfill_schedule", **me, begin=datetime.now(UTC) - 2 * week, end=datetime.now(UTC))
    assert (filled.due, filled.added) == (2, 2)
    firings = do("get_schedule_firings", "life", schedule_id=added.id, limit=10)
    assert ran.idempotency_key in [firing.idempotency_key for firing in firings]
    assert len(firings) == 3
    preview = do("preview_schedule", schedule_id=added.id, user_id="life", count=2)
    assert (len(preview.times), preview.timezone) == (2, "UTC")
    assert do("delete_schedule", added.id, "life").id == added.id
    with pytest.raises(NotFoundError, match=added.id):
        do("delete_schedule", added.id, "life")


def test_an_add_is_the_same_schedule_when_it_arrives_twice(do: Any) -> None:
    """As it does when the first answer was lost."""
    first, second = (do("add_execution_schedule", "twice", "g1", 1, "@daily", schedule_id="my-id") for _ in "12")
    assert first == second
    assert [found.id for found in do("get_execution_schedules", user_id="twice")] == ["my-id"]
    do("delete_schedule", "my-id", "twice")


def test_a_long_list_comes_in_pages(do: Any) -> None:
    """Each says where the next begins, and the last that there is none."""
    ids = [do("add_execution_schedule", "pages", "g1", 1, f"{minute} 0 1 1 *").id for minute in range(5)]
    found: list[str] = []
    cursor: str | None = None
    for size in (2, 2, 1):
        page = do("get_execution_schedules_page", user_id="pages", limit=2, cursor=cursor)
        assert len(page.schedules) == size
        found, cursor = found + [info.id for info in page.schedules], page.next_cursor
    assert (found, cursor) == (ids, None)
    for schedule in ids:
        do("delete_schedule", schedule, "pages")


def test_a_schedule_can_run_once(do: Any) -> None:
    """Without a cron text."""
    added = do("add_execution_schedule", "once", "g1", 1, run_at=datetime(2099, 1, 1, tzinfo=UTC))
    assert added.run_at is not None
    assert added.run_at.startswith("2099-01-01T00:00:00")
    do("delete_schedule", added.id, "once")


def test_refusals_are_typed(do: Any) -> None:
    """As the platform's own client raises them: ValueErrors."""
    added = do("add_execution_schedule", "mine", "g1", 1, "@daily")
    with pytest.raises(NotAuthorizedError):
        do("delete_schedule", added.id, "not-mine")
    with pytest.raises(InvalidRequestError, match="Wrong number of fields"):
        do("add_execution_schedule", "mine", "g1", 1, "daily")
    with pytest.raises(InvalidRequestError, match="graph_version"):
        do("add_execution_schedule", "mine", "g1", "one", "@daily")
    with pytest.raises(NotAuthorizedError, match="token"):
        do("get_execution_schedules", token="wrong")
    do("delete_schedule", added.id, "mine")


def test_health_needs_no_token_and_tasks_answer(do: Any) -> None:
    """A system task whose neighbour is away is the neighbour's error."""
    assert do("health_check", token=None) == "OK"
    assert do("execute_cleanup_expired_files") is None
    with pytest.raises(RemoteCallError):
        do("execute_report_late_executions")


async def test_calls_at_once_share_a_pool(service: RunningService) -> None:
    """Two hundred at once, over at most a hundred connections."""
    async with SchedulerClient(service.url, token=TOKEN) as client:
        answers = await asyncio.gather(*(client.preview_schedule("@daily", count=1) for _ in range(200)))
    assert len(answers) == 200


def test_a_client_goes_from_loop_to_loop_and_on_after_closing(service: RunningService) -> None:
    """Each event loop has its own connections; closing is no end."""
    client = SchedulerClient(service.url, token=TOKEN)

    async def use() -> None:
        await client.health_check()
        await client.aclose()
        await client.health_check()
        await client.aclose()

    asyncio.run(use())
    asyncio.run(use())
    sync = SyncSchedulerClient(service.url, token=TOKEN)
    sync.health_check()
    sync.close()
    assert sync.health_check() == "OK"
    sync.close()


def test_a_forked_process_has_connections_of_its_own(service: RunningService) -> None:
    """Two processes on one connection would read each other's answers."""
    program = f"""
import asyncio, os
from entrypoints.client import SchedulerClient, SyncSchedulerClient
sync = SyncSchedulerClient({service.url!r}, token={TOKEN!r})
client = SchedulerClient({service.url!r}, token={TOKEN!r})
sync.health_check()
asyncio.run(client.health_check())
child = os.fork()
for number in range(50):
    cron = f"{{number}} 0 * * *" if child else f"{{number}} 1 * * *"
    assert sync.preview_schedule(cron, count=1).times[0][11:16] == f"0{{0 if child else 1}}:{{number:02}}"
asyncio.run(client.health_check())
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_pool_heals_when_the_service_comes_back(tmp_path: Path) -> None:
    """Connections of a service that ended are no trouble for the next one at that address."""
    database = session_server().new_database()
    settings = {"DIRECT_URL": direct_url(database), "SCHEDULER_DISPATCH": "record"}
    first = RunningService(tmp_path, settings, "--no-system-tasks").wait_until_ready()
    with SyncSchedulerClient(first.url, retries=0) as client:
        added = client.add_execution_schedule("u1", "g1", 1, "@daily")
        first.kill()
        with pytest.raises(ConnectionError):
            client.get_execution_schedules()
        port = first.url.rpartition(":")[2]
        again = RunningService(tmp_path, settings | {"EXECUTION_SCHEDULER_PORT": port}, "--no-system-tasks")
        again.wait_until_ready()
        assert client.get_execution_schedules() == [added]
    assert again.stop() == 0
    session_server().drop(database)
