"""Virtual environments with stock APScheduler, built through pip when first needed and kept in `.cache`."""

import json
import os
import subprocess
import venv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

VERSIONS = ("3.10.4", "3.11.0", "3.11.3")
_CACHE = Path(__file__).resolve().parents[3] / ".cache" / "stock-apscheduler"
_WORKER = Path(__file__).resolve().parent / "worker.py"
_REQUIREMENTS = ("sqlalchemy", "psycopg2-binary", "setuptools<81")  # 3.10.4 needs setuptools' pkg_resources


class NotInstallableError(Exception):
    """Pip could not install a version, most likely for want of a package index."""


@dataclass(frozen=True)
class StockAPScheduler:
    """An unmodified APScheduler of one version, worked from outside through its own process."""

    version: str
    python: Path

    def run(self, command: str, url: str) -> Any:
        """Return what `worker.py COMMAND URL` answers."""
        done = subprocess.run(
            [self.python, "-W", "ignore", _WORKER, command, url],
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def _environment() -> dict[str, str]:
    """Return this process's environment, without what would bring its packages along."""
    return {**{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, "TZ": "UTC"}


@lru_cache
def stock_apscheduler(version: str) -> StockAPScheduler:
    """Return APScheduler of `version`, installed. Raises NotInstallableError."""
    home = _CACHE / version
    python, ready = home / "bin" / "python", home / "ready"
    if not ready.exists():
        venv.create(home, clear=True, with_pip=True)
        done = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", f"apscheduler=={version}", *_REQUIREMENTS],
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        if done.returncode != 0:
            raise NotInstallableError(f"pip could not install APScheduler {version} (exit {done.returncode})")
        ready.touch()
    return StockAPScheduler(version, python)
