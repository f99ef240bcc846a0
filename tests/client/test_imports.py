"""The client is light: a service that imports it gets httpx and pydantic, and nothing of the server's."""

import subprocess
import sys

from tests.running import ROOT

# rich is not among them: httpx imports it, where it is, for a command line of its own.
HEAVY = [
    "aiohttp",
    "alembic",
    "apscheduler",
    "dependency_injector",
    "dotenv",
    "jwt",
    "litestar",
    "prometheus_client",
    "psycopg2",
    "pydantic_settings",
    "sqlalchemy",
    "standardwebhooks",
    "structlog",
    "typer",
    "tzlocal",
    "uvicorn",
    "uvloop",
    "yarl",
    "adapters",
    "entrypoints.settings",
    "entrypoints.container",
]


def test_it_pulls_in_none_of_the_servers_dependencies() -> None:
    """Not even when it is called."""
    program = f"""
import sys
from entrypoints.client import SyncSchedulerClient
try:
    SyncSchedulerClient("http://127.0.0.1:1", retries=0).get_execution_schedules()
except ConnectionError:
    pass
print(*sorted(set({HEAVY!r}) & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""
