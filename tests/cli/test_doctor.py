"""`doctor`: each thing that can be wrong, found, with advice."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from entrypoints.doctor.database import look_at_clock
from entrypoints.doctor.findings import Level
from entrypoints.doctor.neighbours import look_at_neighbours
from entrypoints.settings import Settings
from tests.cli.conftest import Ran, run
from tests.client.scripted import ScriptedServer, answer, unused_url
from tests.postgres import SCHEMA, Server, plain, session_server
from tests.running import RunningService, direct_url

OK = answer(200, "OK")
READY = {"ready": True, "database": "ok", "migrations": "current", "receiver": "ok"}
FIRING = """
    INSERT INTO {schema}.scheduler_firings
        (job_key, scheduled_at, claimed_at, finished_at, attempt_at, coalesced, attempts, rare_state, store, kind,
         job_id, error)
    VALUES (gen_random_uuid(), now(), now(), %s, %s, 0, 3, %s, 'execution', 'execute_graph', %s, 'no answer')
"""


def port(url: str) -> str:
    """Return an address's port."""
    return url.rpartition(":")[2]


@dataclass
class World:
    """A database, neighbours that answer, and the settings that name them."""

    database: str
    settings: dict[str, str]
    opened: ExitStack
    service: RunningService | None = field(default=None)

    def serve(self, folder: Path) -> RunningService:
        """Run the service on it."""
        self.service = RunningService(folder, self.settings, "--no-system-tasks").wait_until_ready()
        self.opened.callback(self.service.stop)
        return self.service

    def execute(self, statement: str, *values: Any) -> None:
        """Do something behind the service's back."""
        connection = psycopg2.connect(plain(self.database))
        with connection, connection.cursor() as cursor:
            cursor.execute(statement.format(schema=SCHEMA), values)
        connection.close()

    def doctor(self, *arguments: str, **more: str) -> Ran:
        """Run the command as it would be run beside the service."""
        url = self.service.url if self.service else unused_url()
        return run("doctor", *arguments, **(self.settings | {"SCHEDULER_URL": url} | more))

    def found(self, *arguments: str, **more: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Return what it found, by check and level."""
        ran = self.doctor("--json", *arguments, **more)
        findings = json.loads(ran.out)
        wrong = [finding for finding in findings if finding["level"] == "wrong"]
        assert ran.status == bool(wrong)
        assert all(finding["advice"] for finding in findings if finding["level"] != "ok")
        return {(finding["check"], finding["level"]): finding for finding in findings}


@pytest.fixture
def world() -> Iterator[World]:
    """Make a world in which all is well, but that nothing serves yet."""
    url = session_server().new_database()
    with ExitStack() as opened:
        neighbours = [opened.enter_context(ScriptedServer([OK])) for _ in range(2)]
        settings = {
            "DIRECT_URL": direct_url(url),
            "SCHEDULER_DISPATCH": "record",
            "DATABASE_API_PORT": port(neighbours[0].url),
            "NOTIFICATION_SERVICE_PORT": port(neighbours[1].url),
            "PYRO_HOST": "127.0.0.1",
        }
        yield World(url, settings, opened)
    session_server().drop(url)


def test_a_service_that_is_well_has_nothing_wrong(world: World, tmp_path: Path) -> None:
    """Everything was looked at, and status 0 says so."""
    service = world.serve(tmp_path / "service")
    service.add(cron="0 9 * * 1")
    found = world.found()
    checks = "settings service DatabaseManager NotificationManager clock database migrations rows triggers replicas"
    assert set(found) == {(check, "ok") for check in [*checks.split(), "firings"]}
    ran = world.doctor()
    assert (ran.status, ran.out.splitlines()[-1]) == (0, "Nothing is wrong")


def test_rows_that_are_left_alone_are_named(world: World, tmp_path: Path) -> None:
    """Garbage is wrong; somebody else's row is only noted, as long as it can be read."""
    world.serve(tmp_path / "service")
    for number in range(7):
        world.execute("INSERT INTO {schema}.apscheduler_jobs VALUES (%s, NULL, %s)", f"bad{number}", b"garbage")
    found = world.found()
    finding = found["rows", "wrong"]
    assert finding["says"] == "Rows that can't be read, and are neither fired nor deleted: 7"
    assert finding["items"][0].startswith("bad0: ")
    assert "garbage" not in json.dumps(found["rows", "wrong"]["items"])
    ran = world.doctor()
    assert "- and 2 more (--json shows them)" in ran.out
    assert ran.out.splitlines()[-1] == "1 wrong"
    assert ("rows", "wrong") not in world.found("--quick")


def test_weekdays_that_fire_late_are_wrong_unless_they_are_meant(world: World, tmp_path: Path) -> None:
    """A service in the original's dialect stores them as the original does."""
    world.settings["SCHEDULER_CRON_DIALECT"] = "apscheduler"
    service = world.serve(tmp_path / "service")
    late, joined = service.add(cron="0 9 * * 1"), service.add(cron="0 9 13 * fri")
    service.add(cron="0 9 * * mon")
    assert world.found()["triggers", "note"]
    findings = json.loads(world.doctor("--json", SCHEDULER_CRON_DIALECT="standard").out)
    by_level = {finding["level"]: finding for finding in findings if finding["check"] == "triggers"}
    assert by_level["wrong"]["items"] == [f"{late['id']}: 0 9 * * 1"]
    assert "migrate-weekdays" in by_level["wrong"]["advice"]
    assert by_level["note"]["items"] == [f"{joined['id']}: 0 9 13 * fri"]


def test_held_and_dead_runs_are_wrong_and_old_ones_noted(world: World, tmp_path: Path) -> None:
    """With the receiver's last words."""
    world.serve(tmp_path / "service")
    now = datetime.now(UTC)
    world.execute(FIRING, now - timedelta(days=2), None, "dead", "old")
    assert world.found()["firings", "note"]["says"] == "Runs that were given up more than a day ago: 1"
    world.execute(FIRING, now, None, "dead", "new")
    assert world.found()["firings", "wrong"]["items"][0].startswith("new due ")
    world.execute(FIRING, None, now + timedelta(days=1), "held", "stuck")
    assert "are held" in world.doctor().out


def test_nobody_who_fires_is_wrong(world: World) -> None:
    """And a service that does not answer is noted: it may be elsewhere."""
    found = world.found()
    assert found["replicas", "wrong"]["says"] == "No replica is alive: nothing fires"
    assert found["service", "note"]["says"].startswith("Nothing answers at http://127.0.0.1:")


def test_what_is_overdue_with_a_replica_alive_is_wrong(world: World) -> None:
    """Somebody beats, and yet nothing is claimed."""
    world.execute("INSERT INTO {schema}.scheduler_replicas VALUES ('stuck', 1, now(), 1)")
    world.execute("INSERT INTO {schema}.apscheduler_jobs VALUES ('late', %s, %s)", time.time() - 600, b"x")
    assert world.found("--quick")["replicas", "wrong"]["says"].startswith("The first schedule has been due for 6")


@pytest.mark.parametrize("name", ["DatabaseManager", "NotificationManager", "ExecutionManager"])
def test_a_neighbour_that_is_away_is_wrong(world: World, name: str) -> None:
    """With what comes of it, and which variable names it."""
    variable = {
        "DatabaseManager": "DATABASE_API_PORT",
        "NotificationManager": "NOTIFICATION_SERVICE_PORT",
        "ExecutionManager": "EXECUTION_MANAGER_PORT",
    }[name]
    finding = world.found("--quick", SCHEDULER_DISPATCH="rpc", **{variable: port(unused_url())})[name, "wrong"]
    assert "can't be reached" in finding["says"]
    assert f"{name.upper()}_HOST" in finding["advice"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("ExecutionManager", {"SCHEDULER_DISPATCH": "rpc"}),
        ("REST API", {"SCHEDULER_DISPATCH": "rest", "SUPABASE_JWT_SECRET": "s" * 40}),
        (
            "webhook",
            {"SCHEDULER_DISPATCH": "webhook:{url}/x", "SCHEDULER_WEBHOOK_SECRET": "whsec_c2VjcmV0c2VjcmV0"},
        ),
    ],
)
async def test_without_a_platform_only_the_receiver_must_be_there(
    monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, str]
) -> None:
    """In the embedded mode, where nobody expects the other neighbours."""
    url = unused_url()
    ports = dict.fromkeys(
        ("EXECUTION_MANAGER_PORT", "AGENT_API_PORT", "DATABASE_API_PORT", "NOTIFICATION_SERVICE_PORT"), port(url)
    )
    for variable, value in (settings | ports).items():
        monkeypatch.setenv(variable, value.format(url=url))
    looks = {look.what: look for look in await look_at_neighbours(Settings.load())}
    assert set(looks) == {"DatabaseManager", "NotificationManager", name}
    assert not any(look.well for look in looks.values())
    assert [what for what, look in looks.items() if look.receiver] == [name]


def test_a_neighbour_that_is_ill_is_wrong(world: World) -> None:
    """It is there, and does not answer 200."""
    with ScriptedServer([answer(500, b"")]) as ill:
        found = world.found("--quick", DATABASE_API_PORT=port(ill.url))
    assert found["DatabaseManager", "wrong"]["says"].endswith("answers 500 to /health_check")


def test_receivers_of_other_kinds_are_tried_too(world: World) -> None:
    """The REST API and webhooks have no health check to ask."""
    with ScriptedServer([OK]) as there:
        rest = {"SCHEDULER_DISPATCH": "rest", "SUPABASE_JWT_SECRET": "s" * 40, "AGENT_API_PORT": port(there.url)}
        assert ("REST API", "ok") in world.found("--quick", **rest)
        hook = {
            "SCHEDULER_DISPATCH": f"webhook:{there.url}/x",
            "SCHEDULER_WEBHOOK_SECRET": "whsec_c2VjcmV0c2VjcmV0",
        }
        assert ("webhook", "ok") in world.found("--quick", **hook)
        assert there.requests == []


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (READY | {"ready": False, "database": "unavailable"}, "Not ready: database unavailable"),
        (READY | {"receiver": "405 from http://wrong"}, "The receiver seems to be the wrong one"),
    ],
)
def test_a_service_that_is_not_ready_is_wrong(world: World, state: dict[str, Any], said: str) -> None:
    """In its own words."""
    with ScriptedServer([answer(503, state)]) as service:
        found = world.found("--quick", SCHEDULER_URL=service.url)
    assert said in found["service", "wrong"]["says"]


def test_somebody_else_at_the_address_is_noted(world: World) -> None:
    """Another service has the port."""
    with ScriptedServer([answer(200, b"<html>")]) as other:
        assert "Something else" in world.found("--quick", SCHEDULER_URL=other.url)["service", "note"]["says"]


def test_a_database_that_is_away_is_wrong_and_hides_the_password() -> None:
    """In one line; the rest is still looked at."""
    server = Server()
    url = direct_url(server.new_database())
    server.close()
    ran = run("doctor", "--json", DIRECT_URL=url, SCHEDULER_DISPATCH="record", SCHEDULER_URL=unused_url())
    findings = json.loads(ran.out)
    assert ran.status == 1
    assert [finding["check"] for finding in findings if finding["level"] == "wrong"][-1] == "database"
    assert findings[0]["check"] == "settings"


def test_another_schema_is_told_from_an_empty_database(world: World) -> None:
    """The likeliest mistake in DIRECT_URL."""
    found = world.found(DIRECT_URL=direct_url(world.database).replace(f"schema={SCHEMA}", "schema=other"))
    assert "?schema=platform" in found["migrations", "wrong"]["advice"]
    assert "apscheduler_jobs" in found["migrations", "wrong"]["says"]


def test_tables_of_another_release_are_wrong(world: World) -> None:
    """Nothing is changed by looking."""
    world.execute("UPDATE {schema}.scheduler_alembic_version SET version_num = '9999'")
    assert "release" in world.found()["migrations", "wrong"]["says"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"SCHEDULER_DISPATCH": "carrier-pigeon"}, "SCHEDULER_DISPATCH is 'carrier-pigeon'"),
        ({"EXECUTION_SCHEDULER_PORT": "abc"}, "EXECUTION_SCHEDULER_PORT is 'abc'"),
        ({"SCHEDULER_DISPATCH": "python:no.such:thing"}, "SCHEDULER_DISPATCH can't be used"),
        ({"DIRECT_URL": "mysql://me:secret@host/db"}, "DIRECT_URL has the scheme"),
    ],
)
def test_settings_that_keep_it_from_starting_are_wrong(world: World, settings: dict[str, str], said: str) -> None:
    """As `serve` would say it, without secrets."""
    ran = world.doctor("--json", **settings)
    assert ran.status == 1
    assert said in ran.out
    assert "secret" not in ran.out


def test_settings_that_are_seldom_meant_are_noted(world: World) -> None:
    """An RPC that is open to all."""
    found = world.found("--quick", PYRO_HOST="0.0.0.0")
    assert "SCHEDULER_RPC_TOKEN" in found["settings", "note"]["advice"]


def test_without_any_database_it_says_where_to_stand() -> None:
    """It starts none of its own."""
    ran = run("doctor", "--json")
    assert ran.status == 1
    assert "no private database in data yet" in json.loads(ran.out)[0]["says"]
    assert not Path("data").exists()


@pytest.mark.parametrize(
    ("ahead", "level"), [(0.5, Level.OK), (-1.9, Level.OK), (5, Level.WRONG), (-90, Level.WRONG)]
)
def test_clocks_may_differ_by_two_seconds(ahead: float, level: Level) -> None:
    """Half of the time that asking took is the network's."""
    before = datetime(2026, 11, 27, tzinfo=UTC)
    after = before + timedelta(seconds=0.2)
    finding = look_at_clock(before + timedelta(seconds=0.1 + ahead), before, after)
    assert finding.level is level
