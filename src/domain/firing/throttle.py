"""How many attempts may be under way at once: few, as long as those keep this process busy."""

from collections.abc import Callable

_IDLE = 0.7
_BUSY = 0.9


class Throttle:
    """Opens from `few` attempts towards `most` while the process waits for receivers, and closes when it works.

    Once the event loop has no time left, more attempts finish no sooner, and what each needs pushes what the others
    need out of the processor's caches: with a hundred connections instead of 25 a call takes up to a third longer.
    A rush also opens only as many connections as it needs.
    `load` returns the share of time that the event loop's thread was at work since it was asked before.
    """

    def __init__(self, *, few: int, most: int, load: Callable[[], float]) -> None:
        self._few = min(few, most)
        self._most = most
        self._load = load
        self.allowed = self._few

    def reset(self) -> None:
        """Begin anew, from now on."""
        self.allowed = self._few
        self._load()

    def look(self) -> None:
        """Open or close by one step, for how busy the process was since the last look or `reset`."""
        load = self._load()
        if load < _IDLE:
            self.allowed = min(self._most, self.allowed + self._few)
        elif load > _BUSY:
            self.allowed = max(self._few, self.allowed - self._few)
