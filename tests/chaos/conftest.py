"""A database, a receiver and services of a test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.receiver import ChaosReceiver
from tests.postgres import Server, session_server
from tests.running import RunningService, direct_url

Start = Callable[..., RunningService]


@pytest.fixture
def database() -> Iterator[str]:
    """Return the URL of a fresh, migrated database."""
    url = session_server().new_database()
    yield url
    session_server().drop(url)


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a PostgreSQL that the test may take down."""
    found = Server()
    yield found
    found.close()


@pytest.fixture
def receiver() -> Iterator[ChaosReceiver]:
    """Return a receiver on loopback."""
    found = ChaosReceiver()
    yield found
    found.close()


@pytest.fixture
def start(tmp_path: Path, receiver: ChaosReceiver) -> Iterator[Start]:
    """Return what starts a service on a database; those that still run in the end are killed."""
    running: list[RunningService] = []

    def start(url: str, *options: str, **settings: str) -> RunningService:
        settings = {
            "DIRECT_URL": direct_url(url),
            "SCHEDULER_DISPATCH": "rpc",
            "EXECUTION_MANAGER_PORT": str(receiver.port),
            "SCHEDULER_LEASE_SECS": "2",
            **settings,
        }
        service = RunningService(tmp_path / f"service{len(running)}", settings, *options or ("--no-system-tasks",))
        running.append(service)
        return service.wait_until_ready()

    yield start
    for service in running:
        if service.process.poll() is None:
            service.kill()
