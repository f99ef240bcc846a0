"""The system tasks: what each does, and the jobs that run them (spec.md, "System Tasks")."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from domain.cleanup import delete_expired
from domain.cron import parse_cron
from domain.cron_fields import zone_of
from domain.fire_times import next_fire_time
from domain.models import NotificationJobArgs
from domain.monitoring.block_errors import BlockErrorMonitor
from domain.monitoring.late_executions import LateExecutionMonitor
from domain.task_failures import log_failure
from ports.clock import Clock
from ports.executions import Executions
from ports.files import ExpiringFiles
from ports.jobs import Job, JobKind, StoreName
from ports.notifications import Notifications
from ports.triggers import IntervalTrigger, Trigger

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MonitoringSettings:
    """What an operator may set about the system tasks; the names of the settings are in design.md section 9.

    The late executions are looked for every `late_threshold_secs`. `block_error_threshold` is a share.
    `repeat_late_alerts` alerts about the same late executions at every look.
    """

    late_threshold_secs: int
    late_checkrange_secs: int
    block_error_threshold: float
    block_error_interval_secs: int
    include_top_blocks: int
    cleanup_interval_hours: int
    weekly_cron: str
    repeat_late_alerts: bool = False


class SystemTasks:
    """Runs system tasks, on their schedules (`handlers`) or because somebody asks (the other methods)."""

    def __init__(
        self,
        *,
        notifications: Notifications,
        executions: Executions,
        files: ExpiringFiles,
        clock: Clock,
        settings: MonitoringSettings,
        block_names: Mapping[str, str],
    ) -> None:
        self._notifications = notifications
        self._files = files
        self._clock = clock
        self._late_executions = LateExecutionMonitor(
            executions=executions,
            notifications=notifications,
            clock=clock,
            threshold_secs=settings.late_threshold_secs,
            checkrange_secs=settings.late_checkrange_secs,
            repeat=settings.repeat_late_alerts,
        )
        self._block_errors = BlockErrorMonitor(
            executions=executions,
            notifications=notifications,
            clock=clock,
            threshold=settings.block_error_threshold,
            include_top_blocks=settings.include_top_blocks,
            block_names=block_names,
        )

    def handlers(self) -> Mapping[JobKind, Callable[[dict[str, Any]], Awaitable[object]]]:
        """Return what to call with the payload of a firing, by its kind."""
        return {
            JobKind.PROCESS_EXISTING_BATCHES: self.process_existing_batches,
            JobKind.PROCESS_WEEKLY_SUMMARY: lambda _: self.process_weekly_summary(),
            JobKind.REPORT_LATE_EXECUTIONS: lambda _: self._late_executions.report(),
            JobKind.REPORT_BLOCK_ERROR_RATES: lambda _: self.report_block_error_rates(),
            JobKind.CLEANUP_EXPIRED_FILES: lambda _: self.cleanup_expired_files(),
        }

    async def process_existing_batches(self, kwargs: Mapping[str, Any]) -> None:
        """Ask for the notification batches of some types to be sent.

        Raises pydantic's ValidationError for kwargs that are no NotificationJobArgs; any failure after that is
        only logged, as the original does.
        """
        args = NotificationJobArgs.model_validate(dict(kwargs))
        try:
            await self._notifications.process_existing_batches([kind.value for kind in args.notification_types])
        except Exception as error:  # noqa: BLE001  swallowed, as recorded ("execute batches rpc 400")
            log_failure(logger, "the notification batches were not processed", error)

    async def process_weekly_summary(self) -> None:
        """Ask for the weekly summaries to be queued; a failure is only logged, as the original does."""
        try:
            await self._notifications.queue_weekly_summary()
        except Exception as error:  # noqa: BLE001  swallowed, as above
            log_failure(logger, "the weekly summaries were not queued", error)

    async def report_late_executions(self) -> str:
        """Report on late executions to somebody who asks, and alert (LateExecutionMonitor says when)."""
        return await self._late_executions.report(by_hand=True)

    async def report_block_error_rates(self) -> str:
        """Alert about failing blocks and return what was done."""
        return await self._block_errors.report()

    async def cleanup_expired_files(self) -> None:
        """Delete stored files that have expired."""
        await delete_expired(self._files, clock=self._clock)


def system_jobs(settings: MonitoringSettings, *, now: datetime, timezone: str) -> Mapping[StoreName, Sequence[Job]]:
    """Return the jobs of the system tasks by their store, as a first start registers them (compat/jobs.jsonl).

    A task that runs at intervals first runs when one has passed. Batches are not scheduled by default.
    Raises InvalidScheduleError for the summaries' cron text.
    """
    weekly = parse_cron(settings.weekly_cron, timezone=timezone)
    intervals = {
        JobKind.REPORT_LATE_EXECUTIONS: timedelta(seconds=settings.late_threshold_secs),
        JobKind.REPORT_BLOCK_ERROR_RATES: timedelta(seconds=settings.block_error_interval_secs),
        JobKind.CLEANUP_EXPIRED_FILES: timedelta(hours=settings.cleanup_interval_hours),
    }
    return {
        StoreName.EXECUTION: [_every(interval, kind, now, timezone) for kind, interval in intervals.items()],
        StoreName.WEEKLY_NOTIFICATIONS: [
            _job(JobKind.PROCESS_WEEKLY_SUMMARY, weekly, next_fire_time(weekly, now)),
        ],
    }


def reconcile(stored: Job | None, wanted: Job, *, now: datetime) -> Job | None:
    """Return what to store at a start for a system task, None when the stored job is as wanted.

    A task keeps its phase over restarts, so that one that runs daily does run where a new version starts daily.
    When the settings changed its trigger, the next run is the earlier of the stored one and one interval from
    now (design.md section 6). A task that an operator paused stays paused. A job of another kind under the
    task's id is replaced, as the original does.
    """
    if stored is None or stored.kind is not wanted.kind:
        return wanted
    if _same(stored.trigger, wanted.trigger):
        return None
    trigger = wanted.trigger
    if stored.next_run_at is None:
        return replace(stored, trigger=trigger)
    if not isinstance(trigger, IntervalTrigger):
        return replace(stored, trigger=trigger, next_run_at=wanted.next_run_at)
    next_run_at = min(stored.next_run_at, now + trigger.interval).astimezone(zone_of(trigger.timezone))
    return replace(stored, trigger=replace(trigger, start_at=next_run_at), next_run_at=next_run_at)


def _every(interval: timedelta, kind: JobKind, now: datetime, timezone: str) -> Job:
    first = (now + interval).astimezone(zone_of(timezone))
    return _job(kind, IntervalTrigger(interval=interval, start_at=first, timezone=timezone), first)


def _job(kind: JobKind, trigger: Trigger, next_run_at: datetime | None) -> Job:
    name = kind.value  # plain text, for a row is to hold no class of ours
    return Job(id=name, name=name, kind=kind, trigger=trigger, kwargs={}, next_run_at=next_run_at)


def _same(stored: Trigger, wanted: Trigger) -> bool:
    """Whether two triggers mean the same. Of intervals neither phase nor zone counts: they don't move the gaps."""
    if isinstance(stored, IntervalTrigger) and isinstance(wanted, IntervalTrigger):
        return replace(stored, start_at=wanted.start_at, timezone=wanted.timezone) == wanted
    return stored == wanted
