"""The use cases of the operator's page: whoever a schedule belongs to, it can be found, shown and read about."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from pydantic import ValidationError

from domain.describe import clock_changes, describe
from domain.errors import NotFoundError
from domain.fire_times import fire_times
from domain.lookout.coming import ComingLoad, coming_load
from domain.lookout.figures import Figure
from domain.lookout.recent import Recent, recent
from domain.models import GraphExecutionJobArgs, GraphExecutionJobInfo
from domain.runs import due_times
from domain.schedules import is_unicode, require_findable
from ports.clock import Clock
from ports.firings import FiringLedger, FiringRecord, FiringState
from ports.jobs import Job, JobKind, JobStore, Position, UnreadableReason, UnreadableRow
from ports.overview import Overview, ReplicaSeen

MAX_LEFT_ALONE = 500
_LOOKED_AT_FOR_TEXT = 3000
_MOST_DECODED = 200
_LARGEST_ID = 2**63 - 1


class Activity(StrEnum):
    """Which schedules to list."""

    ANY = "any"
    ACTIVE = "active"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Search:
    """What to list; what is empty matches all. `text` is looked for in names, in either case."""

    user_id: str = ""
    graph_id: str = ""
    schedule_id: str = ""
    text: str = ""
    activity: Activity = Activity.ANY


@dataclass(frozen=True, slots=True)
class Seen:
    """A schedule, what its trigger means, its next run in its own zone, and the latest of its firings."""

    info: GraphExecutionJobInfo
    meaning: str
    next_run_at: datetime | None
    last: FiringRecord | None = None


@dataclass(frozen=True, slots=True)
class SeenPage:
    """Schedules in order; `after` is where the next page begins, None after the last.

    `partial` says that a search by text stopped before it found a page full: there may be more behind `after`.
    """

    items: Sequence[Seen]
    after: Position | None
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Outlook:
    """A schedule with what is to come and what was. `next_runs` are in its own zone."""

    seen: Seen
    next_runs: Sequence[datetime]
    notes: Sequence[str]
    past: Sequence[FiringRecord]


@dataclass(frozen=True, slots=True)
class Standing:
    """What needs a person, and who is at work."""

    firings: Mapping[FiringState, int]
    left_alone: Mapping[UnreadableReason, int]
    replicas: Sequence[ReplicaSeen]


class Lookout:
    """Shows every user's schedules and firings to an operator; it changes nothing but what is sent again.

    Every method but those of figures may raise StoreUnavailable. Those that name a schedule raise NotFoundError,
    also for a job that is no schedule.
    """

    def __init__(self, *, jobs: JobStore, ledger: FiringLedger, overview: Overview, clock: Clock) -> None:
        self._jobs = jobs
        self._ledger = ledger
        self._overview = overview
        self._clock = clock
        self.coming: Figure[ComingLoad] = Figure(
            lambda: coming_load(overview, clock.now()), clock=clock, fresh_secs=3
        )
        self.recent: Figure[Recent] = Figure(lambda: recent(overview, clock.now()), clock=clock, fresh_secs=5)
        self.standing: Figure[Standing] = Figure(self._standing, clock=clock, fresh_secs=2)

    async def aclose(self) -> None:
        """Give up figures that are being computed."""
        for figure in (self.coming, self.recent, self.standing):
            await figure.aclose()

    async def _standing(self) -> Standing:
        rows = await self._overview.left_alone(limit=MAX_LEFT_ALONE)
        left_alone = {reason: sum(row.reason is reason for row in rows) for reason in UnreadableReason}
        return Standing(await self._ledger.counts(), left_alone, await self._overview.replicas())

    async def left_alone(self, reason: UnreadableReason) -> list[UnreadableRow]:
        """Return rows that are neither fired nor changed, for one reason; at most MAX_LEFT_ALONE are looked at."""
        return [row for row in await self._overview.left_alone(limit=MAX_LEFT_ALONE) if row.reason is reason]

    async def owned(self, schedule_id: str) -> GraphExecutionJobInfo:
        """Return a schedule, whoever's."""
        return _seen(await self._job(schedule_id)).info

    async def outlook(self, schedule_id: str, *, runs: int, past: int) -> Outlook:
        """Return a schedule with its next runs and its latest firings, newest first."""
        job = await self._job(schedule_id)
        now = self._clock.now()
        upcoming: list[datetime] = []
        if job.next_run_at is not None:
            upcoming = [job.next_run_at, *fire_times(job.trigger, max(job.next_run_at, now), runs - 1)]
        history = await self._ledger.history(job_id=job.id, limit=past)
        latest = history[0] if history else None
        return Outlook(_seen(job, latest), upcoming, clock_changes(job.trigger, now), history)

    async def due_between(self, schedule_id: str, begin: str, end: str) -> int:
        """Return how many runs a back-fill of this window would look at. Raises InvalidScheduleError."""
        return len(due_times(await self._job(schedule_id), begin, end, now=self._clock.now()))

    async def _job(self, schedule_id: str) -> Job:
        try:
            job = await self._jobs.get(require_findable(schedule_id))
        except ValueError:
            job = None
        if job is None or _args(job) is None:
            raise NotFoundError(schedule_id)
        return job

    async def search(self, search: Search, *, after: Position | None, limit: int) -> SeenPage:
        """Return a page of schedules, soonest first, paused ones last, each with its latest firing."""
        words = (search.user_id, search.graph_id, search.schedule_id, search.text)
        if not is_unicode("".join(words)) or "\0" in "".join(words):  # is never stored
            return SeenPage((), None)
        if after is None and search.activity is Activity.PAUSED:
            after = Position(None, "")
        if search.schedule_id:
            page = await self._by_id(search)
        elif search.text and not search.user_id and not search.graph_id:
            page = await self._by_text(search, after, limit)
        else:
            page = await self._listed(search, after, limit)
        latest = await self._overview.latest([seen.info.id for seen in page.items])
        items = [replace(seen, last=latest.get(seen.info.id)) for seen in page.items]
        return SeenPage(items, page.after, page.partial)

    async def _by_id(self, search: Search) -> SeenPage:
        job = await self._jobs.get(search.schedule_id)
        return SeenPage([] if job is None or not _matches(job, search) else [_seen(job)], None)

    async def _listed(self, search: Search, after: Position | None, limit: int) -> SeenPage:
        found = self._jobs.list(
            user_id=search.user_id or None,
            graph_id=search.graph_id or None,
            include_paused=search.activity is not Activity.ACTIVE,
            after=after,
        )
        items: list[Seen] = []
        looked_at = 0
        async with aclosing(found):  # type: ignore[type-var]  # every store's is a generator
            async for job in found:
                if len(items) == limit or looked_at == _MOST_DECODED:
                    return SeenPage(items, after, partial=len(items) < limit)
                looked_at += 1
                after = Position(job.next_run_at, job.id)
                if _matches(job, search):
                    items.append(_seen(job))
        return SeenPage(items, None)

    async def _by_text(self, search: Search, after: Position | None, limit: int) -> SeenPage:
        found = await self._overview.mentioning(search.text, after=after, limit=_LOOKED_AT_FOR_TEXT, most=limit)
        items = [_seen(job) for job in found.jobs if _matches(job, search)]
        over = found.end is None or (search.activity is Activity.ACTIVE and found.end.next_run_at is None)
        return SeenPage(items, None if over else found.end, partial=not over and len(items) < limit)

    async def firing(self, firing_id: int) -> FiringRecord | None:
        """Return a firing, None where the history has it no more."""
        if not 0 < firing_id < _LARGEST_ID:
            return None
        found = await self._ledger.history(before_id=firing_id + 1, limit=1)
        return found[0] if found and found[0].id == firing_id else None

    async def firings(
        self,
        *,
        user_id: str = "",
        schedule_id: str = "",
        states: frozenset[FiringState] | None = None,
        before_id: int | None = None,
        limit: int,
    ) -> Sequence[FiringRecord]:
        """Return firings, newest first, below `before_id` where it is given."""
        words = f"{user_id}{schedule_id}"
        if not is_unicode(words) or "\0" in words or not (before_id is None or 0 < before_id < _LARGEST_ID):
            return ()
        return await self._ledger.history(
            user_id=user_id or None, job_id=schedule_id or None, states=states, before_id=before_id, limit=limit
        )

    async def resend(self, firing_id: int) -> bool:
        """Have a failed, dead or held firing dispatched once more, at once; False for any other."""
        return await self._ledger.resend(firing_id, now=self._clock.now())


def _args(job: Job) -> GraphExecutionJobArgs | None:
    try:
        return GraphExecutionJobArgs.model_validate(job.kwargs) if job.kind is JobKind.EXECUTE_GRAPH else None
    except ValidationError:
        return None


def _seen(job: Job, last: FiringRecord | None = None) -> Seen:
    args = _args(job)
    assert args is not None, "a schedule, as those who ask have made sure of"
    return Seen(GraphExecutionJobInfo.from_job(args, job), describe(job.trigger), job.next_run_at, last)


def _matches(job: Job, search: Search) -> bool:
    args = _args(job)
    if args is None:
        return False
    paused = job.next_run_at is None
    return (
        search.user_id in ("", args.user_id)
        and search.graph_id in ("", args.graph_id)
        and search.text.lower() in job.name.lower()
        and (search.activity is Activity.ANY or paused == (search.activity is Activity.PAUSED))
    )
