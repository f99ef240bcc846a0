"""Log lines: for people on a terminal, JSON elsewhere, and secrets nowhere."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

_SECRET_KEYS = frozenset(
    {
        "authorization",
        "credentials",
        "graph_credentials_inputs",
        "input_credentials",
        "input_data",
        "inputs",
        "kwargs",
        "password",
        "payload",
        "secret",
        "token",
    }
)
_URL_PASSWORD = re.compile(r"(\w+://[^\s:/@]*):[^\s@/]+@")
_HIDDEN = "[hidden]"


def configure(level: str, *, stream: TextIO | None = None) -> None:
    """Send every log record of the process to `stream` (standard error), at `level` and above."""
    out = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    last: list[Processor]
    if out.isatty():
        last = [structlog.dev.ConsoleRenderer(colors=True, pad_event_to=0)]
    else:
        last = [
            structlog.processors.format_exc_info,
            hide_secrets,
            structlog.processors.JSONRenderer(),
        ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "alembic", "apscheduler", "asyncio", "urllib3", "google"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def hide_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide what no log may hold: payloads and credentials by their names, passwords in URLs by their place."""
    del logger, method
    for key, value in event.items():
        if key.lower() in _SECRET_KEYS:
            event[key] = _HIDDEN
        elif isinstance(value, str) and "://" in value:
            event[key] = _URL_PASSWORD.sub(rf"\1:{_HIDDEN}@", value)
    return event
