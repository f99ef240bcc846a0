"""What an operator may set about firing."""

from dataclasses import dataclass, field
from datetime import timedelta

from ports.firings import Retention


@dataclass(frozen=True, slots=True)
class FiringSettings:
    """The engine's limits (design.md section 6). Times in seconds unless they are timedeltas.

    `max_in_flight` dispatches may be under way at once; it begins with `few_in_flight`, enough for quick receivers.
    `user_share` is the share of `max_in_flight` that one user's firings may fill.
    `most_unrecorded` outcomes may wait for the database before the next firing does: a crash repeats those.
    `misfire_grace` None means that a firing is dispatched however late it is.
    `pause_after_gone` refusals in a row of a target that is gone pause a schedule; 0 for never.
    `poll_secs` backs up lost wake-ups; nothing depends on it for being on time.
    """

    max_in_flight: int = 100
    few_in_flight: int = 25
    user_share: float = 0.5
    system_slots: int = 4
    most_unrecorded: int = 200
    lease_secs: float = 15.0
    dispatch_deadline: timedelta = timedelta(hours=1)
    misfire_grace: timedelta | None = None
    shutdown_grace_secs: float = 10.0
    poll_secs: float = 15.0
    pause_after_gone: int = 5
    first_batch: int = 100
    full_batch: int = 750
    retention: Retention = field(
        default_factory=lambda: Retention(successes=timedelta(days=3), failures=timedelta(days=30))
    )

    @property
    def user_slots(self) -> int:
        """How many dispatches of one user may be in flight at once."""
        return max(1, int(self.max_in_flight * self.user_share))
