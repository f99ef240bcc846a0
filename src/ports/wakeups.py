"""How a sleeping engine hears of earlier work."""

from typing import Protocol


class WakeUps(Protocol):
    """Signals from this and other replicas. Best effort: a poll backs it up."""

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109  the wait is the function
        """Return True as soon as somebody stored something due soon, False after `timeout` seconds.

        A signal that came since the last call counts, so none is lost between two waits.
        """
        ...

    def wake(self) -> None:
        """Wake this process's own waiter. Safe to call from any thread."""
        ...
