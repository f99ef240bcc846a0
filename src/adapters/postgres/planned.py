"""The domain's plan, asked once for all jobs of a claim that share a trigger and a due time."""

from datetime import UTC, datetime

from adapters.postgres.job_index import trigger_key
from ports.jobs import Advance, FiringPlan
from ports.triggers import Trigger


class Planned:
    """The plan at one moment."""

    def __init__(self, plan: FiringPlan, now: datetime) -> None:
        self._plan = plan
        self._now = now
        self._known: dict[tuple[str, datetime], Advance] = {}

    def __call__(self, trigger: Trigger, due: datetime) -> Advance:
        """Return what happens to jobs with this trigger that are due then. Raises what the plan raises."""
        # Neither triggers nor moments by themselves: times of two zones, and both passes of an overlap, are equal.
        moment = due.astimezone(UTC)
        key = (trigger_key(trigger), moment)
        advance = self._known.get(key)
        if advance is None:
            advance = self._known[key] = self._plan(trigger, moment, self._now)
        return advance
