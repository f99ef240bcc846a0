"""The use cases of schedules: add, show, list, change, pause, resume, delete."""

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace

from pydantic import ValidationError

from domain.authorization import only_owner, require_owner
from domain.cron import CronDialect
from domain.errors import InvalidScheduleError, NotAuthorizedError, NotFoundError, UnstorableInputError
from domain.models import ChangedSchedule, GraphExecutionJobArgs, GraphExecutionJobInfo, ScheduleChanges
from domain.quotas import Quotas
from domain.schedule_changes import ScheduleRules, first_run, paused, resumed, same_trigger
from ports.clock import Clock
from ports.jobs import Job, JobKind, JobStore, Position

log = logging.getLogger(__name__)

DEFAULT_NAME = "execute_graph"
"""What a job without a name is called: APScheduler names it after its function."""

MAX_ID_LENGTH = 191
"""Characters in the id column of the original's table."""

MAX_REASON_LENGTH = 500

_NO_LIMITS = Quotas()


class Schedules:
    """Graph execution schedules in the execution store.

    `default_timezone` (IANA) is for schedules that name none. `new_id` makes ids that nobody has.
    Every method may raise StoreUnavailable. Those that name a schedule raise NotFoundError, NotAuthorizedError for
    somebody else's, and pydantic's ValidationError for a system task, as was recorded of delete.
    """

    def __init__(
        self,
        *,
        jobs: JobStore,
        clock: Clock,
        default_timezone: str,
        dialect: CronDialect,
        new_id: Callable[[], str],
        quotas: Quotas = _NO_LIMITS,
    ) -> None:
        self._jobs = jobs
        self._clock = clock
        self._default_timezone = default_timezone
        self._quotas = quotas
        self._rules = ScheduleRules(dialect=dialect, quotas=quotas)
        self._new_id = new_id

    async def add(
        self,
        args: GraphExecutionJobArgs,
        *,
        name: str | None = None,
        user_timezone: str | None = None,
        run_at: str | None = None,
        start_at: str | None = None,
        end_at: str | None = None,
        jitter_secs: int | None = None,
        schedule_id: str | None = None,
    ) -> GraphExecutionJobInfo:
        """Store a new schedule and return it with its id and first run.

        It runs as `args.cron` says, or once at `run_at` where that is given and `args.cron` is empty. Under a
        `schedule_id` of its own it replaces the user's schedule of that id, which then keeps its next run where
        the trigger is the same and it is not paused: an add that is repeated loses no run.

        Raises InvalidScheduleError for a cron text, zone, name, time or id that can't be one and for dates that
        never come, UnstorableInputError for input that could not be answered with, QuotaExceededError, and
        NotAuthorizedError for an id that is not the user's to take. Then nothing is stored.
        """
        if name == "":
            raise InvalidScheduleError("name must be a nonempty string", field="name")
        now = self._clock.now()
        job_id = self._new_id() if schedule_id is None else _require_own_id(schedule_id, args.user_id)
        trigger = self._rules.new_trigger(
            job_id,
            cron=args.cron,
            run_at=run_at,
            timezone=self._default_timezone if user_timezone is None else user_timezone,
            start_at=start_at,
            end_at=end_at,
            jitter_secs=jitter_secs,
            now=now,
        )
        job = Job(
            id=job_id,
            kind=JobKind.EXECUTE_GRAPH,
            name=DEFAULT_NAME if name is None else name,
            trigger=trigger,
            kwargs=args.model_dump(include=_KWARGS),
            next_run_at=first_run(trigger, now),
        )
        info = GraphExecutionJobInfo.from_job(args, job)
        _require_answerable(info)
        await self._require_room(args.user_id, job.id)
        stored = job
        if schedule_id is not None:
            stored = await self._put_own(job, args.user_id)
        else:
            while not await self._jobs.put(stored):  # the id is taken by a row that can't be read
                stored = replace(stored, id=self._new_id())
        return info if stored is job else GraphExecutionJobInfo.from_job(args, stored)

    async def _require_room(self, user_id: str, schedule_id: str) -> None:
        """Refuse one schedule too many; one that is replaced has its place already."""
        limit = self._quotas.max_schedules_per_user
        if limit:
            found = self._jobs.list(user_id=user_id, include_paused=True, limit=limit + 1)
            self._quotas.require_room(len([job async for job in found if job.id != schedule_id]))

    async def _put_own(self, job: Job, user_id: str) -> Job:
        stored = job

        def replacing(old: Job) -> Job:
            nonlocal stored
            _require_own_schedule(old, user_id)
            same = same_trigger(old.trigger, job.trigger) and old.next_run_at is not None
            stored = replace(job, next_run_at=old.next_run_at) if same else job
            return stored

        if not await self._jobs.put(job, replacing=replacing):
            raise NotAuthorizedError(job.id, user_id)
        return stored

    async def get(self, schedule_id: str, *, user_id: str) -> GraphExecutionJobInfo:
        """Return `user_id`'s schedule."""
        job = await self._jobs.get(require_findable(schedule_id))
        if job is None:
            raise NotFoundError(schedule_id)
        return GraphExecutionJobInfo.from_job(require_owner(job, user_id), job)

    async def update(self, schedule_id: str, changes: ScheduleChanges, *, user_id: str) -> ChangedSchedule:
        """Change `user_id`'s schedule as `changes` say and return it as it is now.

        A trigger that stays the same keeps its next run, and a paused schedule stays paused.
        Raises what `add` raises for the same mistakes; then nothing is changed.
        """

        def change(job: Job) -> Job | None:
            changed = self._rules.updated(job, changes, now=self._clock.now())
            if changed is not None:
                args = GraphExecutionJobArgs.model_validate(changed.kwargs)
                _require_answerable(GraphExecutionJobInfo.from_job(args, changed))
            return changed

        return await self._change(schedule_id, user_id, change)

    async def pause(
        self, schedule_id: str, *, user_id: str, reason: str | None = None, by: str | None = None
    ) -> ChangedSchedule:
        """Keep `user_id`'s schedule from running until it is resumed; its firings that wait are cancelled.

        `by` is the user where nobody else is named. One that is paused stays as its first pauser left it.
        """
        for field, text in (("reason", reason), ("by", by)):
            if text is not None and (len(text) > MAX_REASON_LENGTH or not is_unicode(text)):
                message = f"{field} must be text of at most {MAX_REASON_LENGTH} characters"
                raise InvalidScheduleError(message, field=field)

        def change(job: Job) -> Job | None:
            who = user_id if by is None else by
            return paused(job, reason=reason, by=who, now=self._clock.now())

        return await self._change(schedule_id, user_id, change)

    async def resume(self, schedule_id: str, *, user_id: str) -> ChangedSchedule:
        """Let `user_id`'s schedule run again, from its next due time on; what it missed does not fire.

        Raises InvalidScheduleError for one whose time has passed.
        """
        return await self._change(schedule_id, user_id, lambda job: resumed(job, now=self._clock.now()))

    async def _change(self, schedule_id: str, user_id: str, change: Callable[[Job], Job | None]) -> ChangedSchedule:
        changed = False

        def owned(job: Job) -> Job | None:
            nonlocal changed
            require_owner(job, user_id)
            result = change(job)
            changed = result is not None
            return result

        job = await self._jobs.change(require_findable(schedule_id), change=owned)
        if job is None:
            raise NotFoundError(schedule_id)
        return ChangedSchedule.from_job(GraphExecutionJobArgs.model_validate(job.kwargs), job, changed=changed)

    async def delete(self, schedule_id: str, *, user_id: str) -> GraphExecutionJobInfo:
        """Remove `user_id`'s schedule and return it as it was; its firings that wait are cancelled."""
        job = await self._jobs.remove(require_findable(schedule_id), allow=only_owner(user_id))
        if job is None:
            raise NotFoundError(schedule_id)
        return GraphExecutionJobInfo.from_job(GraphExecutionJobArgs.model_validate(job.kwargs), job)

    async def list(
        self,
        *,
        user_id: str | None = None,
        graph_id: str | None = None,
        include_paused: bool = False,
        after: Position | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[GraphExecutionJobInfo]:
        """Yield the schedules that match, soonest first, then by id; None matches all.

        Up to `limit` of them, from the first behind `after` on.
        Anybody may list anything (spec.md, "Authentication & Authorization"). Paused schedules, which stand last
        where they are asked for, and jobs whose kwargs are no schedule's, are left out, as the original does.
        """
        if not is_unicode(f"{user_id}{graph_id}"):  # is never stored, so matches nothing
            return
        left, more = limit, True
        while more:
            more = False
            jobs = self._jobs.list(
                user_id=user_id, graph_id=graph_id, include_paused=include_paused, after=after, limit=left
            )
            async for job in jobs:
                after = Position(job.next_run_at, job.id)
                try:
                    args = GraphExecutionJobArgs.model_validate(job.kwargs)
                except ValidationError:
                    log.debug("job %s has no schedule's kwargs and is not listed", job.id)
                    more = limit is not None  # somebody else may take its place
                    continue
                yield GraphExecutionJobInfo.from_job(args, job)
                if left is not None:
                    left -= 1
            more = more and left != 0


_KWARGS = set(GraphExecutionJobArgs.model_fields)


def require_findable(schedule_id: str) -> str:
    """Return an id that a store may be asked for; NotFoundError for what is none."""
    if "\0" in schedule_id:
        # No id holds one and PostgreSQL refuses to look for it; the words are its driver's ("delete id NUL").
        raise InvalidScheduleError("A string literal cannot contain NUL (0x00) characters.", field="schedule_id")
    if not is_unicode(schedule_id):  # no id is, and a database can't be asked for it
        raise NotFoundError(schedule_id)
    return schedule_id


def _require_own_id(schedule_id: str, user_id: str) -> str:
    """Return an id that a schedule may be given."""
    if not 0 < len(schedule_id) <= MAX_ID_LENGTH or "\0" in schedule_id or not is_unicode(schedule_id):
        message = f"schedule_id must be text of 1 to {MAX_ID_LENGTH} characters"
        raise InvalidScheduleError(message, field="schedule_id")
    if schedule_id in set(JobKind):  # a system task's, whether it is there at the moment or not
        raise NotAuthorizedError(schedule_id, user_id)
    return schedule_id


def _require_own_schedule(job: Job, user_id: str) -> None:
    """Refuse an id that is taken by anything but the user's own schedule, in one and the same way."""
    try:
        require_owner(job, user_id)
    except ValidationError:
        raise NotAuthorizedError(job.id, user_id) from None


def _require_answerable(info: GraphExecutionJobInfo) -> None:
    """Refuse input that the original stores and then fails to write into this answer and every list.

    Pydantic's own limit of 255 levels is the measure, as it was the original's.
    """
    with suppress(ValueError):
        # Fails for either reason, of which what follows tells; only the outermost keys are looked at by nobody.
        info.model_dump_json()
        if is_unicode("".join([*info.input_data, *info.input_credentials])):
            return
    too_deep = "input_data is nested too deeply"
    try:
        text = json.dumps(info.model_dump(), ensure_ascii=False)
    except RecursionError as error:
        raise UnstorableInputError(too_deep) from error
    if not is_unicode(text):
        raise UnstorableInputError("The schedule holds text that is not Unicode: half of a surrogate pair")
    try:
        info.model_dump(mode="json")
    except ValueError as error:
        raise UnstorableInputError(too_deep) from error


def is_unicode(text: str) -> bool:
    """Whether `text` has a UTF-8 form; JSON's escapes can spell half of a surrogate pair, which has none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
