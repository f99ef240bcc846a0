"""A running service, and ways to run commands against it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest
from typer.testing import CliRunner

from entrypoints.cli import app
from tests.postgres import session_server
from tests.running import ROOT, RunningService, direct_url


@dataclass
class Ran:
    """What a command ended in."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, which succeeded."""
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line on standard error of a command that printed nothing else."""
        assert self.out == ""
        assert self.err.startswith("agpt-scheduler: ")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("agpt-scheduler: ").rstrip()


Command: TypeAlias = Callable[..., Ran]


def run(*arguments: str, **environment: str) -> Ran:
    """Run a command in this process."""
    result = CliRunner().invoke(app, list(arguments), env=environment)
    return Ran(result.exit_code, result.stdout, result.stderr)


def start(*arguments: str, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Start a command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "entrypoints", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run a service that records; tests keep apart by their users."""
    database = session_server().new_database()
    settings = {"DIRECT_URL": direct_url(database), "SCHEDULER_DISPATCH": "record"}
    running = RunningService(tmp_path_factory.mktemp("cli"), settings, "--no-system-tasks").wait_until_ready()
    yield running
    assert running.stop() == 0
    session_server().drop(database)


@pytest.fixture
def command(service: RunningService, request: pytest.FixtureRequest) -> Command:
    """Return a way to run commands as a user of the test's own."""
    environment = {"SCHEDULER_URL": service.url, "SCHEDULER_USER": request.node.name}

    def command(*arguments: str, **more: str) -> Ran:
        return run(*arguments, **(environment | more))

    return command
