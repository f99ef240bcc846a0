"""Who is measured: the service as operators run it, and stock APScheduler, each as processes of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks.arrivals import FOLDER_VARIABLE
from tests.running import ROOT, RunningService

NO_OP = "python:benchmarks.receivers:no_op"


class Running(Protocol):
    """A contender at work."""

    @property
    def pids(self) -> list[int]:
        """Its processes."""
        ...

    def stop(self) -> None:
        """End it."""
        ...


class Contender(Protocol):
    """Something that fires schedules."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        ...

    def start(self, url: str, folder: Path, receiver_port: int | None = None) -> Running:
        """Start it on a database; return once it is ready to fire."""
        ...

    def lead_secs(self, count: int) -> float:
        """Return how long before `count` rows come due they must be written, for it to be ready in time."""
        ...


@dataclass
class RunningReplicas:
    """One or more processes of ours."""

    services: list[RunningService]

    @property
    def pids(self) -> list[int]:
        """Return their processes."""
        return [service.process.pid for service in self.services]

    def stop(self) -> None:
        """End them gracefully."""
        for service in self.services:
            if service.process.poll() is None:
                service.stop()


@dataclass(frozen=True)
class Ours:
    """`agpt-scheduler serve`, as many processes as there are `replicas`."""

    name: str = "agpt-scheduler"
    replicas: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ("--no-system-tasks",)

    def start(self, url: str, folder: Path, receiver_port: int | None = None) -> RunningReplicas:
        """Start it, and wait until it has looked through the rows."""
        settings = {"DIRECT_URL": url, FOLDER_VARIABLE: str(folder), **self.settings}
        if receiver_port is None:
            settings["SCHEDULER_DISPATCH"] = NO_OP
        else:
            settings |= {"SCHEDULER_DISPATCH": "rpc", "EXECUTION_MANAGER_PORT": str(receiver_port)}
        services = [RunningService(folder / f"replica{n}", settings, *self.options) for n in range(self.replicas)]
        for service in services:
            service.wait_until_ready()
            while service.client.get("/ready").json()["backfill"] != "complete":
                time.sleep(0.1)
        return RunningReplicas(services)

    def lead_secs(self, count: int) -> float:
        """Leave time to start and to look through the rows."""
        return 4 + 2 * self.replicas + count / 8000


@dataclass
class RunningStock:
    """The process of stock APScheduler."""

    process: subprocess.Popen[bytes]

    @property
    def pids(self) -> list[int]:
        """Return it."""
        return [self.process.pid]

    def stop(self) -> None:
        """End it, at once if need be: a loop that is busy does not listen."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@dataclass(frozen=True)
class Stock:
    """APScheduler 3.11 with SQLAlchemyJobStore and ten threads."""

    lenient: bool

    @property
    def name(self) -> str:
        """Return what it is called in tables."""
        return "APScheduler, grace None" if self.lenient else "APScheduler, as it comes"

    def start(self, url: str, folder: Path, receiver_port: int | None = None) -> RunningStock:
        """Start it."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), FOLDER_VARIABLE: str(folder), "TZ": "UTC"}
        if receiver_port is not None:
            environment["BENCH_RECEIVER_PORT"] = str(receiver_port)
        with (folder / "stock.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.stock", url, "none" if self.lenient else "default"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert process.stdout is not None
        assert process.stdout.readline(), (folder / "stock.log").read_text()
        return RunningStock(process)

    def lead_secs(self, count: int) -> float:
        """Leave time to start."""
        return 3 + count / 20_000


OURS = Ours()
AS_IT_COMES = Stock(lenient=False)
LENIENT = Stock(lenient=True)
EVERYBODY: tuple[Contender, ...] = (OURS, LENIENT, AS_IT_COMES)
