"""Every setting explained, for `serve --help` and for the README."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from textwrap import indent

from entrypoints.settings import Settings

# The first setting of each group, in the order in which `Settings` has them.
_GROUPS = {
    "direct_url": "The original's settings, under its names",
    "scheduler_dispatch": "Who receives graph executions",
    "scheduler_max_in_flight": "Firing",
    "scheduler_timezone": "Cron, and the system tasks",
    "scheduler_rpc_token": "RPC and page",
    "scheduler_block_names": "Files",
}
NEIGHBOURS = """\
DATABASEMANAGER_HOST, NOTIFICATIONMANAGER_HOST, EXECUTIONMANAGER_HOST and
AGENTSERVER_HOST, in upper case, name the neighbours' hosts; PYRO_HOST stands in
for those that are not set."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A setting: its variable, its default as one would write it (empty for none), and what it is for."""

    variable: str
    default: str
    description: str


def groups() -> dict[str, list[Explained]]:
    """Return the settings by the title of their group."""
    found: dict[str, list[Explained]] = {}
    title = ""
    for name, field in Settings.model_fields.items():
        title = _GROUPS.get(name, title)
        default = field.default.value if isinstance(field.default, Enum) else field.default
        shown = "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
        found.setdefault(title, []).append(Explained(name.upper(), shown, field.description or ""))
    return found


def as_text() -> str:
    """Return the settings for a terminal."""
    return indent("\n".join([*_text(), NEIGHBOURS]), " ")


def as_markdown() -> str:
    """Return the settings as tables for the README."""
    return "\n".join(_markdown())


def _text() -> Iterator[str]:
    for title, settings in groups().items():
        yield title
        for setting in settings:
            yield f"  {setting.variable}" + (f"={setting.default}" if setting.default else "")
            yield f"      {setting.description}"
        yield ""


def _markdown() -> Iterator[str]:
    for title, settings in groups().items():
        yield f"\n{title}:\n"
        yield "| variable | default | |"
        yield "| --- | --- | --- |"
        for setting in settings:
            default = f"`{setting.default}`" if setting.default else ""
            yield f"| `{setting.variable}` | {default} | {setting.description} |"
