"""How busy a thread is."""

import time


class ThreadLoad:
    """The share of time that the calling thread was at work since its call before, from 0 to 1; 0 at first."""

    def __init__(self) -> None:
        self._at = self._work = float("inf")

    def __call__(self) -> float:
        """Return the share."""
        at, work = time.perf_counter(), time.thread_time()
        passed, worked = at - self._at, work - self._work
        self._at, self._work = at, work
        return worked / passed if passed > 0 else 0.0
