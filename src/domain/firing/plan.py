"""What a claim does to a due job: which due time fires, and when the next one is."""

from datetime import UTC, datetime, timedelta

from domain.fire_times import latest_fire_time, next_fire_time, on_phase
from ports.jobs import Advance, FiringPlan
from ports.triggers import Trigger


def firing_plan(misfire_grace: timedelta | None) -> FiringPlan:
    """Return the rule of design.md section 6, "Late".

    A job fires once for its latest due time, however late, with the earlier ones counted as coalesced. With a
    `misfire_grace`, what is later than that is recorded as dropped; the schedule goes on either way.
    """

    def advance(trigger: Trigger, due: datetime, now: datetime) -> Advance:
        latest, coalesced = latest_fire_time(trigger, due, now)
        return Advance(
            scheduled_at=latest.astimezone(UTC),
            next_run_at=next_fire_time(trigger, max(now, on_phase(trigger, latest))),
            coalesced=coalesced,
            dropped=misfire_grace is not None and now - latest > misfire_grace,
        )

    return advance
