"""`run-now` and `runs`: runs outside the cadence, and what became of runs."""

from datetime import datetime
from typing import Annotated

import typer

from domain.models import FiringInfo
from entrypoints.cli.connection import AsJson, ScheduleId, Token, Url, User, service
from entrypoints.cli.output import Column, complain, print_json, print_json_line, print_table, say, when
from entrypoints.cli.statuses import Status
from entrypoints.cli.watching import changes, until_finished
from entrypoints.client import UNSET
from ports.firings import FINAL_STATES, FiringState

_MOST = 1000
_RESENDABLE = frozenset({FiringState.FAILED, FiringState.DEAD, FiringState.HELD})
Wait = Annotated[bool, typer.Option("--wait", "-w", help="Wait until it has come to an end; status 1 if not well.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("run-now")(run_now)
    app.command("runs")(runs)
    app.command("resend")(resend)


def run_now(
    schedule: ScheduleId,
    user: User,
    *,
    wait: Wait = False,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Run a schedule once more, at once, even if it is paused; its cadence stays as it is.

    **Examples**

    - `agpt-scheduler run-now $ID -u me`

    - `agpt-scheduler run-now $ID -u me --wait || agpt-scheduler runs $ID -u me --limit 1`
    """
    with service(url, token) as client:
        fired = client.run_schedule_now(schedule, user)
        if not wait:
            if as_json:
                print_json(fired)
            else:
                say(f"Runs now, as {fired.idempotency_key}")
            return
        (firing,) = until_finished(client, user, schedule, [fired.idempotency_key], count=1)
    if as_json:
        print_json(firing)
    else:
        _print_firings([firing], one_schedule=True)
    if firing.state is not FiringState.SUCCEEDED:
        raise typer.Exit(Status.WRONG)


def resend(
    runs: Annotated[list[int], typer.Argument(metavar="RUN...", help="Runs, as `runs` numbers them.")],
    user: User,
    *,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Send runs again that failed, are dead or are held, under the same idempotency keys.

    **Examples**

    - `agpt-scheduler runs -u me --state dead`

    - `agpt-scheduler resend 4711 4712 -u me`
    """
    with service(url, token) as client:
        sent = [client.resend_firing(run, user) for run in runs]
    if as_json:
        print_json(sent)
    else:
        _print_firings(sent, one_schedule=False)


def runs(
    user: User,
    schedule: Annotated[str | None, typer.Argument(help="Of one schedule only.", show_default=False)] = None,
    *,
    state: Annotated[list[FiringState] | None, typer.Option("--state", "-s", help="In this state only.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-l", min=1, help="How many, newest last.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    stop_after: Annotated[
        int | None, typer.Option(min=1, help="With --follow: end after so many came to an end.")
    ] = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show what became of runs: when they were due, how it went, and why not.

    With `--follow --json` a line of JSON for each news.

    **Examples**

    - `agpt-scheduler runs -u me --state failed --state dead`

    - `agpt-scheduler runs $ID -u me --follow`
    """
    wanted = frozenset(state or FiringState)
    if follow:
        _follow(user, schedule, wanted, limit, stop_after, connection=(url, token), as_json=as_json)
        return
    found: list[FiringInfo] = []
    with service(url, token) as client:
        while len(found) < limit:
            size = min(_MOST, limit - len(found))
            page = client.get_schedule_firings(
                user,
                schedule_id=schedule or UNSET,
                states=wanted if state else UNSET,
                limit=size,
                before_id=found[-1].id if found else UNSET,
            )
            found += page
            if len(page) < size:
                break
    found.reverse()
    if as_json:
        print_json(found)
    elif found:
        _print_firings(found, one_schedule=schedule is not None)
    else:
        complain("no runs yet")


def _follow(
    user: str,
    schedule: str | None,
    wanted: frozenset[FiringState],
    limit: int,
    stop_after: int | None,
    *,
    connection: tuple[str | None, str | None],
    as_json: bool,
) -> None:
    ended = 0
    with service(*connection) as client:
        try:
            for firing in changes(client, user, schedule, first=limit):
                if firing.state not in wanted:
                    continue
                if as_json:
                    print_json_line(firing)
                else:
                    say(_line(firing, one_schedule=schedule is not None))
                ended += firing.state in FINAL_STATES
                if ended == stop_after:
                    return
        except KeyboardInterrupt:  # which is how following ends
            return


def _print_firings(firings: list[FiringInfo], *, one_schedule: bool) -> None:
    columns = [Column("DUE"), Column("STATE"), Column("TRIES", align="right"), Column("LATE", align="right")]
    if not one_schedule:
        columns.insert(1, Column("SCHEDULE"))
    columns.append(Column("EXECUTION OR ERROR", cut=True))
    rows = [_cells(firing, one_schedule=one_schedule) for firing in firings]
    if any(firing.state in _RESENDABLE for firing in firings):  # only `resend` takes their numbers
        columns.insert(0, Column("RUN", align="right"))
        rows = [[str(firing.id), *cells] for firing, cells in zip(firings, rows, strict=True)]
    print_table(columns, rows)


def _cells(firing: FiringInfo, *, one_schedule: bool) -> list[str]:
    cells = [when(firing.scheduled_at), str(firing.state), str(firing.attempts), _late(firing), _end(firing)]
    if not one_schedule:
        cells.insert(1, firing.schedule_id)
    return cells


def _line(firing: FiringInfo, *, one_schedule: bool) -> str:
    due, *rest = (cell for cell in _cells(firing, one_schedule=one_schedule))
    return "  ".join([due, *rest]).rstrip()


def _late(firing: FiringInfo) -> str:
    """Return how long after its due time a run was dispatched."""
    if firing.dispatched_at is None:
        return ""
    late = datetime.fromisoformat(firing.dispatched_at) - datetime.fromisoformat(firing.scheduled_at)
    seconds = max(0.0, late.total_seconds())
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds / 60:.0f} min"  # noqa: PLR2004


def _end(firing: FiringInfo) -> str:
    said = [firing.execution_id or "", firing.error or ""]
    if firing.attempt_at:
        said.append(f"again at {when(firing.attempt_at)}")
    if firing.coalesced:
        said.append(f"stands for {firing.coalesced} earlier ones too")
    return "; ".join(part for part in said if part)
