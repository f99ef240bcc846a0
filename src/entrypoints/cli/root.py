"""The command itself: its name and help, and how every error of every command ends in one line and a status."""

import os
import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from entrypoints.cli.statuses import Status, explained

STATUSES = """\
Exit status: 0 done; 1 something is wrong: a run failed, `doctor` found something, the service broke; 2 bad input
or settings; 3 the service or the database can't be reached; 4 no such schedule; 5 not allowed: another user's
schedule, or a wrong token; 130 interrupted."""


class _Group(TyperGroup):
    """Ends with one line on standard error, never with a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        standalone = kwargs.get("standalone_mode", True)
        try:
            status = super().main(*args, **kwargs | {"standalone_mode": False})
        except typer.Abort:
            status = _fail("not done", Status.WRONG)
        except KeyboardInterrupt:
            status = _fail("interrupted", Status.INTERRUPTED)
        except TyperException as error:
            status = _fail(_usage(error), Status.BAD_INPUT)
        except Exception as error:
            if os.environ.get("LOG_LEVEL", "").upper() == "DEBUG":
                raise
            status = _fail(*explained(error))
        if standalone:
            sys.exit(status if isinstance(status, int) else Status.DONE)
        return status

    def invoke(self, ctx: Any) -> Any:
        """Run the command; whoever reads its output may have enough before it ends."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            # What is buffered goes nowhere, so that the interpreter does not complain at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Status.DONE


def _fail(message: str, status: Status) -> Status:
    line = " ".join(message.split())
    typer.echo(f"agpt-scheduler: {line}", err=True)
    return status


def _usage(error: TyperException) -> str:
    """Return what is wrong with the arguments, and where to read how they go."""
    said = error.format_message() if hasattr(error, "format_message") else str(error)
    said = said.rstrip(".").removeprefix("Invalid value: ")
    context = getattr(error, "ctx", None)
    if context is None:
        return said
    command = context.command_path.replace("python -m entrypoints", "agpt-scheduler")
    return f"{said} (see {command} --help)"


app = typer.Typer(
    name="agpt-scheduler",
    cls=_Group,
    help="Fires graph executions on cron schedules, from PostgreSQL, once and on time.",
    epilog=STATUSES,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


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
