"""What `serve --help` and the README say of the settings."""

from pathlib import Path

from typer.testing import CliRunner

from entrypoints.cli import app
from entrypoints.settings import Settings
from entrypoints.settings_help import as_markdown, groups

README = Path(__file__).resolve().parents[2] / "README.md"


def test_help_explains_every_setting() -> None:
    """An operator needs no other page."""
    result = CliRunner().invoke(app, ["serve", "--help"])
    assert result.exit_code == 0
    for name, field in Settings.model_fields.items():
        assert name.upper() in result.stdout
        assert str(field.description) in result.stdout


def test_defaults_are_shown_as_one_would_write_them() -> None:
    """An enum by its value, a flag in lower case, none as nothing."""
    shown = {each.variable: each.default for group in groups().values() for each in group}
    assert shown["SCHEDULER_CRON_DIALECT"] == "standard"
    assert shown["SCHEDULER_REPEAT_LATE_ALERTS"] == "false"
    assert shown["DIRECT_URL"] == ""


def test_readme_has_the_tables_that_settings_make() -> None:
    """Whoever adds a setting pastes what this test shows."""
    assert as_markdown() in README.read_text()
