"""The operator's limits on schedules."""

from dataclasses import dataclass
from datetime import timedelta

from domain.errors import QuotaExceededError
from domain.fire_times import shortest_gap
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

    def require_room(self, others: int) -> None:
        """Raise QuotaExceededError for one schedule more when a user has `others`."""
        limit = self.max_schedules_per_user
        if limit and others >= limit:
            raise QuotaExceededError(
                f"A user may have {limit} schedules, and has them",
                setting="SCHEDULER_MAX_SCHEDULES_PER_USER",
                limit=limit,
            )
