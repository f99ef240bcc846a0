"""The service as operators run it: a process of its own, real signals, real HTTP."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.postgres import SCHEMA, plain

ROOT = Path(__file__).resolve().parents[1]
KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "XDG_RUNTIME_DIR", "VIRTUAL_ENV")


def direct_url(url: str) -> str:
    """Return a test database's URL as operators write it, schema included."""
    return f"{plain(url)}&schema={SCHEMA}"


class RunningService:
    """`agpt-scheduler serve` with nothing in its environment but what a test gives."""

    def __init__(self, folder: Path, settings: Mapping[str, str], *options: str) -> None:
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment |= {
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "EXECUTION_SCHEDULER_PORT": "0",
            "PYRO_HOST": "127.0.0.1",
            "TZ": "UTC",
            **settings,
        }
        folder.mkdir(exist_ok=True)
        self.log = folder / "service.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "entrypoints", "serve", *options],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        try:
            self.said = self._read_greeting()
        except BaseException:
            self.process.kill()
            self._ended(10)
            raise
        self.url = self.said.split(" listens on ")[1].split()[0]
        self.client = httpx.Client(base_url=self.url, timeout=30)

    def _read_greeting(self) -> str:
        """Return what it prints until its database line; the port is in there."""
        out = self.process.stdout
        assert out is not None
        said = ""
        end = time.monotonic() + 60
        while "Database:" not in said:
            ready, _, _ = select.select([out], [], [], max(0.0, end - time.monotonic()))
            chunk = os.read(out.fileno(), 65536).decode() if ready else ""
            assert chunk, f"it did not start: {said}{self.log.read_text()}"
            said += chunk
        return said

    def wait_until_ready(self, seconds: float = 60) -> "RunningService":
        """Return once `/ready` says so."""
        end = time.monotonic() + seconds
        while self.client.get("/ready").status_code != 200:
            assert time.monotonic() < end, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        return self

    def call(self, method: str, **arguments: Any) -> httpx.Response:
        """Call an RPC method."""
        return self.client.post(f"/{method}", json=arguments)

    def add(self, user_id: str = "u", cron: str = "* * * * *", **more: Any) -> dict[str, Any]:
        """Add a schedule and return it."""
        arguments = {"graph_id": "g", "graph_version": 1, "input_data": {}, "input_credentials": {}} | more
        response = self.call("add_graph_execution_schedule", user_id=user_id, cron=cron, **arguments)
        assert response.status_code == 200, response.text
        added: dict[str, Any] = response.json()
        return added

    def schedules(self, **filters: str) -> list[dict[str, Any]]:
        """Return a list of schedules."""
        found: list[dict[str, Any]] = self.call("get_graph_execution_schedules", **filters).json()
        return found

    def lines(self) -> list[dict[str, Any]]:
        """Return what it logged so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 30) -> int:
        """Send a signal and return the exit status."""
        self.client.close()
        self.process.send_signal(number)
        return self._ended(seconds)

    def kill(self) -> int:
        """End it as a crash does."""
        return self.stop(signal.SIGKILL)

    def _ended(self, seconds: float) -> int:
        status = self.process.wait(seconds)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status
