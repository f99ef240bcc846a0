"""What keeps the service from starting: one line, status 2, and nothing said or started before it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.running import KEPT, ROOT

DATABASE = "postgresql://u:hush@127.0.0.1:1/db"


def serve(folder: Path, settings: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run `agpt-scheduler serve` to its end."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment |= {"PYTHONPATH": str(ROOT / "src"), "EXECUTION_SCHEDULER_PORT": "0", "TZ": "UTC", **settings}
    command = [sys.executable, "-m", "entrypoints", "serve", *options]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"EXECUTION_SCHEDULER_PORT": "abc"}, "EXECUTION_SCHEDULER_PORT is 'abc': "),
        ({"DIRECT_URL": DATABASE}, "SCHEDULER_DISPATCH must be set with DIRECT_URL: "),
        ({"DIRECT_URL": "postgresql://u:hush@h"}, "DIRECT_URL names no database; "),
        ({"DIRECT_URL": "mysql://u:hush@h/db"}, "DIRECT_URL has the scheme 'mysql'; "),
        (
            {"DIRECT_URL": DATABASE, "SCHEDULER_DISPATCH": "python:no.such:thing"},
            "SCHEDULER_DISPATCH can't be used: can't import no.such ",
        ),
        ({"SCHEDULER_BLOCK_NAMES": "/no/such/file"}, "SCHEDULER_BLOCK_NAMES can't be read: "),
        ({"TZ": "Mars/Olympus"}, "TZ is 'Mars/Olympus': "),
        ({"PYRO_HOST": "no-such-host.invalid"}, "PYRO_HOST 'no-such-host.invalid' can't be resolved: "),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path: Path, settings: Mapping[str, str], line: str) -> None:
    """An operator reads which setting and what is expected of it; no traceback, no password."""
    done = serve(tmp_path, settings)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"agpt-scheduler: {line}")
    assert done.stderr.count("\n") == 1
    assert "hush" not in done.stderr
    assert list(tmp_path.iterdir()) == []  # and no database was made


def test_an_unknown_option_is_named(tmp_path: Path) -> None:
    """With status 2, as all bad usage."""
    done = serve(tmp_path, {}, "--bogus")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such option: --bogus" in done.stderr
