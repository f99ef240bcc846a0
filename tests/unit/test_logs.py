"""Log lines."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from entrypoints import logs


@pytest.fixture(autouse=True)
def _root_logger_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def logged(out: io.StringIO) -> dict[str, object]:
    """Return the only line that was logged."""
    found: dict[str, object] = json.loads(out.getvalue())
    return found


def test_lines_are_json_with_their_fields() -> None:
    """A job's id is a field that can be searched for."""
    out = io.StringIO()
    logs.configure("INFO", stream=out)
    logging.getLogger("domain.x").warning("firing %s", "failed", extra={"job_id": "j1"})
    line = logged(out)
    assert (line["event"], line["job_id"], line["level"], line["logger"]) == (
        "firing failed",
        "j1",
        "warning",
        "domain.x",
    )
    assert "timestamp" in line


@pytest.mark.parametrize("key", ["input_data", "credentials", "password", "payload", "token"])
def test_payloads_and_secrets_are_hidden_by_name(key: str) -> None:
    """Nobody can log them by accident."""
    out = io.StringIO()
    logs.configure("INFO", stream=out)
    logging.getLogger("x").info("hello", extra={key: "hush"})
    assert logged(out)[key] == "[hidden]"


def test_passwords_in_urls_are_hidden_by_place() -> None:
    """An error that quotes a URL does not quote its password, nor does a traceback."""
    out = io.StringIO()
    logs.configure("INFO", stream=out)
    error = ValueError("postgresql://user:hush@host/db")
    logging.getLogger("x").error("no way to postgresql://user:hush@host/db", exc_info=error)
    assert "hush" not in out.getvalue()
    assert "user:[hidden]@host" in out.getvalue()


def test_lines_below_the_level_are_left_out() -> None:
    """LOG_LEVEL decides."""
    out = io.StringIO()
    logs.configure("WARNING", stream=out)
    logging.getLogger("x").info("quiet")
    assert out.getvalue() == ""
