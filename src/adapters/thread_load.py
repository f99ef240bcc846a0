"""How busy a thread is."""

import time
from collections.abc import Callable


class ThreadLoad:
    """The share of time, from 0 to 1, that the calling thread was at work since its call before; 0 at first.

    `now` and `work` are clocks in seconds: of the world, and of the thread's time on a processor.
    """

    def __init__(
        self, *, now: Callable[[], float] = time.perf_counter, work: Callable[[], float] = time.thread_time
    ) -> None:
        self._now = now
        self._work = work
        self._before: tuple[float, float] | None = None

    def __call__(self) -> float:
        """Return the share."""
        now, work = self._now(), self._work()
        at, worked = self._before or (now, work)
        self._before = now, work
        return (work - worked) / (now - at) if now > at else 0.0
