"""How commands reach the service: the options that they share, and the client that comes of them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from dotenv import dotenv_values

from entrypoints.client import ClientSettings, SyncSchedulerClient
from entrypoints.errors import SettingsError

_CONNECTION = "Connection"
_BACKOFF_SECS = 0.1  # somebody is waiting at a terminal

User = Annotated[
    str, typer.Option("--user", "-u", envvar="SCHEDULER_USER", help="Whose schedules they are.", show_default=False)
]
AnyUser = Annotated[
    str | None, typer.Option("--user", "-u", envvar="SCHEDULER_USER", help="Whose; empty for everybody's.")
]
Url = Annotated[
    str | None,
    typer.Option(
        envvar="SCHEDULER_URL",
        help="Where the service is; default from SCHEDULER_HOST and EXECUTION_SCHEDULER_PORT.",
        rich_help_panel=_CONNECTION,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="SCHEDULER_RPC_TOKEN",
        help="The service's token, where it wants one. Better in the variable, which no list of processes shows.",
        show_default=False,
        rich_help_panel=_CONNECTION,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ScheduleId = Annotated[str, typer.Argument(help="The schedule's id.", show_default=False)]


def client_settings(url: str | None, token: str | None) -> ClientSettings:
    """Return where the service is: options, environment, `.env` of the working directory. Raises SettingsError."""
    stated = {name: value for name, value in dotenv_values(".env").items() if value is not None} | dict(os.environ)
    try:
        return ClientSettings.from_environment(stated, url=url, token=token, backoff_secs=_BACKOFF_SECS)
    except ValueError as error:
        variable, _, problem = str(error).partition(" ")
        raise SettingsError(variable, problem) from None


@contextmanager
def service(url: str | None, token: str | None) -> Iterator[SyncSchedulerClient]:
    """Yield a client of the service."""
    with SyncSchedulerClient(settings=client_settings(url, token)) as client:
        yield client
