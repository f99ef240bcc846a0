"""The platform's notification service."""

from collections.abc import Sequence
from typing import Protocol


class Notifications(Protocol):
    """Alerts and batched mail (compat/outgoing.md). Every method may raise RemoteCallError."""

    async def discord_system_alert(self, content: str) -> None:
        """Send one alert to the operators' channel."""
        ...

    async def queue_weekly_summary(self) -> None:
        """Ask for the weekly summaries to be queued."""
        ...

    async def process_existing_batches(self, notification_types: Sequence[str]) -> None:
        """Ask for the batches of these notification types to be sent."""
        ...
