"""`pause`, `resume`, `delete`: what is done to several schedules alike, over RPC."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

import typer

from domain.models import GraphExecutionJobInfo
from entrypoints.cli.arguments import given
from entrypoints.cli.connection import AsJson, Token, Url, User, service
from entrypoints.cli.output import complain, each, print_json, say, when
from entrypoints.cli.statuses import Status, explained
from entrypoints.client import SchedulerClientError

ScheduleIds = Annotated[list[str], typer.Argument(help="The ids of schedules.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (pause, resume, delete):
        app.command(command.__name__)(command)


def pause(
    schedules: ScheduleIds,
    user: User,
    *,
    reason: Annotated[str | None, typer.Option("--reason", "-r", help="Shown with the schedule.")] = None,
    by: Annotated[str | None, typer.Option(help="Who pauses it; default the user.")] = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Keep schedules from running until they are resumed; what waits to run is cancelled.

    **Example**: `agpt-scheduler pause $ID -u me --reason Holidays`
    """
    with service(url, token) as client:
        call = partial(client.pause_schedule, user_id=user, **given(reason=reason, by=by))
        _with_each(schedules, "Pausing", call, _changed("Paused", "was paused already"), as_json=as_json)


def resume(
    schedules: ScheduleIds,
    user: User,
    *,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Let paused schedules run again, from their next time on; what they missed does not run (see `backfill`).

    **Example**: `agpt-scheduler resume $ID -u me`
    """
    with service(url, token) as client:
        call = partial(client.resume_schedule, user_id=user)
        _with_each(schedules, "Resuming", call, _changed("Resumed", "was not paused"), as_json=as_json)


def delete(
    schedules: ScheduleIds,
    user: User,
    *,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Delete schedules; their history stays.

    **Example**: `agpt-scheduler list -u me --all --json | jq -r '.[].id' | xargs agpt-scheduler delete -u me`
    """
    with service(url, token) as client:
        call = partial(client.delete_schedule, user_id=user)
        _with_each(schedules, "Deleting", call, lambda info: f"Deleted {info.id} ({info.name})", as_json=as_json)


def _with_each(
    ids: Sequence[str],
    what: str,
    call: Callable[[str], GraphExecutionJobInfo],
    tell: Callable[[Any], str],
    *,
    as_json: bool,
) -> None:
    """Call for each schedule; one that is refused keeps none of the others, and decides the status."""
    done: list[GraphExecutionJobInfo] = []
    statuses: list[Status] = []
    for schedule in each(ids, what):
        try:
            done.append(call(schedule))
        except SchedulerClientError as error:
            message, status = explained(error)
            if status is Status.UNREACHABLE:
                raise
            complain(message if schedule in message else f"{schedule}: {message}")
            statuses.append(status)
        else:
            if not as_json:
                say(tell(done[-1]))
    if as_json:
        print_json(done)
    if statuses:
        raise typer.Exit(statuses[0])


def _changed(done: str, otherwise: str) -> Callable[[Any], str]:
    def tell(info: Any) -> str:
        coming = f"; next run {when(info.next_run_time)}" if info.next_run_time else ""
        return f"{done} {info.id}{coming}" if info.changed else f"{info.id} {otherwise}{coming}"

    return tell
