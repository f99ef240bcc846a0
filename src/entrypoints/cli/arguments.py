"""The options of schedules: when they run, and what with."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

TIMING = "Timing"

Cron = Annotated[
    str | None,
    typer.Option("--cron", "-c", help="Five crontab fields, or @daily and its like.", rich_help_panel=TIMING),
]
At = Annotated[
    str | None, typer.Option(help="Instead of --cron: run once, then (ISO 8601).", rich_help_panel=TIMING)
]
Timezone = Annotated[
    str | None, typer.Option("--timezone", "-z", help="IANA zone; default the service's.", rich_help_panel=TIMING)
]
Start = Annotated[str | None, typer.Option(help="Don't run before (ISO 8601).", rich_help_panel=TIMING)]
End = Annotated[str | None, typer.Option(help="Don't run after (ISO 8601).", rich_help_panel=TIMING)]
Jitter = Annotated[
    int | None,
    typer.Option(min=0, help="Run up to so many seconds late, always the same.", rich_help_panel=TIMING),
]
Input = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", metavar="KEY=VALUE", help="One input; a value that is JSON is taken as that."),
]
Inputs = Annotated[str | None, typer.Option(metavar="JSON|@FILE", help="All inputs, as a JSON object.")]
Credentials = Annotated[
    str | None,
    typer.Option(metavar="JSON|@FILE", help="Which credentials each input takes: id, provider, type, title."),
]


def given(**arguments: Any) -> dict[str, Any]:
    """Return the arguments that were given."""
    return {name: value for name, value in arguments.items() if value is not None}


def inputs_of(pairs: Sequence[str] | None, whole: str | None) -> dict[str, Any] | None:
    """Return the inputs that were given, None for none: those of `--inputs`, and over them each `--input`."""
    if not pairs and whole is None:
        return None
    found = json_object(whole, "--inputs") or {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise typer.BadParameter(f"{pair!r} is not KEY=VALUE")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


def json_object(text: str | None, option: str) -> dict[str, Any] | None:
    """Return a JSON object, given as text or as the file that holds it."""
    if text is None:
        return None
    try:
        found = json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except OSError as error:
        raise typer.BadParameter(f"{option}: {error}") from None
    except ValueError as error:
        raise typer.BadParameter(f"{option} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{option} is not a JSON object")
    return found
