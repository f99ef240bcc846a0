"""A log line for each execution that was handed over; failures are logged where they are judged."""

import asyncio
import logging
import time
from collections.abc import Callable

from ports.firings import Firing, FiringState, Outcome
from ports.jobs import JobKind

logger = logging.getLogger(__name__)

_MOST_A_SECOND = 20
_COUNT_AFTER_SECS = 1.0


class FiringLog:
    """Logs up to twenty successes a second, and of the rest how many: a rush is not held up by its own log."""

    def __init__(
        self, *, now: Callable[[], float] = time.monotonic, count_after_secs: float = _COUNT_AFTER_SECS
    ) -> None:
        self._now = now
        self._count_after_secs = count_after_secs
        self._second = 0
        self._lines = 0
        self._unsaid = 0

    def observe(self, firing: Firing, outcome: Outcome) -> None:
        """Log one attempt."""
        if outcome.state is not FiringState.SUCCEEDED or firing.kind != JobKind.EXECUTE_GRAPH:
            return
        second = int(self._now())
        if second != self._second:
            self._second, self._lines = second, 0
        if self._lines < _MOST_A_SECOND:
            self._lines += 1
            logger.info(
                "fired graph %s",
                firing.payload.get("graph_id"),
                extra={
                    "job_id": firing.job_id,
                    "execution_id": outcome.execution_id,
                    "scheduled_at": firing.scheduled_at.isoformat(),
                },
            )
            return
        if self._unsaid == 0:
            asyncio.get_running_loop().call_later(self._count_after_secs, self._count)
        self._unsaid += 1

    def _count(self) -> None:
        logger.info("fired %d graphs more", self._unsaid)
        self._unsaid = 0
