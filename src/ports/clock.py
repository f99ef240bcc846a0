"""The wall clock."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; injected so that tests can set it."""

    def now(self) -> datetime:
        """Return the current time, aware and in UTC. It may step back or forth like any wall clock."""
        ...
