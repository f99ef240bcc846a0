"""What the page knows of the service that it shows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo

from domain.cron import CronDialect
from domain.cron_fields import zone_of


@dataclass(frozen=True, slots=True)
class Here:
    """Zone and dialect of schedules that name none, and the time."""

    timezone: str
    dialect: CronDialect
    now: Callable[[], datetime]

    @property
    def zone(self) -> tzinfo:
        """The zone that plots are in."""
        return zone_of(self.timezone)
