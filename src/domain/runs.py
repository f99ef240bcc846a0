"""The use cases of runs: preview, run now, back-fill, history."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from domain.authorization import require_owner
from domain.cron import CronDialect, parse_cron
from domain.describe import clock_changes, describe
from domain.errors import InvalidScheduleError, NotFoundError
from domain.fire_times import fire_times, fire_times_between
from domain.models import BackfilledSchedule, FiredSchedule, FiringInfo, GraphExecutionJobArgs, SchedulePreview
from domain.notes import without_notes
from domain.preview import MAX_COUNT
from domain.schedules import is_unicode, require_findable
from domain.timing import parse_moment, tzinfo_of, zone_name_of
from ports.clock import Clock
from ports.firings import FiringLedger, FiringRecord, FiringState, NewFiring, idempotency_key
from ports.jobs import Job, JobStore
from ports.triggers import Trigger

MAX_BACKFILL = 1000
MAX_BACKFILL_BYTES = 64 * 1024 * 1024
MAX_HISTORY = 1000
_LARGEST_ID = 2**63 - 1
_TICK = timedelta(microseconds=1)


class ScheduleRuns:
    """Runs of schedules in the execution store: to come, outside the cadence, and past.

    Every method may raise StoreUnavailable. Those that name a schedule raise NotFoundError, NotAuthorizedError for
    somebody else's, and pydantic's ValidationError for a system task, as was recorded of delete.
    """

    def __init__(
        self, *, jobs: JobStore, ledger: FiringLedger, clock: Clock, default_timezone: str, dialect: CronDialect
    ) -> None:
        self._jobs = jobs
        self._ledger = ledger
        self._clock = clock
        self._default_timezone = default_timezone
        self._dialect = dialect

    async def preview(
        self,
        *,
        cron: str | None = None,
        schedule_id: str | None = None,
        user_id: str | None = None,
        user_timezone: str | None = None,
        count: int = 5,
        after: str | None = None,
    ) -> SchedulePreview:
        """Return the next `count` runs of a cron text, or of `user_id`'s schedule, and what it means in words.

        They come strictly after `after` (ISO 8601, default now). A cron text is read as a new schedule's would be.
        Raises InvalidScheduleError.
        """
        if (cron is None) == (schedule_id is None):
            raise InvalidScheduleError("Either cron or schedule_id is needed, and not both")
        if not 1 <= count <= MAX_COUNT:
            raise InvalidScheduleError(f"count must be from 1 to {MAX_COUNT}", field="count")
        notes: list[str] = []
        if cron is not None:
            zone = self._default_timezone if user_timezone is None else user_timezone
            trigger: Trigger = parse_cron(cron, timezone=zone, dialect=self._dialect)
        else:
            assert schedule_id is not None
            if user_timezone is not None:
                raise InvalidScheduleError("A schedule has a zone of its own", field="user_timezone")
            job = await self._owned(schedule_id, user_id)
            trigger = job.trigger
            if job.next_run_at is None:
                notes.append("The schedule is paused: nothing runs until it is resumed")
        now = self._clock.now()
        start = now if after is None else parse_moment(after, field="after", zone=tzinfo_of(trigger))
        return SchedulePreview(
            times=[moment.isoformat() for moment in fire_times(trigger, start, count)],
            description=describe(trigger),
            timezone=zone_name_of(trigger),
            notes=notes + clock_changes(trigger, start),
        )

    async def _owned(self, schedule_id: str, user_id: str | None) -> Job:
        if user_id is None:
            raise InvalidScheduleError("schedule_id needs the user_id of its owner", field="user_id")
        job = await self._jobs.get(require_findable(schedule_id))
        if job is None:
            raise NotFoundError(schedule_id)
        require_owner(job, user_id)
        return job

    async def run_now(self, schedule_id: str, *, user_id: str) -> FiredSchedule:
        """Run `user_id`'s schedule once more, at once, paused or not; its cadence stays as it is.

        Every call is a run of its own, with a key of its own.
        """
        scheduled_at = self._clock.now().astimezone(UTC)

        def firing(job: Job) -> list[NewFiring]:
            require_owner(job, user_id)
            return [_new_firing(job, scheduled_at)]

        while True:
            job, fresh = await self._enqueue(schedule_id, firing)
            if fresh:
                break
            scheduled_at += _TICK  # somebody had the same microsecond
        return FiredSchedule.from_job(
            GraphExecutionJobArgs.model_validate(job.kwargs),
            job,
            scheduled_at=scheduled_at.isoformat(),
            idempotency_key=idempotency_key(job.id, scheduled_at),
        )

    async def backfill(self, schedule_id: str, *, user_id: str, begin: str, end: str) -> BackfilledSchedule:
        """Run what `user_id`'s schedule was due from `begin` (included) until `end` (not), ISO 8601, and did not.

        Due times are those of the trigger as it is now; each has one firing, however often this is repeated, for
        as long as the history keeps it. Times without an offset are read in the schedule's zone. Raises
        InvalidScheduleError for a window that is no window, reaches into the future, or holds more than
        MAX_BACKFILL due times.
        """
        due: Sequence[datetime] = ()

        def firings(job: Job) -> list[NewFiring]:
            nonlocal due
            require_owner(job, user_id)
            due = due_times(job, begin, end, now=self._clock.now())
            _require_room(job, len(due))
            return [_new_firing(job, at) for at in due]

        job, fresh = await self._enqueue(schedule_id, firings)
        args = GraphExecutionJobArgs.model_validate(job.kwargs)
        return BackfilledSchedule.from_job(args, job, due=len(due), added=len(fresh))

    async def _enqueue(
        self, schedule_id: str, firings: Callable[[Job], Sequence[NewFiring]]
    ) -> tuple[Job, frozenset[datetime]]:
        found = await self._jobs.enqueue(require_findable(schedule_id), firings=firings)
        if found is None:
            raise NotFoundError(schedule_id)
        return found

    async def history(
        self,
        *,
        user_id: str,
        schedule_id: str | None = None,
        states: frozenset[FiringState] | None = None,
        limit: int = 100,
        before_id: int | None = None,
    ) -> list[FiringInfo]:
        """Return `user_id`'s firings, of one schedule or all, newest first, below `before_id` where it is given.

        Never anybody else's: of a schedule that no longer exists those that were the user's. Raises
        NotAuthorizedError for a schedule that is somebody else's now.
        """
        if not 1 <= limit <= MAX_HISTORY:
            raise InvalidScheduleError(f"limit must be from 1 to {MAX_HISTORY}", field="limit")
        if before_id is not None:
            before_id = min(before_id, _LARGEST_ID)
            if before_id <= 0:
                return []
        if not is_unicode(user_id):
            return []
        if schedule_id is not None:
            job = await self._jobs.get(require_findable(schedule_id))
            if job is not None:
                require_owner(job, user_id)
        records = await self._ledger.history(
            job_id=schedule_id, user_id=user_id, states=states, limit=limit, before_id=before_id
        )
        return [FiringInfo.from_record(record) for record in records]

    async def resend(self, firing_id: int, *, user_id: str) -> FiringInfo:
        """Dispatch `user_id`'s firing again that failed, is dead or is held: at once, under the same key.

        Raises NotFoundError, which does not tell somebody else's firing from none, and InvalidScheduleError for
        one in another state.
        """
        if (found := await self._own_firing(firing_id, user_id)) is None:
            raise NotFoundError(str(firing_id))
        if not await self._ledger.resend(firing_id, now=self._clock.now()):
            message = f"Only what failed, is dead or is held can be sent again; this one is {found.state}"
            raise InvalidScheduleError(message, field="firing_id")
        return FiringInfo.from_record(await self._own_firing(firing_id, user_id) or found)

    async def _own_firing(self, firing_id: int, user_id: str) -> FiringRecord | None:
        if not is_unicode(user_id) or not 0 < firing_id < _LARGEST_ID:
            return None
        newest = await self._ledger.history(user_id=user_id, before_id=firing_id + 1, limit=1)
        return next((record for record in newest if record.id == firing_id), None)


def _new_firing(job: Job, at: datetime) -> NewFiring:
    return NewFiring(
        job_id=job.id, kind=job.kind.value, scheduled_at=at.astimezone(UTC), payload=without_notes(job.kwargs)
    )


def due_times(job: Job, begin: str, end: str, *, now: datetime) -> list[datetime]:
    """Return what a job was due from `begin` until `end`, of the past (`ScheduleRuns.backfill`)."""
    zone = tzinfo_of(job.trigger)
    first, last = (parse_moment(text, field=field, zone=zone) for text, field in ((begin, "from"), (end, "to")))
    if first.astimezone(UTC) >= last.astimezone(UTC):
        raise InvalidScheduleError("The window's end is not after its beginning", field="to")
    if last.astimezone(UTC) > now:
        raise InvalidScheduleError("The window reaches into the future", field="to")
    due = fire_times_between(job.trigger, first, last, limit=MAX_BACKFILL + 1)
    if len(due) > MAX_BACKFILL:
        raise InvalidScheduleError(f"The window holds more than {MAX_BACKFILL} due times: take a shorter one")
    return due


def _require_room(job: Job, count: int) -> None:
    """Refuse what would be gigabytes: every firing has its own copy of the schedule's inputs."""
    size = len(json.dumps(job.kwargs))
    if count * size > MAX_BACKFILL_BYTES:
        fitting = MAX_BACKFILL_BYTES // size
        message = f"The schedule's inputs are so large that at most {fitting} runs fit: take a shorter window"
        raise InvalidScheduleError(message)
