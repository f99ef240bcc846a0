"""What every test runs with: no setting from outside."""

import os
import signal
from pathlib import Path

import pytest

from entrypoints.settings import Settings

# A shell ignores it for what it starts in the background; the processes that are started here would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Clear every setting from the environment, and stand where there is no `.env`."""
    names = {name.upper() for name in Settings.model_fields}
    for variable in list(os.environ):
        if variable.upper() in names or variable.upper().startswith("SCHEDULER_") or variable.endswith("_HOST"):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
