"""`agpt-scheduler uninstall`: no trace is left, and no schedule is lost."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from tests.postgres import SCHEMA, Server, plain, session_server
from tests.running import ROOT, RunningService, direct_url


@pytest.fixture
def database() -> Iterator[str]:
    """Return the URL of a fresh database."""
    url = session_server().new_database()
    yield url
    session_server().drop(url)


def uninstall(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "DIRECT_URL": url}
    command = [sys.executable, "-m", "entrypoints", "uninstall", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, input="")


def everything(url: str) -> set[tuple[str, str]]:
    """Return what stands in the schema: tables, sequences, indexes, functions, triggers and types."""
    connection = psycopg2.connect(plain(url))
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT 'relation', relname FROM pg_class WHERE relnamespace = %(schema)s::regnamespace
            UNION SELECT 'function', proname FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace
            UNION SELECT 'type', typname FROM pg_type WHERE typnamespace = %(schema)s::regnamespace
            UNION SELECT 'trigger', tgname FROM pg_trigger
            UNION SELECT 'column', attrelid::regclass || '.' || attname FROM pg_attribute
                WHERE attrelid = to_regclass(%(schema)s || '.apscheduler_jobs') AND attnum > 0
            """,
            {"schema": SCHEMA},
        )
        found = set(cursor.fetchall())
    connection.close()
    return found


def test_nothing_of_ours_is_left_and_every_schedule_is(tmp_path: Path, database: str) -> None:
    """Only APScheduler's own two tables stay, with their rows; a later start finds them and begins anew."""
    settings = {"DIRECT_URL": direct_url(database), "SCHEDULER_DISPATCH": "record"}
    service = RunningService(tmp_path, settings).wait_until_ready()
    added = service.add(cron="0 9 * * 1")
    assert service.stop() == 0
    done = uninstall(direct_url(database), "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    left = everything(database)
    relations = [name for kind, name in left if kind == "relation"]
    assert (
        len([name for name in relations if "apscheduler_jobs" in name]) == len(relations) == 6
    )  # keys and indexes
    assert not [name for kind, name in left if kind in {"function", "trigger"}]
    assert uninstall(direct_url(database), "--yes").returncode == 0
    again = RunningService(tmp_path, settings).wait_until_ready()
    assert again.schedules() == [added]
    assert again.stop() == 0


def test_it_asks_first(database: str) -> None:
    """Without an answer nothing is removed."""
    before = everything(database)
    done = uninstall(direct_url(database))
    assert done.returncode == 1
    assert everything(database) == before


def test_a_database_that_is_away_is_one_line() -> None:
    """Without a traceback or the password."""
    server = Server()
    url = server.new_database()
    server.close()
    done = uninstall(direct_url(url), "--yes")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("agpt-scheduler: database: ")
    assert done.stderr.count("\n") == 1
