"""`serve --workers N`: several firing processes behind one port, supervised."""

import signal
from pathlib import Path

import httpx
import psutil
import pytest

from tests.chaos.conftest import Start
from tests.chaos.ledger import add_up, await_settled, cursor_on, eventually
from tests.chaos.receiver import Behaviour, ChaosReceiver
from tests.chaos.schedules import rush
from tests.postgres import SCHEMA
from tests.running import RunningService, direct_url

TWO = ("--no-system-tasks", "--workers", "2")


def workers(service: RunningService) -> list[psutil.Process]:
    """Return the processes under the supervisor."""
    return psutil.Process(service.process.pid).children()


def replicas(url: str) -> int:
    """Return how many replicas are alive."""
    with cursor_on(url) as cursor:
        cursor.execute(f"SELECT count(*) FROM {SCHEMA}.scheduler_replicas")
        return int(cursor.fetchone()[0])


def owners(url: str) -> set[str]:
    """Return the replicas that have firings in hand."""
    with cursor_on(url) as cursor:
        cursor.execute(f"SELECT DISTINCT owner FROM {SCHEMA}.scheduler_firings WHERE owner IS NOT NULL")
        return {owner for (owner,) in cursor.fetchall()}


def both_fire(service: RunningService, url: str) -> None:
    """Wait until both workers are replicas."""
    eventually(lambda: replicas(url) == 2, about=service.log.read_text)


def test_workers_share_a_port_and_a_rush(start: Start, database: str, receiver: ChaosReceiver) -> None:
    """Each worker is a replica; together they fire each schedule once and answer one port."""
    service = start(database, *TWO)
    both_fire(service, database)
    receiver.delay_secs = 0.1
    planned = rush(database, 600)
    eventually(lambda: len(owners(database)) == 2)
    assert len(service.schedules()) == 600
    await_settled(database)
    add_up(database, planned, receiver)
    assert service.stop() == 0
    assert replicas(database) == 0


def test_a_worker_that_dies_is_replaced(start: Start, database: str, receiver: ChaosReceiver) -> None:
    """Kill -9 of a worker in mid-rush: another takes its place, the port answers on, nothing is lost."""
    service = start(database, *TWO, SCHEDULER_MAX_IN_FLIGHT="20")
    both_fire(service, database)
    receiver.delay_secs = 0.02
    planned = rush(database, 600)
    receiver.wait_for_calls(100)
    victim = workers(service)[0]
    victim.kill()
    eventually(lambda: len(workers(service)) == 2 and victim.pid not in {each.pid for each in workers(service)})
    with httpx.Client(base_url=service.url) as client:
        assert client.get("/health_check").json() == "OK"
    await_settled(database)
    add_up(database, planned, receiver, unrecorded=200)
    died = [line for line in service.lines() if line["event"].startswith("worker died")]
    assert [(line["pid"], line["status"]) for line in died] == [(victim.pid, -signal.SIGKILL)]
    assert service.stop() == 0


def test_a_signal_to_the_whole_group_stops_gracefully(start: Start, database: str, receiver: ChaosReceiver) -> None:
    """A terminal's Ctrl-C reaches parent and workers alike: what is in flight still comes to its end, once."""
    service = start(database, *TWO)
    both_fire(service, database)
    receiver.delay_secs = 0.5
    planned = rush(database, 20)
    receiver.wait_for_calls(20)
    for process in workers(service):
        process.send_signal(signal.SIGINT)
    assert service.stop(signal.SIGINT) == 0
    add_up(database, planned, receiver)


def test_a_second_signal_ends_all_workers_at_once(start: Start, database: str, receiver: ChaosReceiver) -> None:
    """Whoever presses Ctrl-C twice is not kept waiting, and no worker stays behind."""
    service = start(database, *TWO)
    both_fire(service, database)
    receiver.behaviour = Behaviour.HANG
    rush(database, 2)
    receiver.wait_for_calls(2)
    found = workers(service)
    service.process.send_signal(signal.SIGTERM)
    eventually(lambda: any(line["event"] == "stopping" for line in service.lines()))
    assert service.stop(signal.SIGINT, seconds=5) == 128 + signal.SIGINT
    assert psutil.wait_procs(found, timeout=5)[1] == []


def test_workers_of_a_dead_parent_end_by_themselves(start: Start, database: str, receiver: ChaosReceiver) -> None:
    """Kill -9 of the parent leaves nobody behind who holds the port or fires unsupervised."""
    service = start(database, *TWO)
    both_fire(service, database)
    receiver.delay_secs = 0.3
    planned = rush(database, 10)
    receiver.wait_for_calls(10)
    found = workers(service)
    service.kill()
    assert psutil.wait_procs(found, timeout=10)[1] == []
    add_up(database, planned, receiver)
    assert replicas(database) == 0


def test_workers_that_can_not_start_end_the_service(tmp_path: Path, database: str) -> None:
    """A receiver that does not exist is not tried over and over: one look, and the reason."""
    settings = {"DIRECT_URL": direct_url(database), "SCHEDULER_DISPATCH": "python:nowhere:nothing"}
    with pytest.raises(AssertionError, match=r"it did not start: agpt-scheduler: .* can't import nowhere"):
        RunningService(tmp_path, settings, *TWO)


def test_workers_share_one_embedded_postgres(tmp_path: Path) -> None:
    """Without DIRECT_URL the parent starts the private PostgreSQL, once, and stops it in the end."""
    service = RunningService(tmp_path, {}, *TWO).wait_until_ready()
    try:
        assert service.add()["name"] == "execute_graph"
        databases = [each for each in psutil.process_iter() if _serves(each, tmp_path)]
        assert len(databases) == 1
    finally:
        status = service.stop()
    assert status == 0
    assert psutil.wait_procs(databases, timeout=10)[1] == []


def _serves(process: psutil.Process, folder: Path) -> bool:
    """Whether this is the postmaster of a PostgreSQL whose data is under `folder`."""
    try:
        command, parent = process.cmdline(), process.parent()
        return (
            bool(command)
            and "postgres" in command[0]
            and any(str(folder) in each for each in command)
            and (parent is None or "postgres" not in parent.name())
        )
    except psutil.Error:
        return False
