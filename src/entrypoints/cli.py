"""The command line: `agpt-scheduler ...`."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from domain.cron import CronDialect
from domain.errors import InvalidScheduleError
from entrypoints.errors import StartError

app = typer.Typer(
    name="agpt-scheduler",
    help="Fires graph executions on cron schedules, from PostgreSQL, once and on time.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

_BAD_INPUT = 2
_UTC = "UTC"


def _show_version(wanted: bool) -> None:  # noqa: FBT001  typer calls it so
    if wanted:
        typer.echo(f"agpt-scheduler {version('agpt-scheduler')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Fire graph executions on cron schedules, from PostgreSQL, once and on time."""
    del show_version


class _ServeCommand(TyperCommand):
    """`serve`, whose help goes on with every setting."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from entrypoints.settings_help import as_text  # noqa: PLC0415  keeps `preview` quick

        super().format_help(ctx, formatter)
        typer.echo(" Settings, from the environment, then from .env in the working directory:\n")
        typer.echo(as_text())


@app.command(cls=_ServeCommand)
def serve(
    *,
    system_tasks: Annotated[
        bool, typer.Option("--system-tasks/--no-system-tasks", help="Register the platform's periodic tasks.")
    ] = True,
    workers: Annotated[
        int,
        typer.Option(
            min=1,
            max=64,
            help="Firing processes behind the port, each with SCHEDULER_DB_POOL_SIZE connections.",
        ),
    ] = 1,
) -> None:
    """Serve RPC and fire schedules until SIGTERM or SIGINT.

    Without DIRECT_URL a private PostgreSQL is started and firings are only recorded: good for a first look. With
    it, the service works on that database, and SCHEDULER_DISPATCH says who receives the executions. Any number of
    replicas may share a database; the original scheduler must not run beside them.

    Exit status: 0 after a stop, 1 after a breakdown, 2 when a setting keeps it from starting.
    """
    from entrypoints.service import serve as run_service  # noqa: PLC0415  keeps `preview` quick
    from entrypoints.settings import Settings  # noqa: PLC0415

    try:
        code = run_service(Settings.load(), system_tasks=system_tasks, workers=workers)
    except StartError as error:
        typer.echo(f"agpt-scheduler: {error}", err=True)
        raise typer.Exit(_BAD_INPUT) from None
    raise typer.Exit(code)


@app.command()
def uninstall(
    *, yes: Annotated[bool, typer.Option("--yes", help="Don't ask.", show_default=False)] = False
) -> None:
    """Remove this service's own tables; every schedule stays, as APScheduler has it.

    Stop every replica first. The history and the firings that wait for a retry are lost.
    """
    from entrypoints.settings import Settings  # noqa: PLC0415  keeps `preview` quick
    from entrypoints.uninstall import uninstall as remove  # noqa: PLC0415

    if not yes:
        typer.confirm("Remove the history and everything else but the schedules?", abort=True)
    try:
        typer.echo(f"Removed from: {remove(Settings.load())}")
    except StartError as error:
        typer.echo(f"agpt-scheduler: {error}", err=True)
        raise typer.Exit(_BAD_INPUT) from None


@app.command()
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
        raise typer.Exit(_BAD_INPUT)
    try:
        times = _preview(cron, timezone, after, count)
    except (InvalidScheduleError, ValueError) as error:
        typer.echo(f"agpt-scheduler: {error}", err=True)
        raise typer.Exit(_BAD_INPUT) from None
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
