"""The database that a command works on: the operator's, or a private one."""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.embedded_postgres import EmbeddedPostgres
from entrypoints.database_url import DatabaseUrl
from entrypoints.errors import StartError
from entrypoints.settings import Settings
from ports.errors import StoreUnavailable


@contextmanager
def opened(settings: Settings) -> Iterator[DatabaseUrl]:
    """Yield the database of DIRECT_URL, or a private one that runs meanwhile. Raises StartError."""
    if not settings.embedded:
        yield settings.database_url()
        return
    embedded = EmbeddedPostgres(settings.scheduler_data_dir)
    try:
        url = embedded.start()
    except StoreUnavailable as error:
        raise StartError(str(error)) from None
    try:
        yield DatabaseUrl(
            url=url, schema="public", display=f"a private PostgreSQL, its data in {embedded.data_dir}"
        )
    finally:
        embedded.stop()
