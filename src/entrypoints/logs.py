"""Log lines: for people on a terminal, JSON elsewhere, and secrets nowhere."""

import logging
import os
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
    for_a_person = out.isatty()
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if for_a_person else "iso", utc=not for_a_person),
        hide_secrets,
    ]
    last: list[Processor] = [structlog.processors.format_exc_info, hide_secrets]
    if for_a_person:
        # Its own way with tracebacks shows local variables, and with them payloads and credentials.
        plain = structlog.dev.plain_traceback
        colors = "NO_COLOR" not in os.environ
        last += [
            _without_logger_name,
            structlog.dev.ConsoleRenderer(
                colors=colors, pad_event_to=0, pad_level=False, exception_formatter=plain
            ),
        ]
    else:
        last.append(structlog.processors.JSONRenderer())
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
    logging.getLogger("uvicorn.error").setLevel(max(root.level, logging.WARNING))  # we say when we start and stop
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


def _without_logger_name(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop what a person at a terminal has no use for."""
    del logger, method
    event.pop("logger", None)
    return event
