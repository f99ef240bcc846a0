"""A clock that tests set, and the real one."""

from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)


class SettableClock:
    """A clock that stands still until it is moved."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        """Return the moment that was set."""
        return self.moment

    def advance(self, by: timedelta) -> None:
        """Move the clock, back where `by` is negative."""
        self.moment += by
