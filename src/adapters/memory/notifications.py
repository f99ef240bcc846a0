"""A notification service in memory."""

from collections.abc import Sequence

from adapters.memory.faults import FailsOnDemand


class MemoryNotifications(FailsOnDemand):
    """Keeps what it is told: `alerts` and `batches` in order, `weekly_summaries` counted."""

    def __init__(self) -> None:
        super().__init__()
        self.alerts: list[str] = []
        self.batches: list[list[str]] = []
        self.weekly_summaries = 0

    async def discord_system_alert(self, content: str) -> None:
        """Keep the alert."""
        self._raise_if_failing()
        self.alerts.append(content)

    async def queue_weekly_summary(self) -> None:
        """Count it."""
        self._raise_if_failing()
        self.weekly_summaries += 1

    async def process_existing_batches(self, notification_types: Sequence[str]) -> None:
        """Keep the types."""
        self._raise_if_failing()
        self.batches.append(list(notification_types))
