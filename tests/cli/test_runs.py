"""`run-now`, `runs`, `backfill`."""

import json
import signal
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import Command, start
from tests.running import RunningService


def added(command: Command, cron: str = "0 0 1 1 *") -> str:
    """Add a schedule that hardly ever runs; return its id."""
    found: str = command("add", "digest", "--json", "-c", cron, "-z", "UTC").json["id"]
    return found


def test_a_run_now_can_be_waited_for(command: Command) -> None:
    """It is in the history under its key."""
    schedule = added(command)
    ran = command("run-now", schedule, "--wait", "--json")
    assert (ran.json["state"], ran.json["attempts"]) == ("succeeded", 1)
    assert command("run-now", schedule).out.startswith(f"Runs now, as {schedule}:")
    keys = [firing["idempotency_key"] for firing in command("runs", schedule, "--json").json]
    assert ran.json["idempotency_key"] == keys[0]
    assert len(keys) == 2


def test_history_is_a_table_newest_last(command: Command) -> None:
    """Of one schedule, or all of a user's with the schedule named."""
    schedule = added(command)
    for _ in range(3):
        assert command("run-now", schedule, "--wait").status == 0
    header, *rows = command("runs", schedule, "--limit", "2").out.splitlines()
    assert header.split()[:4] == ["DUE", "STATE", "TRIES", "LATE"]
    assert len(rows) == 2
    due = [row.partition(" succeeded ")[0] for row in rows]  # two may be due in one second
    assert due == sorted(due)
    assert all(schedule in row for row in command("runs").out.splitlines()[1:])
    assert command("runs", schedule, "--state", "failed").complaint == "no runs yet"
    assert len(command("runs", schedule, "--state", "succeeded", "--json").json) == 3


def test_following_goes_on_until_enough_has_ended(
    command: Command, service: RunningService, request: pytest.FixtureRequest
) -> None:
    """A line for each news, as it comes."""
    schedule = added(command)
    assert command("run-now", schedule, "--wait").status == 0
    environment = {"SCHEDULER_URL": service.url, "SCHEDULER_USER": request.node.name}
    arguments = ["runs", schedule, "--follow", "--stop-after", "2", "--json"]
    with start(*arguments, environment=environment) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert first["state"] == "succeeded"
        command("run-now", schedule)
        states = [json.loads(line)["state"] for line in process.stdout]
        assert states[-1] == "succeeded"
        assert process.communicate() == ("", "")
        assert process.returncode == 0


def test_following_ends_well_with_ctrl_c(command: Command, service: RunningService) -> None:
    """It is the way to end it."""
    schedule = added(command)
    assert command("run-now", schedule, "--wait").status == 0
    user = command("show", schedule, "--json").json["user_id"]
    with start("runs", "-f", environment={"SCHEDULER_URL": service.url, "SCHEDULER_USER": user}) as process:
        assert process.stdout is not None
        assert "succeeded" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "", "")


def test_a_window_is_run_once(command: Command) -> None:
    """More due times than fit into one call; a second time nothing is left to do."""
    schedule = added(command, "*/10 * * * *")
    begin = datetime.now(UTC) - timedelta(days=1)
    window = ["--from", begin.isoformat()]
    assert command("backfill", schedule, *window, "--dry-run").out.endswith(": 144\n")
    assert command("runs", schedule).complaint == "no runs yet"
    first = command("backfill", schedule, *window, "--wait", "--json")
    assert first.json == {"schedule_id": schedule, "due": 144, "added": 144, "failed": 0}
    again = command("backfill", schedule, *window, "--wait")
    assert (again.status, again.out) == (0, "Due times: 144; run now: 0\n")
    assert len(command("runs", schedule, "--limit", "1000", "--json").json) >= 144


def test_a_window_without_due_times_is_no_error(command: Command) -> None:
    """Nothing runs."""
    schedule = added(command)
    ran = command("backfill", schedule, "--from", "2026-01-02", "--to", "2026-01-03", "--wait")
    assert (ran.status, ran.out) == (0, "Due times: 0; run now: 0\n")


def test_windows_that_are_none_are_refused(command: Command) -> None:
    """In the service's words or ours."""
    schedule = added(command, "* * * * *")
    assert command("backfill", schedule, "--from", "yesterday").status == 2
    future = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    ran = command("backfill", schedule, "--from", "2026-11-27T00:00", "--to", future)
    assert "future" in ran.complaint
