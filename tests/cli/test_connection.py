"""How commands find the service, and what they say when they don't."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import run, start
from tests.client.scripted import ScriptedServer, answer, unused_url
from tests.running import ROOT, RunningService

LISTING = ("list", "--json", "--user", "nobody")


def test_the_platforms_variables_name_the_service(service: RunningService, tmp_path: Path) -> None:
    """And `.env` of the working directory, after them."""
    host, _, port = service.url.removeprefix("http://").partition(":")
    assert run(*LISTING, SCHEDULER_HOST=host, EXECUTION_SCHEDULER_PORT=port).json == []
    (tmp_path / ".env").write_text(f"EXECUTION_SCHEDULER_PORT={port}\nSCHEDULER_HOST=127.0.0.1\n")
    assert run(*LISTING).json == []
    assert run(*LISTING, "--url", service.url, SCHEDULER_HOST="nowhere.invalid").json == []


def test_a_service_that_is_away_is_status_3() -> None:
    """In one line that names the address."""
    url = unused_url()
    ran = run(*LISTING, "--url", url)
    assert ran.status == 3
    assert url in ran.complaint


@pytest.mark.parametrize(
    ("status", "document", "expected"),
    [
        (500, {"type": "OperationalError", "args": ["database: gone"]}, 3),
        (503, {"type": "TimeoutError", "args": ["busy"]}, 3),
        (401, {"type": "NotAuthorizedError", "args": ["A valid bearer token is required"]}, 5),
        (500, {"type": "KeyError", "args": ["x"]}, 1),
        (200, b"<html>", 1),
    ],
)
def test_each_failure_has_its_status(status: int, document: object, expected: int) -> None:
    """Scripts tell what to try again from what not to."""
    with ScriptedServer([answer(status, document)]) as server:
        ran = run(*LISTING, SCHEDULER_URL=server.url)
    assert ran.status == expected
    assert ran.complaint


def test_the_token_goes_along() -> None:
    """From the variable or the option."""
    with ScriptedServer([answer(200, [])]) as server:
        run(*LISTING, SCHEDULER_URL=server.url, SCHEDULER_RPC_TOKEN="secret")
        run(*LISTING, "--token", "other", SCHEDULER_URL=server.url)
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer secret", "Bearer other"]


@pytest.mark.parametrize(
    ("variable", "value"), [("EXECUTION_SCHEDULER_PORT", "abc"), ("SCHEDULER_URL", "localhost:8003")]
)
def test_a_setting_that_is_wrong_is_status_2(variable: str, value: str) -> None:
    """And named."""
    ran = run(*LISTING, **{variable: value})
    assert ran.status == 2
    assert value in ran.complaint


def test_a_mistake_of_ours_is_one_line_too() -> None:
    """Unless it is asked for the traceback."""
    program = "import httpx; httpx.Client = None; from entrypoints.__main__ import main; main()"
    for level, traceback in (("INFO", False), ("DEBUG", True)):
        done = subprocess.run(
            [sys.executable, "-c", program, *LISTING],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "LOG_LEVEL": level},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert ("Traceback" in done.stderr) is traceback
    assert "TypeError" in done.stderr


def on_a_terminal(*arguments: str, columns: int, **environment: str) -> str:
    """Run a command on a terminal of some width; return what it shows."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "entrypoints", *arguments],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "TERM": "xterm-256color",
            "COLUMNS": str(columns),
            **environment,
        },
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(master)
    assert process.wait() == 0
    return shown.decode()


def test_a_table_fits_the_terminal_and_has_colours_there(service: RunningService) -> None:
    """The id is whole on any width; NO_COLOR is honoured."""
    schedule = service.add(user_id="terminal", name="A long name " * 10, graph_id="g" * 80)
    environment = {"SCHEDULER_URL": service.url, "SCHEDULER_USER": "terminal"}
    for columns in (60, 80, 120):
        out = on_a_terminal("list", columns=columns, NO_COLOR="1", **environment)
        assert "\x1b[3" not in out
        lines = re.sub(r"\x1b\[[0-9;]*m", "", out).splitlines()
        assert all(len(line) <= columns for line in lines)
        if columns >= 80:
            assert any(schedule["id"] in line for line in lines)
        assert "…" in out
    service.call("pause_graph_execution_schedule", schedule_id=schedule["id"], user_id="terminal")
    assert "\x1b[33m" in on_a_terminal("list", "--all", columns=100, **environment)


def test_who_has_read_enough_may_go(service: RunningService) -> None:
    """`list | head -1` is no error."""
    for number in range(300):
        service.add(user_id="head", name=f"{number}" * 300)
    process = start("list", environment={"SCHEDULER_URL": service.url, "SCHEDULER_USER": "head"})
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    said, status = process.stderr.read(), process.wait()
    process.stderr.close()
    assert (said, status) == ("", 0)


def test_completion_is_there() -> None:
    """As bash asks for it, by the name that the script has."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['agpt-scheduler']; from entrypoints.cli import app; app()"],
        env={
            "PYTHONPATH": str(ROOT / "src"),
            "_AGPT_SCHEDULER_COMPLETE": "complete_bash",
            "COMP_WORDS": "agpt-scheduler mig",
            "COMP_CWORD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["migrate-weekdays"], "")


SIMPLE = ["list", "show", "pause", "resume", "delete", "run-now", "runs", "doctor", "migrate-weekdays"]


@pytest.mark.parametrize("name", [*SIMPLE, "add", "update", "backfill"])
def test_help_has_examples(name: str) -> None:
    """Of every command that talks about schedules."""
    out = run(name, "--help", COLUMNS="100").out
    assert f"agpt-scheduler {name}" in " ".join(out.split())
