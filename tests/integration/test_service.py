"""The critical test cases of the specification, on the service as operators run it."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg2
import pytest

from adapters.postgres.connections import channel
from tests.postgres import SCHEMA, Server, plain, session_server
from tests.running import RunningService, direct_url


@pytest.fixture
def database() -> Iterator[str]:
    """Return the URL of a fresh, migrated database."""
    url = session_server().new_database()
    yield url
    session_server().drop(url)


class Receiver:
    """Stands in for ExecutionManager: keeps every call, and answers only while `answering` is set.

    It answers `refusal` where there is one, as the platform does: with 400, `{"type", "args"}`.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refusal: dict[str, Any] | None = None
        self.answering = threading.Event()
        self.answering.set()
        self.arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with receiver.arrived:
                    receiver.calls.append((self.headers["idempotency-key"], body))
                    receiver.arrived.notify_all()
                receiver.answering.wait(60)
                answer = json.dumps(receiver.refusal or {"id": f"execution-{len(receiver.calls)}"}).encode()
                self.send_response(400 if receiver.refusal else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait_for(self, calls: int, seconds: float = 30) -> None:
        """Return once so many calls have come."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.calls) >= calls, seconds), self.calls

    def close(self) -> None:
        """Stop answering."""
        self.answering.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Return a receiver on loopback."""
    found = Receiver()
    yield found
    found.close()


def settings(url: str, receiver: Receiver | None = None, **more: str) -> dict[str, str]:
    """Return an operator's settings."""
    found = {"DIRECT_URL": direct_url(url), "SCHEDULER_DISPATCH": "record"}
    if receiver is not None:
        found |= {"SCHEDULER_DISPATCH": "rpc", "EXECUTION_MANAGER_PORT": str(receiver.port)}
    return found | more


def make_due(url: str, *ids: str) -> None:
    """Make schedules due now, as an operator's SQL might."""
    connection = psycopg2.connect(plain(url))
    with connection, connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {SCHEMA}.apscheduler_jobs SET next_run_time = extract(epoch FROM now()) WHERE id = ANY(%s)",
            (list(ids),),
        )
        cursor.execute("SELECT pg_notify(%s, '')", (channel(SCHEMA),))
    connection.close()


def firings(url: str) -> list[tuple[str, str, int]]:
    """Return (job, state, attempts) of every firing of a schedule."""
    connection = psycopg2.connect(plain(url))
    with connection, connection.cursor() as cursor:
        cursor.execute(
            f"SELECT job_id, state, attempts FROM {SCHEMA}.scheduler_firings"
            " WHERE kind = 'execute_graph' ORDER BY id"
        )
        found = cursor.fetchall()
    connection.close()
    return found


def eventually(condition: Any, seconds: float = 30) -> None:
    """Return once `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_job_persistence_across_restart(tmp_path: Path, database: str) -> None:
    """Jobs survive a scheduler restart: schedules, and the system tasks with their phase."""
    first = RunningService(tmp_path, settings(database)).wait_until_ready()
    added = [first.add(cron="0 9 * * 1", name=f"n{number}") for number in range(3)]
    phase = system_tasks(database)
    assert first.stop() == 0
    second = RunningService(tmp_path, settings(database)).wait_until_ready()
    assert sorted(second.schedules(), key=lambda each: str(each["id"])) == sorted(
        added, key=lambda each: str(each["id"])
    )
    assert system_tasks(database) == phase
    assert set(phase) == {"report_late_executions", "report_block_error_rates", "cleanup_expired_files"}
    assert second.stop() == 0


def system_tasks(url: str) -> dict[str, float]:
    """Return when each stored system task is due."""
    connection = psycopg2.connect(plain(url))
    with connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT id, next_run_time FROM {SCHEMA}.apscheduler_jobs WHERE length(id) < 32")
        found = dict(cursor.fetchall())
    connection.close()
    return found


def test_without_system_tasks_none_is_registered(tmp_path: Path, database: str) -> None:
    """`--no-system-tasks` is the specification's register_system_tasks=False."""
    service = RunningService(tmp_path, settings(database), "--no-system-tasks").wait_until_ready()
    assert system_tasks(database) == {}
    assert service.stop() == 0


def test_user_isolation(tmp_path: Path, database: str) -> None:
    """Users can only delete their own jobs."""
    service = RunningService(tmp_path, settings(database)).wait_until_ready()
    mine = service.add("me", cron="0 9 * * 1")
    refused = service.call("delete_graph_execution_schedule", schedule_id=mine["id"], user_id="you")
    assert (refused.status_code, refused.json()["type"]) == (400, "NotAuthorizedError")
    assert service.schedules(user_id="you") == []
    assert service.schedules(user_id="me") == [mine]
    assert service.call("delete_graph_execution_schedule", schedule_id=mine["id"], user_id="me").json() == mine
    assert service.schedules() == []
    assert service.stop() == 0


def test_concurrent_access(tmp_path: Path, database: str) -> None:
    """Many clients add and remove at once; nothing is lost and nothing comes back."""
    service = RunningService(tmp_path, settings(database)).wait_until_ready()

    def client(number: int) -> str:
        kept = ""
        for turn in range(6):
            added = service.add(f"user{number}", cron=f"{turn} 9 * * 1")
            if turn % 2:
                deleted = service.call(
                    "delete_graph_execution_schedule", schedule_id=added["id"], user_id=f"user{number}"
                )
                assert deleted.status_code == 200, deleted.text
            else:
                kept += added["id"]
        return kept

    with ThreadPoolExecutor(16) as pool:
        kept = list(pool.map(client, range(16)))
    for number, ids in enumerate(kept):
        assert "".join(sorted(each["id"] for each in service.schedules(user_id=f"user{number}"))) == "".join(
            sorted(ids[start : start + 32] for start in range(0, len(ids), 32))
        )
    assert service.stop() == 0


def test_error_recovery(tmp_path: Path, receiver: Receiver) -> None:
    """The service recovers from a database outage by itself: RPC at once, firings with nothing lost."""
    server = Server()
    try:
        url = server.new_database()
        service = RunningService(tmp_path, settings(url, receiver)).wait_until_ready()
        job = service.add(cron="0 0 1 1 *")
        server.stop()
        failed = service.call("get_graph_execution_schedules")
        assert (failed.status_code, failed.json()["type"]) == (500, "OperationalError")
        assert service.client.get("/health_check").json() == "OK"
        assert service.client.get("/ready").status_code == 503
        server.start()
        make_due(url, job["id"])
        receiver.wait_for(1)
        assert [each["id"] for each in service.schedules()] == [job["id"]]
        service.wait_until_ready()
        assert service.stop() == 0
    finally:
        server.close()


def test_resource_cleanup(tmp_path: Path, database: str) -> None:
    """Thousands of calls leave no connection and no memory behind."""
    service = RunningService(tmp_path, settings(database)).wait_until_ready()
    process = psutil.Process(service.process.pid)

    def batch() -> None:
        for _ in range(250):
            added = service.add(cron="0 9 * * 1")
            service.schedules(user_id="u")
            service.call("delete_graph_execution_schedule", schedule_id=added["id"], user_id="u")
            service.call("delete_graph_execution_schedule", schedule_id="nobody", user_id="u")

    batch()
    before = process.memory_info().rss, process.num_fds(), process.num_threads()
    batch()
    after = process.memory_info().rss, process.num_fds(), process.num_threads()
    assert after[0] - before[0] < 16 * 2**20
    assert after[1] <= before[1] + 3
    assert after[2] <= before[2] + 3
    connections = [each for each in psutil.net_connections("unix") if each.pid == process.pid]
    assert len(connections) < 20
    assert service.stop() == 0


def test_a_due_schedule_reaches_the_receiver_as_the_platform_calls_it(
    tmp_path: Path, database: str, receiver: Receiver
) -> None:
    """The receiver gets the platform's own keywords, once, and history has the execution's id."""
    service = RunningService(tmp_path, settings(database, receiver)).wait_until_ready()
    job = service.add(cron="0 0 1 1 *", input_data={"a": 1})
    make_due(database, job["id"])
    receiver.wait_for(1)
    eventually(lambda: firings(database) == [(job["id"], "succeeded", 1)])
    key, body = receiver.calls[0]
    assert key.startswith(job["id"])
    assert body == {
        "user_id": "u",
        "graph_id": "g",
        "graph_version": 1,
        "inputs": {"a": 1},
        "graph_credentials_inputs": {},
    }
    assert service.stop() == 0
    assert len(receiver.calls) == 1


def test_what_was_claimed_before_a_kill_fires_once_after_the_restart(
    tmp_path: Path, database: str, receiver: Receiver
) -> None:
    """A kill -9 between claim and dispatch loses nothing and doubles nothing."""
    one_at_a_time = {"SCHEDULER_MAX_IN_FLIGHT": "1", "SCHEDULER_LEASE_SECS": "2"}
    first = RunningService(tmp_path, settings(database, receiver, **one_at_a_time)).wait_until_ready()
    ids = [first.add(f"u{number}", cron="0 0 1 1 *")["id"] for number in range(3)]
    receiver.answering.clear()
    make_due(database, *ids)
    receiver.wait_for(1)
    eventually(lambda: len(firings(database)) == 2)  # one in flight, one that waits for its slot
    first.kill()
    in_flight = receiver.calls[0][0]
    receiver.answering.set()
    second = RunningService(tmp_path, settings(database, receiver, **one_at_a_time)).wait_until_ready()
    eventually(lambda: sorted(firings(database)) == sorted((each, "succeeded", 1) for each in ids))
    keys = [key for key, _ in receiver.calls]
    assert {key.split(":")[0] for key in keys} == set(ids)
    assert [key for key in keys if keys.count(key) > 1] in ([], [in_flight, in_flight])
    assert second.stop() == 0


def test_a_graceful_stop_finishes_what_is_in_flight(tmp_path: Path, database: str, receiver: Receiver) -> None:
    """SIGTERM lets dispatches under way come to their end, and exits with 0."""
    service = RunningService(tmp_path, settings(database, receiver)).wait_until_ready()
    job = service.add(cron="0 0 1 1 *")
    receiver.answering.clear()
    make_due(database, job["id"])
    receiver.wait_for(1)
    threading.Timer(0.5, receiver.answering.set).start()
    assert service.stop() == 0
    assert firings(database) == [(job["id"], "succeeded", 1)]


def test_a_second_signal_ends_it_at_once(tmp_path: Path, database: str, receiver: Receiver) -> None:
    """Whoever presses Ctrl-C twice is not kept waiting."""
    service = RunningService(tmp_path, settings(database, receiver)).wait_until_ready()
    job = service.add(cron="0 0 1 1 *")
    receiver.answering.clear()
    make_due(database, job["id"])
    receiver.wait_for(1)
    service.process.send_signal(signal.SIGTERM)
    eventually(lambda: any(line["event"] == "stopping" for line in service.lines()))
    assert service.stop(signal.SIGINT, seconds=5) == 128 + signal.SIGINT


def test_rows_that_cannot_be_read_survive_everything(tmp_path: Path, database: str) -> None:
    """Garbage, an unknown class and a hostile pickle are still there after listing, firing and restart."""
    canary = tmp_path / "canary"
    hostile = b"cposix\nsystem\n(S'touch " + str(canary).encode() + b"'\ntR."
    unknown = b"\x80\x05\x8c\x07nowhere\x8c\x05Thing\x93)\x81."
    rows = {"garbage": b"\x00not a pickle", "unknown": unknown, "hostile": hostile}
    connection = psycopg2.connect(plain(database))
    with connection, connection.cursor() as cursor:
        for job_id, state in rows.items():
            cursor.execute(
                f"INSERT INTO {SCHEMA}.apscheduler_jobs VALUES (%s, %s, %s)", (job_id, time.time() - 60, state)
            )
    for _ in range(2):
        service = RunningService(tmp_path, settings(database)).wait_until_ready()
        job = service.add(cron="0 0 1 1 *")
        assert job["id"] in {each["id"] for each in service.schedules()}
        make_due(database, job["id"])
        eventually(lambda job=job: (job["id"], "succeeded", 1) in firings(database))
        gone = service.call("delete_graph_execution_schedule", schedule_id="garbage", user_id="u")
        assert gone.json() == {"type": "NotFoundError", "args": ["Job #garbage not found."]}
        assert service.stop() == 0
    with connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT id, job_state FROM {SCHEMA}.apscheduler_jobs WHERE id = ANY(%s)", (list(rows),))
        left = {job_id: bytes(state) for job_id, state in cursor.fetchall()}
    connection.close()
    assert left == rows
    assert not canary.exists()


def test_a_database_that_is_away_at_the_start_is_waited_for(tmp_path: Path) -> None:
    """One clear line, `/ready` 503, health up; and then it comes."""
    server = Server()
    try:
        url = server.new_database()
        server.stop()
        service = RunningService(tmp_path, settings(url))
        eventually(lambda: service.client.get("/ready").status_code == 503)
        assert service.client.post("/health_check").json() == "OK"
        eventually(lambda: any("not ready" in line["event"] for line in service.lines()))
        server.start()
        service.wait_until_ready()
        assert service.add()["name"] == "execute_graph"
        assert service.stop() == 0
    finally:
        server.close()


def test_two_services_on_one_port_are_one_too_many(tmp_path: Path, database: str) -> None:
    """A port that is taken stops the start, so that nobody fires behind the operator's back."""
    service = RunningService(tmp_path, settings(database)).wait_until_ready()
    port = str(httpx.URL(service.url).port)
    with pytest.raises(AssertionError, match="can't listen"):
        RunningService(tmp_path / "second", settings(database, EXECUTION_SCHEDULER_PORT=port))
    assert service.stop() == 0


def test_nothing_secret_is_logged(tmp_path: Path, database: str, receiver: Receiver) -> None:
    """Input data, credentials and tokens appear in no log line, whatever happens."""
    service = RunningService(
        tmp_path, settings(database, receiver, LOG_LEVEL="DEBUG", SCHEDULER_RPC_TOKEN="tok-s3cret")
    )
    service.client.headers["authorization"] = "Bearer tok-s3cret"
    service.wait_until_ready()
    credentials = {"k": {"id": "cred-s3cret", "provider": "github", "type": "api_key", "title": "title-s3cret"}}
    job = service.add(cron="0 0 1 1 *", input_data={"a": "input-s3cret"}, input_credentials=credentials)
    make_due(database, job["id"])
    receiver.wait_for(1)
    assert service.stop() == 0
    assert "s3cret" not in service.log.read_text()
