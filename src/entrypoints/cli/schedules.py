"""`add`, `list`, `show`, `update`: schedules, over RPC."""

import json
from typing import Annotated, Any

import typer

from domain.models import GraphExecutionJobInfo
from entrypoints.cli.arguments import (
    TIMING,
    At,
    Credentials,
    Cron,
    End,
    Input,
    Inputs,
    Jitter,
    Start,
    Timezone,
    given,
    inputs_of,
    json_object,
)
from entrypoints.cli.connection import AnyUser, AsJson, ScheduleId, Token, Url, User, service
from entrypoints.cli.output import Column, complain, plain, print_facts, print_json, print_table, say, when
from entrypoints.client import SyncSchedulerClient

_SHOWN_RUNS = 3
_PAGE = 1000


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (add, list_, show, update):
        app.command(command.__name__.rstrip("_"))(command)


def add(
    graph: Annotated[str, typer.Argument(help="The graph to run.", show_default=False)],
    user: User,
    *,
    cron: Cron = None,
    at: At = None,
    timezone: Timezone = None,
    start: Start = None,
    end: End = None,
    jitter: Jitter = None,
    version: Annotated[int, typer.Option("--graph-version", "-g", help="The graph's version.")] = 1,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Shown to the user.")] = None,
    schedule_id: Annotated[
        str | None, typer.Option("--id", help="An id of your own; adding again under it replaces the schedule.")
    ] = None,
    input_: Input = None,
    inputs: Inputs = None,
    credentials: Credentials = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Add a schedule: run a graph by a cron expression, or once.

    **Examples**

    - `agpt-scheduler add digest -u me --cron '0 9 * * 1-5' -z Europe/Berlin -i topic=news`

    - `agpt-scheduler add report -u me --at 2027-01-01T09:00 --inputs @inputs.json`

    - `ID=$(agpt-scheduler add digest -u me -c @daily --json | jq -r .id)`
    """
    if (cron is None) == (at is None):
        raise typer.BadParameter("either --cron or --at is needed, and not both")
    chosen = given(
        cron=cron,
        run_at=at,
        user_timezone=timezone,
        start_at=start,
        end_at=end,
        jitter_secs=jitter,
        name=name,
        schedule_id=schedule_id,
    )
    with service(url, token) as client:
        added = client.add_execution_schedule(
            user,
            graph,
            version,
            input_data=inputs_of(input_, inputs) or {},
            input_credentials=json_object(credentials, "--credentials") or {},
            **chosen,
        )
        _present(client, added, f"Added {added.id}", as_json=as_json)


def list_(
    *,
    user: AnyUser = None,
    graph: Annotated[str | None, typer.Option("--graph", help="Of this graph only.")] = None,
    paused: Annotated[bool, typer.Option("--all", "-a", help="Paused schedules too.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", "-l", min=1, help="How many; default all.")] = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List schedules, the one that runs next first.

    **Examples**

    - `agpt-scheduler list -u me --all`

    - `agpt-scheduler list --json | jq -r '.[] | select(.graph_id == "digest") | .id'`
    """
    user = user or None  # an empty one overrides the variable
    with service(url, token) as client:
        found = _found(client, limit, given(user_id=user, graph_id=graph, include_paused=paused or None))
    if as_json:
        print_json(found)
        return
    owner = [] if user else [Column("USER", cut=True)]
    columns = [
        Column("ID"),
        *owner,
        Column("NAME", cut=True),
        Column("GRAPH", cut=True),
        Column("WHEN"),
        Column("NEXT RUN"),
    ]
    rows = (
        (info.id, *([] if user else [info.user_id]), info.name, info.graph_id, _when(info), _next(info))
        for info in found
    )
    if found:
        print_table(columns, rows)
    else:
        complain("no schedules" + ("" if paused else "; --all shows paused ones too"))


def show(
    schedule: ScheduleId,
    user: User,
    *,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show a schedule: what it runs, when in words, and its next runs.

    **Example**: `agpt-scheduler show 0f8fad5bd9cb469fa165708867284e9a -u me`
    """
    with service(url, token) as client:
        info = client.get_schedule(schedule, user)
        preview = client.preview_schedule(schedule_id=schedule, user_id=user, count=_SHOWN_RUNS)
    if as_json:
        print_json(plain(info) | {"description": preview.description, "next_runs": preview.times})
        return
    bounds = (("starts", when(info.start_at)), ("ends", when(info.end_at)))
    print_facts(
        [
            ("id", info.id),
            ("name", info.name),
            ("user", info.user_id),
            ("graph", f"{info.graph_id}, version {info.graph_version}"),
            ("when", f"{_when(info)}: {preview.description} ({info.timezone})"),
            *bounds,
            ("jitter", None if info.jitter_secs is None else f"up to {info.jitter_secs} s"),
            ("next run", _next(info)),
            ("paused", _pause(info)),
            ("then", ", ".join(when(moment) for moment in preview.times[1:])),
            ("inputs", json.dumps(info.input_data, ensure_ascii=False) if info.input_data else None),
            ("credentials", ", ".join(info.input_credentials)),
            ("note", "; ".join(preview.notes)),
        ]
    )


def update(
    schedule: ScheduleId,
    user: User,
    *,
    cron: Cron = None,
    at: At = None,
    timezone: Timezone = None,
    start: Start = None,
    end: End = None,
    jitter: Jitter = None,
    no_start: Annotated[
        bool, typer.Option("--no-start", help="Take the start away.", rich_help_panel=TIMING)
    ] = False,
    no_end: Annotated[bool, typer.Option("--no-end", help="Take the end away.", rich_help_panel=TIMING)] = False,
    version: Annotated[int | None, typer.Option("--graph-version", "-g", help="The graph's version.")] = None,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Shown to the user.")] = None,
    input_: Input = None,
    inputs: Inputs = None,
    credentials: Credentials = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Change parts of a schedule; what is left out stays. `--input` changes that input only, `--jitter 0` ends it.

    **Examples**

    - `agpt-scheduler update $ID -u me --cron '30 9 * * 1-5'`

    - `agpt-scheduler update $ID -u me -i topic=sports --no-end`
    """
    changes = given(
        cron=cron,
        run_at=at,
        user_timezone=timezone,
        start_at=start,
        end_at=end,
        jitter_secs=jitter or None,
        name=name,
        graph_version=version,
        input_credentials=json_object(credentials, "--credentials"),
    )
    taken_away = {"start_at": no_start, "end_at": no_end, "jitter_secs": jitter == 0}
    changes |= {bound: None for bound, gone in taken_away.items() if gone}
    with service(url, token) as client:
        new_inputs = inputs_of(input_, inputs)
        if new_inputs is not None and inputs is None:
            new_inputs = client.get_schedule(schedule, user).input_data | new_inputs
        changes |= given(input_data=new_inputs)
        if not changes:
            raise typer.BadParameter("nothing to change")
        changed = client.update_schedule(schedule, user, **changes)
        _present(
            client, changed, f"{'Changed' if changed.changed else 'Nothing new in'} {schedule}", as_json=as_json
        )


def _found(client: SyncSchedulerClient, limit: int | None, which: dict[str, Any]) -> list[GraphExecutionJobInfo]:
    if limit is None:
        return client.get_execution_schedules(**which)
    found: list[GraphExecutionJobInfo] = []
    cursor: str | None = None
    while len(found) < limit:
        size = min(_PAGE, limit - len(found))
        page = client.get_execution_schedules_page(**which, limit=size, cursor=cursor)
        found += page.schedules
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def _present(client: SyncSchedulerClient, info: GraphExecutionJobInfo, title: str, *, as_json: bool) -> None:
    if as_json:
        print_json(info)
        return
    say(title)
    preview = client.preview_schedule(schedule_id=info.id, user_id=info.user_id, count=_SHOWN_RUNS)
    say(f"{preview.description} ({preview.timezone})")
    if info.paused:
        say("It is paused.")
        return
    say(f"Next run {when(info.next_run_time)}")
    for note in preview.notes:
        say(f"Note: {note}")


def _when(info: GraphExecutionJobInfo) -> str:
    return info.cron or (f"once at {when(info.run_at)}" if info.run_at else "")


def _next(info: GraphExecutionJobInfo) -> str:
    return "paused" if info.paused else when(info.next_run_time)


def _pause(info: GraphExecutionJobInfo) -> str | None:
    if not info.paused:
        return None
    said = [
        f"since {when(info.paused_at)}" if info.paused_at else "",
        f"by {info.paused_by}" if info.paused_by else "",
    ]
    return ", ".join(part for part in (*said, info.paused_reason) if part) or "yes"
