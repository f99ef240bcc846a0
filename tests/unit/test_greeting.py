"""What is said at the start."""

import pytest

from entrypoints.database_url import DatabaseUrl
from entrypoints.greeting import say_where
from entrypoints.settings import Settings

DATABASE = DatabaseUrl(url="postgresql+psycopg2://u:hush@h/db", schema="platform", display="h/db (schema platform)")


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines."""
    say_where(Settings.load(), 8003, DATABASE)
    return capsys.readouterr().out.splitlines()


def test_a_newcomer_is_told_what_to_try(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where, on what, that firings are only recorded, and a command; on an address that can be called."""
    monkeypatch.setenv("PYRO_HOST", "0.0.0.0")
    lines = said(capsys)
    assert (
        lines[0]
        == "agpt-scheduler listens on http://localhost:8003 (API documentation: http://localhost:8003/docs)"
    )
    assert lines[1] == "What is scheduled, what is coming, what happened: http://localhost:8003/ui"
    assert lines[2] == "Database: h/db (schema platform)"
    assert "only recorded" in lines[3]
    assert lines[5].startswith("  curl -s http://localhost:8003/add_graph_execution_schedule ")


@pytest.mark.parametrize(
    ("dispatch", "line"),
    [
        ("rpc", "Firings go to http://executor:8002/add_graph_execution"),
        ("rest", "Firings go to the REST API at http://localhost:8006"),
        ("python:os.path:join", "Firings go to the function os.path:join, in this process"),
        ("webhook:https://user:hush@example.org/hush?token=hush", "Firings go to the webhook at example.org"),
    ],
)
def test_an_operator_is_told_where_firings_go(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], dispatch: str, line: str
) -> None:
    """By host and path, or by host alone where the path may be a secret; no example to paste into production."""
    monkeypatch.setenv("DIRECT_URL", "postgresql://u:hush@h/db?schema=platform")
    monkeypatch.setenv("SCHEDULER_DISPATCH", dispatch)
    monkeypatch.setenv("SUPABASE_JWT_SECRET", "hush")
    monkeypatch.setenv("SCHEDULER_WEBHOOK_SECRET", "hush")
    monkeypatch.setenv("EXECUTIONMANAGER_HOST", "executor")
    assert said(capsys)[2:] == [line]
