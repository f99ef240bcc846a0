"""The domain's plan, asked once for all jobs of a claim that share a trigger and a due time."""

from datetime import datetime

from ports.jobs import Advance, FiringPlan
from ports.triggers import Trigger


class Planned:
    """The plan at one moment."""

    def __init__(self, plan: FiringPlan, now: datetime) -> None:
        self._plan = plan
        self._now = now
        self._known: dict[tuple[Trigger, datetime], Advance] = {}

    def __call__(self, trigger: Trigger, due: datetime) -> Advance:
        """Return what happens to jobs with this trigger that are due then."""
        advance = self._known.get((trigger, due))
        if advance is None:
            advance = self._known[trigger, due] = self._plan(trigger, due, self._now)
        return advance
