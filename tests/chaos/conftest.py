"""A database, a receiver and services of a test's own."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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


def together(start: Start, number: int, *arguments: str, **settings: str) -> list[RunningService]:
    """Start several services at once."""
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(lambda _: start(*arguments, **settings), range(number)))


@pytest.fixture
def start(tmp_path: Path, receiver: ChaosReceiver) -> Iterator[Start]:
    """Return what starts a service on a database; those that still run in the end are killed."""
    running: list[RunningService] = []
    numbers = itertools.count()

    def start(url: str, *options: str, **settings: str) -> RunningService:
        settings = {
            "DIRECT_URL": direct_url(url),
            "SCHEDULER_DISPATCH": "rpc",
            "EXECUTION_MANAGER_PORT": str(receiver.port),
            "SCHEDULER_LEASE_SECS": "2",
            **settings,
        }
        folder = tmp_path / f"service{next(numbers)}"
        service = RunningService(folder, settings, *options or ("--no-system-tasks",))
        running.append(service)
        return service.wait_until_ready()

    yield start
    for service in running:
        if service.process.poll() is None:
            service.kill()
