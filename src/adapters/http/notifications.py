"""The platform's NotificationManager over HTTP."""

from collections.abc import Sequence

from adapters.http.neighbour import Neighbour


class HttpNotifications:
    """Calls the service; what it returns says nothing and is not read."""

    def __init__(self, neighbour: Neighbour) -> None:
        self._neighbour = neighbour

    async def discord_system_alert(self, content: str) -> None:
        """Send the alert."""
        await self._neighbour.call("discord_system_alert", {"content": content})

    async def queue_weekly_summary(self) -> None:
        """Ask for the summaries."""
        await self._neighbour.call("queue_weekly_summary", {})

    async def process_existing_batches(self, notification_types: Sequence[str]) -> None:
        """Ask for the batches."""
        await self._neighbour.call("process_existing_batches", {"notification_types": list(notification_types)})
