"""The use cases of schedules: add, delete, list."""

import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime

from pydantic import ValidationError

from domain.authorization import only_owner
from domain.cron import CronDialect, parse_cron, validate_timezone
from domain.errors import InvalidScheduleError, NotFoundError, UnstorableInputError
from domain.fire_times import next_fire_time
from domain.models import GraphExecutionJobArgs, GraphExecutionJobInfo
from ports.clock import Clock
from ports.jobs import Job, JobKind, JobStore
from ports.triggers import Trigger

log = logging.getLogger(__name__)

DEFAULT_NAME = "execute_graph"
"""What a job without a name is called: APScheduler names it after its function."""


class Schedules:
    """Graph execution schedules in the execution store.

    `default_timezone` (IANA) is for schedules that name none. `new_id` makes ids that nobody has.
    Every method may raise StoreUnavailable.
    """

    def __init__(
        self,
        *,
        jobs: JobStore,
        clock: Clock,
        default_timezone: str,
        dialect: CronDialect,
        new_id: Callable[[], str],
    ) -> None:
        self._jobs = jobs
        self._clock = clock
        self._default_timezone = default_timezone
        self._dialect = dialect
        self._new_id = new_id

    async def add(
        self, args: GraphExecutionJobArgs, *, name: str | None = None, user_timezone: str | None = None
    ) -> GraphExecutionJobInfo:
        """Store a new schedule and return it with its id and first run.

        Raises InvalidScheduleError for a cron text, zone or name that can't be one and for dates that never come,
        UnstorableInputError for input that could not be answered with. Then nothing is stored.
        """
        if name == "":
            raise InvalidScheduleError("name must be a nonempty string", field="name")
        zone = self._default_timezone if user_timezone is None else validate_timezone(user_timezone)
        trigger = parse_cron(args.cron, timezone=zone, dialect=self._dialect)
        job = Job(
            id=self._new_id(),
            kind=JobKind.EXECUTE_GRAPH,
            name=DEFAULT_NAME if name is None else name,
            trigger=trigger,
            kwargs=args.model_dump(include=_KWARGS),
            next_run_at=_first_run(trigger, self._clock.now()),
        )
        _require_answerable(GraphExecutionJobInfo.from_job(args, job))
        while not await self._jobs.put(job):  # the id is taken by a row that can't be read
            job = replace(job, id=self._new_id())
        return GraphExecutionJobInfo.from_job(args, job)

    async def delete(self, schedule_id: str, *, user_id: str) -> GraphExecutionJobInfo:
        """Remove `user_id`'s schedule and return it as it was; its firings that wait are cancelled.

        Raises NotFoundError, NotAuthorizedError, and pydantic's ValidationError for a system task.
        """
        if "\0" in schedule_id:
            # No id holds one and PostgreSQL refuses to look for it; the words are its driver's ("delete id NUL").
            raise InvalidScheduleError(
                "A string literal cannot contain NUL (0x00) characters.", field="schedule_id"
            )
        if not _is_unicode(schedule_id):  # no id is, and a database can't be asked for it
            raise NotFoundError(schedule_id)
        job = await self._jobs.remove(schedule_id, allow=only_owner(user_id))
        if job is None:
            raise NotFoundError(schedule_id)
        return GraphExecutionJobInfo.from_job(GraphExecutionJobArgs.model_validate(job.kwargs), job)

    async def list(
        self, *, user_id: str | None = None, graph_id: str | None = None
    ) -> AsyncIterator[GraphExecutionJobInfo]:
        """Yield the schedules that match, soonest first, then by id; None matches all.

        Anybody may list anything (spec.md, "Authentication & Authorization"). Paused schedules, and jobs whose
        kwargs are no schedule's, are left out, as the original does.
        """
        if not _is_unicode(f"{user_id}{graph_id}"):  # is never stored, so matches nothing
            return
        async for job in self._jobs.list(user_id=user_id, graph_id=graph_id):
            try:
                args = GraphExecutionJobArgs.model_validate(job.kwargs)
            except ValidationError:
                log.debug("job %s has no schedule's kwargs and is not listed", job.id)
                continue
            yield GraphExecutionJobInfo.from_job(args, job)


_KWARGS = set(GraphExecutionJobArgs.model_fields)


def _first_run(trigger: Trigger, now: datetime) -> datetime:
    """Return the first run after `now`; a schedule that has none is refused ("0 0 31 2 *")."""
    first = next_fire_time(trigger, now)
    if first is None:
        raise InvalidScheduleError("This schedule would never run: its dates never come")
    return first


def _require_answerable(info: GraphExecutionJobInfo) -> None:
    """Refuse input that the original stores and then fails to write into this answer and every list.

    Pydantic's own limit of 255 levels is the measure, as it was the original's.
    """
    too_deep = "input_data is nested too deeply"
    try:
        text = json.dumps(info.model_dump(), ensure_ascii=False)
    except RecursionError as error:
        raise UnstorableInputError(too_deep) from error
    if not _is_unicode(text):
        raise UnstorableInputError("The schedule holds text that is not Unicode: half of a surrogate pair")
    try:
        info.model_dump(mode="json")
    except ValueError as error:
        raise UnstorableInputError(too_deep) from error


def _is_unicode(text: str) -> bool:
    """Whether `text` has a UTF-8 form; JSON's escapes can spell half of a surrogate pair, which has none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
