"""`serve` and `uninstall`: the service itself."""

from typing import Annotated, Any

import typer
from typer.core import TyperCommand


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(cls=_ServeCommand)(serve)
    app.command()(uninstall)


class _ServeCommand(TyperCommand):
    """`serve`, whose help goes on with every setting."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from entrypoints.settings_help import as_text  # noqa: PLC0415  keeps `preview` quick

        super().format_help(ctx, formatter)
        typer.echo(" Settings, from the environment, then from .env in the working directory:\n")
        typer.echo(as_text())


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

    raise typer.Exit(run_service(Settings.load(), system_tasks=system_tasks, workers=workers))


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
    typer.echo(f"Removed from: {remove(Settings.load())}")
