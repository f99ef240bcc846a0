"""`backfill`: what a schedule missed."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from domain.cron_fields import zone_of
from domain.timing import parse_moment
from entrypoints.cli.connection import AsJson, ScheduleId, Token, Url, User, service
from entrypoints.cli.output import Advance, print_json, progress, say
from entrypoints.cli.runs import Wait
from entrypoints.cli.statuses import Status
from entrypoints.cli.watching import until_finished
from entrypoints.client import SyncSchedulerClient
from ports.firings import FiringState, idempotency_key

_TICK = timedelta(microseconds=1)
_PAGE = 1000
_CHUNK = 100  # small enough for the bar to move, and for a window of a year of minutes not to be one burst


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backfill")(backfill)


def backfill(
    schedule: ScheduleId,
    user: User,
    begin: Annotated[str, typer.Option("--from", help="First due time to run (ISO 8601).", show_default=False)],
    end: Annotated[str | None, typer.Option("--to", help="Run none from here on; default now.")] = None,
    *,
    wait: Wait = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many due times there are.")] = False,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Run what a schedule was due in a window of the past and did not run; each due time once, however often.

    Times without an offset are in the schedule's zone. With `--wait` a hundred runs are under way at the most.

    **Examples**

    - `agpt-scheduler backfill $ID -u me --from 2026-11-23 --dry-run`

    - `agpt-scheduler backfill $ID -u me --from 2026-11-23T00:00 --to 2026-11-24T00:00 --wait`
    """
    with service(url, token) as client:
        zone = zone_of(client.get_schedule(schedule, user).timezone)
        first = parse_moment(begin, field="--from", zone=zone)
        last = datetime.now(UTC) if end is None else parse_moment(end, field="--to", zone=zone)
        due = list(_due_times(client, schedule, user, first, last))
        added, failed = 0, 0
        if not dry_run:
            with progress("Running" if wait else "Adding runs", len(due)) as advance:
                for chunk in _chunks(due):
                    newly, badly = _run(client, schedule, user, chunk, advance, wait=wait)
                    added, failed = added + newly, failed + badly
    if as_json:
        print_json(
            {"schedule_id": schedule, "due": len(due), "added": added} | ({"failed": failed} if wait else {})
        )
    elif dry_run:
        say(f"Due times from {first.isoformat()} to {last.isoformat()}: {len(due)}")
    else:
        say(f"Due times: {len(due)}; run now: {added}" + (f"; not well: {failed}" if failed else ""))
    if failed:
        raise typer.Exit(Status.WRONG)


def _due_times(
    client: SyncSchedulerClient, schedule: str, user: str, first: datetime, last: datetime
) -> Iterator[datetime]:
    """Yield the due times from `first` (included) to `last` (not), as the service reckons them."""
    after = first - _TICK
    while True:
        preview = client.preview_schedule(schedule_id=schedule, user_id=user, after=after.isoformat(), count=_PAGE)
        times = [datetime.fromisoformat(moment) for moment in preview.times]
        within = [moment for moment in times if moment.astimezone(UTC) < last.astimezone(UTC)]
        yield from within
        if len(within) < _PAGE:
            return
        after = within[-1]


def _run(
    client: SyncSchedulerClient,
    schedule: str,
    user: str,
    due: Sequence[datetime],
    advance: Advance,
    *,
    wait: bool,
) -> tuple[int, int]:
    """Run due times that follow each other; return how many are new, and how many of those ended badly."""
    newest = client.get_schedule_firings(user, schedule_id=schedule, limit=1) if wait else []
    done = client.backfill_schedule(schedule, user, due[0].isoformat(), (due[-1] + _TICK).isoformat())
    advance(len(due) - (done.added if wait else 0))
    if not wait:
        return done.added, 0
    keys = [idempotency_key(schedule, moment.astimezone(UTC)) for moment in due]
    above = newest[0].id if newest else 0  # what was run before has the same keys, and other ids
    firings = until_finished(client, user, schedule, keys, count=done.added, above=above, finished=advance)
    return done.added, sum(firing.state is not FiringState.SUCCEEDED for firing in firings)


def _chunks(due: Sequence[datetime]) -> Iterator[Sequence[datetime]]:
    for begin in range(0, len(due), _CHUNK):
        yield due[begin : begin + _CHUNK]
