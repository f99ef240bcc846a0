"""`/metrics` of the running service, one process and several."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.memory.clock import SystemClock
from adapters.postgres.database import Database
from adapters.postgres.tables import PostgresTables
from tests.postgres import SCHEMA, plain, session_server
from tests.running import RunningService, direct_url


@pytest.fixture
def database() -> Iterator[str]:
    """Return the URL of a fresh database."""
    url = session_server().new_database()
    yield url
    session_server().drop(url)


def scraped(service: RunningService) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Return labels and values by name."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(service.client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_everything_an_operator_watches_is_there(tmp_path: Path, database: str) -> None:
    """By the names that README's alerts use."""
    service = RunningService(tmp_path, {"DIRECT_URL": direct_url(database), "SCHEDULER_DISPATCH": "record"})
    service.wait_until_ready()
    added = service.add(cron="0 9 * * 1")
    paused = service.add(cron="0 9 * * 2")
    service.call("pause_graph_execution_schedule", schedule_id=paused["id"], user_id="u")
    service.call("run_graph_execution_schedule_now", schedule_id=added["id"], user_id="u")
    eventually(lambda: "scheduler_schedules" in scraped(service))
    labels = {"kind": "execute_graph", "outcome": "succeeded"}
    eventually(lambda: (labels, 1.0) in scraped(service).get("scheduler_firings_total", []))
    assert set(scraped(service)) >= {
        "process_resident_memory_bytes",
        "scheduler_build_info",
        "scheduler_claimed_total",
        "scheduler_coalesced_total",
        "scheduler_database_up",
        "scheduler_dispatch_seconds_bucket",
        "scheduler_due_lag_seconds_bucket",
        "scheduler_held",
        "scheduler_in_flight",
        "scheduler_leases_taken_over_total",
        "scheduler_ledger_firings",
        "scheduler_loop_ticks_total",
        "scheduler_overdue_seconds",
        "scheduler_pool_in_use",
        "scheduler_pool_size",
        "scheduler_quarantined",
        "scheduler_receiver_misdirected",
        "scheduler_replicas",
        "scheduler_retries_total",
        "scheduler_schedules",
        "scheduler_taken_over_total",
        "scheduler_unreadable_due_total",
        "scheduler_waiting_for_slot",
    }
    assert service.stop() == 0


def test_whichever_worker_answers_shows_them_all(tmp_path: Path, database: str) -> None:
    """Each by its number, at every scrape; one that was killed is back under its number."""
    settings = {"DIRECT_URL": direct_url(database), "SCHEDULER_DISPATCH": "record"}
    service = RunningService(tmp_path, settings, "--no-system-tasks", "--workers", "2").wait_until_ready()

    def workers() -> set[str]:
        return {labels["worker"] for labels, _ in scraped(service)["scheduler_loop_ticks_total"]}

    eventually(lambda: workers() == {"1", "2"})
    pids = {
        labels["worker"]: value for labels, value in scraped(service)["process_start_time_seconds"]
    }  # the processes differ
    assert len(pids) == 2
    for _ in range(5):
        assert workers() == {"1", "2"}
    assert service.stop() == 0


async def test_a_census_counts_what_is_there(database: str) -> None:
    """Scheduled, paused and overdue rows, as others may have written them."""
    connection = psycopg2.connect(plain(database))
    with connection, connection.cursor() as cursor:
        for row_id, due in (("due", time.time() - 100), ("later", time.time() + 1e6), ("paused", None)):
            cursor.execute(
                f"INSERT INTO {SCHEMA}.apscheduler_jobs VALUES (%s, %s, %s)", (row_id, due, b"no pickle")
            )
    connection.close()
    tables = Database(database, schema=SCHEMA)
    census = await PostgresTables(tables, clock=SystemClock()).census()
    await tables.aclose()
    assert (census.scheduled, census.paused, census.replicas) == (2, 1, 0)
    assert 100 <= census.overdue_secs < 1000
    assert sum(census.unreadable.values()) == 0


async def test_long_tables_are_estimated(database: str) -> None:
    """By what the last ANALYZE saw, to a few percent."""
    connection = psycopg2.connect(plain(database))
    with connection, connection.cursor() as cursor:
        cursor.execute("SET agpt_scheduler.writer = 'own'")
        cursor.execute(
            f"INSERT INTO {SCHEMA}.apscheduler_jobs SELECT i, CASE WHEN i % 4 > 0 THEN 4e9 + i END, 'x'"
            " FROM generate_series(1, 20000) AS i"
        )
        cursor.execute(f"ANALYZE {SCHEMA}.apscheduler_jobs")
    connection.close()
    tables = Database(database, schema=SCHEMA)
    census = await PostgresTables(tables, clock=SystemClock()).census()
    await tables.aclose()
    assert census.scheduled == pytest.approx(15_000, rel=0.1)
    assert census.paused == pytest.approx(5000, rel=0.1)
    assert census.overdue_secs == 0
