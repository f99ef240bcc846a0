"""Schedules with numbers for weekdays, which the original fires a day late: found, set right, put back.

The original takes 0 for Monday, standard cron for Sunday. Nothing here is done unasked: a stored row's trigger is
the truth for that row until its operator says otherwise. What is changed is noted with the row (`domain.notes`), so
that it can be put back.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from domain.cron import CronDialect
from domain.cron_fields import WEEKDAYS, day_field, field_values
from domain.cron_readings import Reading, parsed, reading_of
from domain.fire_times import fire_times, next_fire_time
from domain.notes import WeekdayNote, weekday_note, with_weekday_note, without_weekday_note
from ports.clock import Clock
from ports.jobs import Job, JobStore
from ports.triggers import CronTrigger

_SHOWN_RUNS = 2


def intended_trigger(job: Job) -> CronTrigger | None:
    """Return what standard cron makes of a schedule whose numeric weekdays are read as the original reads them.

    None for every other: names of weekdays mean the same to both, and a trigger that neither reading explains is
    somebody's own. Where day-of-month and day-of-week are both given, standard cron's either-day rule comes too.
    """
    if reading_of(job) is not Reading.ORIGINAL:
        return None
    assert isinstance(job.trigger, CronTrigger)
    cron = str(job.kwargs["cron"])
    weekdays = f"* * * * {cron.rsplit(maxsplit=1)[-1]}"
    standard, original = parsed(weekdays, CronDialect.STANDARD), parsed(weekdays, CronDialect.APSCHEDULER)
    intended = parsed(cron, CronDialect.STANDARD)
    if intended is None or standard is None or original is None or _weekdays(standard) == _weekdays(original):
        return None
    # Hours and minutes mean the same to both, and stay as they are.
    return replace(job.trigger, day=intended.day, day_of_week=intended.day_of_week)


def _weekdays(trigger: CronTrigger) -> tuple[int, ...]:
    return field_values(trigger.day_of_week, 0, 6, WEEKDAYS)


def corrected(job: Job, *, now: datetime) -> Job | None:
    """Return `job` with its weekdays as standard cron reads them, and a note of how they were.

    None for one that needs no correction, or would never run again after it. One that is due keeps its due time.
    """
    intended = intended_trigger(job)
    if intended is None:
        return None
    assert isinstance(job.trigger, CronTrigger)
    note = WeekdayNote(
        cron=str(job.kwargs["cron"]),
        before=(job.trigger.day, job.trigger.day_of_week),
        after=(intended.day, intended.day_of_week),
        at=now.isoformat(),
    )
    moved = _moved(job, intended, now)
    return None if moved is None else replace(moved, kwargs=with_weekday_note(job.kwargs, note))


def put_back(job: Job, *, now: datetime) -> Job | None:
    """Return `job` as it was before its correction; None for one that was not corrected, or was changed since."""
    note = weekday_note(job)
    trigger = job.trigger
    if note is None or not isinstance(trigger, CronTrigger) or note.cron != job.kwargs.get("cron"):
        return None
    if (trigger.day, trigger.day_of_week) != note.after:
        return None
    day, day_of_week = note.before
    moved = _moved(job, replace(trigger, day=day, day_of_week=day_of_week), now)
    return None if moved is None else replace(moved, kwargs=without_weekday_note(job.kwargs))


def _moved(job: Job, trigger: CronTrigger, now: datetime) -> Job | None:
    next_run_at = job.next_run_at
    if next_run_at is not None and next_run_at > now:
        next_run_at = next_fire_time(trigger, now)
        if next_run_at is None:
            return None
    return replace(job, trigger=trigger, next_run_at=next_run_at)


@dataclass(frozen=True, slots=True)
class WeekdayChange:
    """A schedule that would be changed: its next runs as stored, and as they would be.

    `either_day` says that its day-of-month and day-of-week, which the original joins by and, would be joined by or.
    """

    id: str
    user_id: str
    name: str
    cron: str
    paused: bool
    stored: tuple[datetime, ...]
    intended: tuple[datetime, ...]
    either_day: bool


class WeekdayMigration:
    """Finds and changes such schedules in the execution store, each in a transaction of its own.

    `back` turns it round: it finds those that were corrected, and puts them back.
    Every method may raise StoreUnavailable.
    """

    def __init__(self, *, jobs: JobStore, clock: Clock, back: bool = False) -> None:
        self._jobs = jobs
        self._clock = clock
        self._rule: Callable[..., Job | None] = put_back if back else corrected

    async def find(
        self, *, user_id: str | None = None, looked_at: Callable[[], None] = lambda: None
    ) -> AsyncIterator[WeekdayChange]:
        """Yield what would be changed, paused schedules included; `looked_at` is called for each schedule read."""
        async for job in self._jobs.list(user_id=user_id, include_paused=True):
            looked_at()
            now = self._clock.now()
            changed = self._rule(job, now=now)
            if changed is not None:
                yield _change(job, changed, now)

    async def apply(self, job_id: str) -> bool:
        """Change a schedule, if it still needs it; say whether that was so."""
        applied = False

        def change(job: Job) -> Job | None:
            nonlocal applied
            changed = self._rule(job, now=self._clock.now())
            applied = changed is not None
            return changed

        await self._jobs.change(job_id, change=change)
        return applied


def _change(job: Job, changed: Job, now: datetime) -> WeekdayChange:
    assert isinstance(job.trigger, CronTrigger)
    assert isinstance(changed.trigger, CronTrigger)
    return WeekdayChange(
        id=job.id,
        user_id=str(job.kwargs.get("user_id")),
        name=job.name,
        cron=str(job.kwargs["cron"]),
        paused=job.next_run_at is None,
        stored=tuple(fire_times(job.trigger, now, _SHOWN_RUNS)),
        intended=tuple(fire_times(changed.trigger, now, _SHOWN_RUNS)),
        either_day=bool(day_field(job.trigger.day).positions) != bool(day_field(changed.trigger.day).positions),
    )
