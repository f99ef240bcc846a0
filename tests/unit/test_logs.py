"""Log lines."""

import io
import json
import logging
import re
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


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_lines_on_a_terminal_are_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock time, the words, the fields; nothing that only a machine would read."""
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    logs.configure("INFO", stream=out)
    logging.getLogger("adapters.x").info("fired graph g", extra={"job_id": "j1"})
    assert re.fullmatch(r"\d\d:\d\d:\d\d \[info\] fired graph g +job_id=j1\n", out.getvalue()), out.getvalue()


def test_a_traceback_on_a_terminal_shows_no_variables() -> None:
    """Local variables are where inputs and credentials are."""

    def call(inputs: str) -> None:
        raise RuntimeError("postgresql://user:hush@host/db is wrong" if inputs else "")

    out = Terminal()
    logs.configure("INFO", stream=out)
    try:
        call("a value to hide"[::-1])
    except RuntimeError:
        logging.getLogger("x").exception("broken")
    assert "RuntimeError" in out.getvalue()
    assert "a value to hide"[::-1] not in out.getvalue()
    assert "hush" not in out.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_the_servers_own_start_and_stop_lines_are_left_out(stream: type[io.StringIO]) -> None:
    """The service says itself when it is ready and when it stops; warnings stay."""
    out = stream()
    logs.configure("DEBUG", stream=out)
    logging.getLogger("uvicorn.error").info("Started server process [1]")
    assert out.getvalue() == ""
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    assert "Invalid HTTP request" in out.getvalue()
