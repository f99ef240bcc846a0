"""`preview`: when an expression fires, by the domain itself, without a service."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from domain.cron import CronDialect
from domain.errors import InvalidScheduleError
from entrypoints.cli.statuses import Status

_UTC = "UTC"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(preview)


def preview(
    cron: Annotated[
        str | None, typer.Argument(help="A cron expression, five fields or @daily and its like.")
    ] = None,
    *,
    timezone: Annotated[str, typer.Option(help="IANA time zone.")] = _UTC,
    after: Annotated[
        str | None, typer.Option(help="ISO-8601; default now. Without an offset: in the zone.")
    ] = None,
    count: Annotated[int, typer.Option(help="How many times.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
    jsonl: Annotated[
        bool,
        typer.Option(
            "--jsonl", help='Read {"cron","timezone","after","count"} lines, write {"times"} or {"error"}.'
        ),
    ] = False,
) -> None:
    """Show when an expression fires, strictly after a moment."""
    if jsonl:
        for line in _previewed_lines():
            sys.stdout.write(line)
            sys.stdout.flush()  # whoever asks line by line waits for it
        return
    if cron is None:
        typer.echo("agpt-scheduler: preview needs a cron expression", err=True)
        raise typer.Exit(Status.BAD_INPUT)
    try:
        times = _preview(cron, timezone, after, count)
    except (InvalidScheduleError, ValueError) as error:
        typer.echo(f"agpt-scheduler: {error}", err=True)
        raise typer.Exit(Status.BAD_INPUT) from None
    if as_json:
        typer.echo(json.dumps([time.isoformat() for time in times]))
    else:
        for time in times:
            typer.echo(f"{time:%a} {time.isoformat()}")


def _preview(cron: object, timezone: object, after: object, count: object) -> list[datetime]:
    from domain.preview import preview as fire_times  # noqa: PLC0415

    if not (isinstance(cron, str) and isinstance(timezone, str)):
        raise InvalidScheduleError("cron and timezone must be text")
    if not (after is None or isinstance(after, str)) or not isinstance(count, int) or isinstance(count, bool):
        raise InvalidScheduleError("after must be ISO-8601 text, count a number")
    moment = datetime.now(UTC) if after is None else datetime.fromisoformat(after)
    return fire_times(cron, timezone=timezone, after=moment, count=count, dialect=CronDialect.STANDARD)


def _previewed_lines() -> Iterator[str]:
    for line in sys.stdin.buffer:  # as bytes: a line that is no text is an answer too
        answer: dict[str, Any]
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise InvalidScheduleError("a line must be a JSON object")
            times = _preview(row.get("cron"), row.get("timezone", _UTC), row.get("after"), row.get("count", 5))
            answer = {"times": [time.isoformat() for time in times]}
        except (ValueError, RecursionError) as error:
            answer = {"error": str(error) or type(error).__name__}
        yield json.dumps(answer) + "\n"
