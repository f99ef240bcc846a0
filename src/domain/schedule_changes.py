"""What a pause, a resumption and an update make of a job: pure rules, for the store's transaction to ask."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from domain.cron import CronDialect, parse_cron, validate_timezone
from domain.cron_fields import zone_of
from domain.errors import InvalidScheduleError
from domain.fire_times import next_fire_time
from domain.models import ScheduleChanges
from domain.notes import Pause, pause_of, with_pause, with_resumption
from domain.quotas import Quotas
from domain.timing import bounded, end_of, iana_zone_of, once, parse_moment, start_of, zone_name_of
from ports.jobs import Job
from ports.triggers import CronTrigger, DateTrigger, Trigger

_MOST_FIRST_RUNS = 4096
_BOUNDS = frozenset({"start_at", "end_at", "jitter_secs"})


class _FirstRuns:
    """First runs of plain cron triggers, which many schedules share: one stays the first until it has come."""

    def __init__(self) -> None:
        self._known: dict[CronTrigger, tuple[datetime, datetime]] = {}

    def after(self, now: datetime, trigger: Trigger) -> datetime | None:
        """Return `next_fire_time(trigger, now)`."""
        # Bounds of two zones compare equal, so that triggers with bounds may which are not the same.
        if not isinstance(trigger, CronTrigger) or trigger.start_at is not None or trigger.end_at is not None:
            return next_fire_time(trigger, now)
        now = now.astimezone(UTC)
        since, first = self._known.get(trigger, (now, now))
        if since <= now < first.astimezone(UTC):
            return first
        found = next_fire_time(trigger, now)
        if found is not None:
            if len(self._known) >= _MOST_FIRST_RUNS:
                self._known.clear()  # they are quickly found again
            self._known[trigger] = (now, found)
        return found


_FIRST_RUNS = _FirstRuns()


def first_run(trigger: Trigger, now: datetime) -> datetime:
    """Return the first run after `now`; a schedule that has none is refused ("0 0 31 2 *")."""
    first = _FIRST_RUNS.after(now, trigger)
    if first is None:
        end = end_of(trigger)
        if end is not None:
            raise InvalidScheduleError(f"This schedule would not run before its end, {end.isoformat()}")
        raise InvalidScheduleError("This schedule would never run: its dates never come")
    return first


def same_trigger(one: Trigger, other: Trigger) -> bool:
    """Whether two triggers mean the same in the same zone; dates alone compare equal whatever zone they are in."""
    return one == other and zone_name_of(one) == zone_name_of(other)


def paused(job: Job, *, reason: str | None, by: str | None, now: datetime) -> Job | None:
    """Return `job` paused as APScheduler means it, without a next run; None for one that is, by whomever."""
    if pause_of(job) is not None:
        return None
    note = Pause(reason, by, now.isoformat())
    return replace(job, next_run_at=None, kwargs=with_pause(job.kwargs, note))


def resumed(job: Job, *, now: datetime) -> Job | None:
    """Return `job` with its next run after `now`; None for one that is not paused.

    What came due meanwhile does not fire. Raises InvalidScheduleError for one whose time has passed.
    """
    if pause_of(job) is None:
        return None
    next_run_at = next_fire_time(job.trigger, now)
    if next_run_at is None:
        raise InvalidScheduleError(_why_over(job.trigger))
    return replace(job, next_run_at=next_run_at, kwargs=with_resumption(job.kwargs, now))


@dataclass(frozen=True, slots=True)
class ScheduleRules:
    """What new triggers are held to."""

    dialect: CronDialect
    quotas: Quotas

    def new_trigger(
        self,
        schedule_id: str,
        *,
        cron: str,
        run_at: str | None,
        timezone: str,
        start_at: str | None = None,
        end_at: str | None = None,
        jitter_secs: int | None = None,
        now: datetime,
    ) -> Trigger:
        """Return the trigger that a caller describes: `cron`, or once at `run_at` where `cron` is empty.

        Raises InvalidScheduleError and QuotaExceededError.
        """
        if run_at is not None:
            if cron:
                raise InvalidScheduleError("cron and run_at exclude each other", field="run_at")
            if not (start_at is None and end_at is None and jitter_secs is None):
                raise InvalidScheduleError("start_at, end_at and jitter_secs go with cron", field="run_at")
            return once(run_at, timezone=validate_timezone(timezone), now=now)
        parsed = parse_cron(cron, timezone=timezone, dialect=self.dialect)
        trigger = bounded(
            parsed,
            schedule_id=schedule_id,
            start_at=_moment(start_at, "start_at", timezone),
            end_at=_moment(end_at, "end_at", timezone),
            jitter_secs=jitter_secs,
        )
        self.quotas.require_interval(trigger)
        return trigger

    def updated(self, job: Job, changes: ScheduleChanges, *, now: datetime) -> Job | None:
        """Return `job` with `changes`, None when they change nothing.

        A trigger that stays the same keeps its next run, and a paused job stays paused. What the job holds
        besides is carried over. Raises InvalidScheduleError and QuotaExceededError.
        """
        if changes.name == "":
            raise InvalidScheduleError("name must be a nonempty string", field="name")
        trigger = self._changed_trigger(job, changes, now)
        next_run_at = job.next_run_at
        same = same_trigger(trigger, job.trigger)
        if not same:
            first = first_run(trigger, now)
            next_run_at = None if next_run_at is None else first
        changed = replace(
            job,
            name=job.name if changes.name is None else changes.name,
            trigger=trigger,
            next_run_at=next_run_at,
            kwargs={**job.kwargs, **_changed_kwargs(changes)},
        )
        return None if same and changed == job else changed

    def _changed_trigger(self, job: Job, changes: ScheduleChanges, now: datetime) -> Trigger:
        old = job.trigger
        zone = changes.user_timezone
        if changes.run_at is not None:
            return self.new_trigger(
                job.id,
                cron=changes.cron or "",
                run_at=changes.run_at,
                timezone=iana_zone_of(old) if zone is None else zone,
                start_at=changes.start_at,
                end_at=changes.end_at,
                jitter_secs=changes.jitter_secs,
                now=now,
            )
        if changes.cron is not None:
            zone = iana_zone_of(old) if zone is None else zone
            trigger: Trigger = parse_cron(changes.cron, timezone=zone, dialect=self.dialect)
            if isinstance(old, CronTrigger):
                assert isinstance(trigger, CronTrigger)
                trigger = replace(trigger, start_at=old.start_at, end_at=old.end_at, jitter=old.jitter)
        else:
            trigger = old if zone is None else _in_zone(old, validate_timezone(zone))
        given = _BOUNDS & changes.model_fields_set
        if given:
            trigger = _with_bounds(trigger, changes, given, job.id)
        if trigger != old:
            self.quotas.require_interval(trigger)
        return trigger


def _with_bounds(trigger: Trigger, changes: ScheduleChanges, given: frozenset[str], schedule_id: str) -> Trigger:
    if not isinstance(trigger, CronTrigger):
        if all(getattr(changes, name) is None for name in given):
            return trigger
        raise InvalidScheduleError("start_at, end_at and jitter_secs go with cron", field=min(given))
    start, end, jitter = start_of(trigger), trigger.end_at, trigger.jitter
    zone = trigger.timezone
    if "start_at" in given:
        start = _moment(changes.start_at, "start_at", zone)
    if "end_at" in given:
        end = _moment(changes.end_at, "end_at", zone)
    if "jitter_secs" in given:
        jitter = changes.jitter_secs
    return bounded(trigger, schedule_id=schedule_id, start_at=start, end_at=end, jitter_secs=jitter)


def _in_zone(trigger: Trigger, timezone: str) -> Trigger:
    """Return a trigger with the same wall-clock times in another zone; a single date keeps its instant."""
    if isinstance(trigger, CronTrigger):
        return replace(trigger, timezone=timezone)
    if isinstance(trigger, DateTrigger):
        moment = trigger.run_at.astimezone(UTC).isoformat()
        return DateTrigger(run_at=parse_moment(moment, field="run_at", zone=zone_of(timezone)))
    raise InvalidScheduleError("Only schedules with a cron or run_at can change their zone", field="timezone")


def _changed_kwargs(changes: ScheduleChanges) -> Mapping[str, Any]:
    """Return the arguments that are given; a schedule that runs once has an empty cron."""
    names = {"cron", "graph_version", "input_data", "input_credentials"}
    given = {name: value for name, value in changes.model_dump(include=names).items() if value is not None}
    if changes.run_at is not None:
        given["cron"] = ""
    return given


def _moment(text: str | None, field: str, timezone: str) -> datetime | None:
    return None if text is None else parse_moment(text, field=field, zone=zone_of(validate_timezone(timezone)))


def _why_over(trigger: Trigger) -> str:
    if isinstance(trigger, DateTrigger):
        return f"This schedule's time has passed: it was to run once, at {trigger.run_at.isoformat()}"
    end = end_of(trigger)
    if end is not None:
        return f"This schedule is over: it does not run after {end.isoformat()}"
    return "This schedule would never run: its dates never come"
