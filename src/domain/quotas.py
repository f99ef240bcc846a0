"""The operator's limits on schedules."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from domain.errors import QuotaExceededError
from domain.fire_times import shortest_gap
from ports.jobs import Job
from ports.triggers import CronTrigger, Trigger


@dataclass(frozen=True, slots=True)
class Quotas:
    """What one user may have; 0 for no limit.

    The number counts when a schedule is added, paused ones included; adds at the same moment may pass it by one
    another. The interval counts when a trigger is new: added, or changed by an update. So what was there before a
    limit stays as it is, and may be paused, resumed and renamed.
    """

    max_schedules_per_user: int = 0
    min_interval_secs: int = 0

    def require_interval(self, trigger: Trigger) -> None:
        """Raise QuotaExceededError for a trigger that would ever run twice within the shortest interval."""
        limit = self.min_interval_secs
        if not limit or not isinstance(trigger, CronTrigger):  # one that runs once has no interval
            return
        gap = shortest_gap(trigger)
        if gap is not None and gap < timedelta(seconds=limit):
            raise QuotaExceededError(
                f"Runs must be at least {limit} seconds apart; these would come {int(gap.total_seconds())} apart",
                setting="SCHEDULER_MIN_INTERVAL_SECS",
                limit=limit,
            )

    async def require_room(self, schedules: AsyncIterator[Job], *, besides: str) -> None:
        """Raise QuotaExceededError when a user's `schedules`, `besides` one that is replaced, are all there may be.

        Reads no more of them than that takes, and none without a limit.
        """
        limit = self.max_schedules_per_user
        if not limit:
            return
        count = 0
        async for job in schedules:
            count += job.id != besides
            if count >= limit:
                raise QuotaExceededError(
                    f"A user may have {limit} schedules, and has them",
                    setting="SCHEDULER_MAX_SCHEDULES_PER_USER",
                    limit=limit,
                )
