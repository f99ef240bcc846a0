"""`migrate-weekdays`: listed, applied, put back, on rows as the original wrote them."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from tests.cli.conftest import Ran, run
from tests.postgres import SCHEMA, plain, session_server
from tests.running import direct_url
from tests.shared import SHARED

ROWS = [json.loads(line) for line in (SHARED / "compat" / "jobs.jsonl").read_bytes().splitlines()]


def recorded() -> list[dict[str, Any]]:
    """Return the recorded schedules of one setting."""
    return [row for row in ROWS if row["set"] == "UTC" and row["table"] == "apscheduler_jobs"]


@pytest.fixture
def database() -> Iterator[str]:
    """Return a database with the original's rows in it."""
    url = session_server().new_database()
    connection = psycopg2.connect(plain(url))
    with connection, connection.cursor() as cursor:
        for row in recorded():
            cursor.execute(
                f"INSERT INTO {SCHEMA}.apscheduler_jobs VALUES (%s, %s, %s)",
                (row["id"], row["next_run_time"], base64.b64decode(row["job_state"])),
            )
    connection.close()
    yield url
    session_server().drop(url)


def migrate(database: str, *arguments: str) -> Ran:
    """Run the command."""
    return run("migrate-weekdays", *arguments, DIRECT_URL=direct_url(database))


def states(database: str) -> dict[str, bytes]:
    """Return every row's bytes."""
    connection = psycopg2.connect(plain(database))
    with connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT id, job_state FROM {SCHEMA}.apscheduler_jobs")
        found = {row_id: bytes(state) for row_id, state in cursor.fetchall()}
    connection.close()
    return found


def test_listing_changes_nothing(database: str) -> None:
    """Stored and intended next runs stand side by side, a day apart."""
    before = states(database)
    found = migrate(database, "--json").json
    assert found
    assert states(database) == before
    assert not any(change["changed"] for change in found)
    assert all(change["stored_next_runs"] != change["intended_next_runs"] for change in found)
    assert all(any(char.isdigit() for char in change["cron"].split()[-1]) for change in found)
    table = migrate(database).out
    assert "STORED: NEXT" in table
    assert table.splitlines()[-1] == f"Schedules: {len(found)}; --apply changes them"


def test_what_is_applied_can_be_put_back(database: str) -> None:
    """Only those that were listed are touched; putting back restores their triggers."""
    before, found = states(database), migrate(database, "--json").json
    ids = {change["id"] for change in found}
    applied = migrate(database, "--apply")
    assert applied.out.splitlines()[-1] == f"Changed: {len(ids)}; --revert --apply puts them back"
    after = states(database)
    assert {row_id for row_id in after if after[row_id] != before[row_id]} == ids
    assert migrate(database).complaint == "no schedule fires a day late for its weekdays"
    assert {change["id"] for change in migrate(database, "--revert", "--json").json} == ids
    back = migrate(database, "--revert", "--apply", "--json").json
    assert {change["id"] for change in back if change["changed"]} == ids
    again = migrate(database, "--json").json
    assert {change["id"]: change["intended_next_runs"] for change in again} == {
        change["id"]: change["intended_next_runs"] for change in found
    }
    assert migrate(database, "--revert").complaint == "no schedule was changed by --apply"


def test_one_user_can_go_first(database: str) -> None:
    """Others stay as they are."""
    found = migrate(database, "--json").json
    user = found[0]["user_id"]
    theirs = {change["id"] for change in found if change["user_id"] == user}
    before = states(database)
    migrate(database, "--user", user, "--apply")
    after = states(database)
    assert {row_id for row_id in after if after[row_id] != before[row_id]} == theirs


def test_a_database_that_is_not_named_right_is_status_2() -> None:
    """In one line."""
    ran = run("migrate-weekdays", DIRECT_URL="mysql://host/db")
    assert ran.status == 2
    assert "DIRECT_URL" in ran.complaint


def test_a_database_that_was_never_served_is_status_2() -> None:
    """What is changed would not be noticed by what keeps count of rows."""
    url = session_server().new_database(migrated=False)
    ran = run("migrate-weekdays", DIRECT_URL=direct_url(url))
    session_server().drop(url)
    assert ran.status == 2
    assert "start `serve` once" in ran.complaint
