"""Looking at every row: those that are left alone, and those that fire otherwise than their cron text says."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from domain.cron import CronDialect
from domain.cron_readings import Reading, reading_of
from domain.weekdays import intended_trigger
from entrypoints.doctor.findings import Finding, Level, well
from ports.jobs import JobStore, UnreadableReason, UnreadableRow

_UNREADABLE = {
    UnreadableReason.QUARANTINED: (
        Level.WRONG,
        "Rows that can't be read, and are neither fired nor deleted",
        "Restore them from a backup, or delete them by SQL; a repaired row fires again by itself.",
    ),
    UnreadableReason.FOREIGN: (
        Level.NOTE,
        "Rows of somebody else's, which are left alone",
        "If nobody else uses this table, delete them by SQL.",
    ),
}
_LATE = (
    "Schedules with numbers for weekdays, which fire a day late, as the original has it",
    "See `agpt-scheduler migrate-weekdays`, which sets them right with --apply.",
)
_JOINED = (
    "Schedules that fire when both day-of-month and day-of-week match, where standard cron takes either",
    "If their users meant either, let them set the cron anew: `agpt-scheduler update ID --cron ...`.",
)
_OTHER = (
    "Schedules that fire otherwise than their cron text says",
    "Somebody changed their triggers; `agpt-scheduler update ID --cron ...` makes the text count again.",
)


async def look_at_rows(stores: Sequence[JobStore]) -> list[Finding]:
    """Look at what can't be read. Raises StoreUnavailable."""
    left = [row for store in stores async for row in store.unreadable()]
    return list(_left_alone(left)) or [well("rows", "Every row can be read")]


def _left_alone(rows: Sequence[UnreadableRow]) -> Iterator[Finding]:
    for reason, (level, says, advice) in _UNREADABLE.items():
        items = tuple(f"{row.id}: {row.detail}" for row in rows if row.reason is reason)
        if items:
            yield Finding("rows", level, f"{says}: {len(items)}", advice, items)


async def look_at_triggers(
    schedules: JobStore, *, dialect: CronDialect, looked_at: Callable[[], None]
) -> AsyncIterator[Finding]:
    """Look at what fires otherwise than standard cron would have it. Raises StoreUnavailable.

    Who keeps the original's dialect means numeric weekdays as the original reads them.
    """
    meant = dialect is CronDialect.APSCHEDULER
    kinds: dict[tuple[str, str], list[str]] = {_LATE: [], _JOINED: [], _OTHER: []}
    async for job in schedules.list(include_paused=True):
        looked_at()
        reading = reading_of(job)
        if reading not in (Reading.ORIGINAL, Reading.OTHER):
            continue
        late = intended_trigger(job) is not None
        kind = _OTHER if reading is Reading.OTHER else _LATE if late else _JOINED
        kinds[kind].append(f"{job.id}: {job.kwargs.get('cron')}")
    for (says, advice), items in kinds.items():
        if items:
            level = Level.WRONG if (says, advice) == _LATE and not meant else Level.NOTE
            yield Finding("triggers", level, f"{says}: {len(items)}", advice, tuple(items))
    if not any(kinds.values()):
        yield well("triggers", "Every schedule fires as standard cron reads its text")
