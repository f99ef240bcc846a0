"""Schedules whose target is gone are paused, so that they don't fail for ever; an operator hears of it once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime

from domain.firing.attempts import TARGET_GONE
from domain.notes import resumed_at
from domain.schedule_changes import paused
from ports.clock import Clock
from ports.errors import PortError
from ports.firings import FiringLedger, FiringRecord, FiringState
from ports.jobs import Job, JobKind, JobStore

logger = logging.getLogger(__name__)

PAUSED_BY = "scheduler"
_DECIDED = frozenset({FiringState.SUCCEEDED, FiringState.FAILED, FiringState.DEAD})
_RETRY_SECS = 2.0


def gone_in_a_row(records: Iterable[FiringRecord], *, since: datetime | None) -> int:
    """Count the newest of `records`, which are decided and newest first, that failed since the target is gone.

    What was recorded up to `since`, when the schedule was resumed, does not count: its owner has seen to it.
    """
    count = 0
    for record in records:
        if record.state is not FiringState.FAILED or record.code != TARGET_GONE:
            break
        if since is not None and record.claimed_at <= since:
            break
        count += 1
    return count


class GoneTargets:
    """Pauses a schedule after `limit` dispatches in a row that were refused because its target is gone.

    The streak is read from the ledger, so that it counts over restarts and replicas alike, and only after another
    such refusal: success costs nothing. A limit of 0 never pauses.
    """

    def __init__(
        self,
        jobs: JobStore,
        *,
        ledger: FiringLedger,
        clock: Clock,
        limit: int,
        alert: Callable[[str], Awaitable[None]],
    ) -> None:
        self._jobs = jobs
        self._ledger = ledger
        self._clock = clock
        self._limit = limit
        self._alert = alert
        self._suspects: dict[str, None] = {}  # in order, each once
        self._arrived = asyncio.Event()

    def suspect(self, job_id: str) -> None:
        """Have a schedule looked at, one of whose firings was just recorded as refused for this reason."""
        if self._limit:
            self._suspects[job_id] = None
            self._arrived.set()

    async def run(self) -> None:
        """Look at suspects until cancelled. One that is forgotten by a crash is met again at its next refusal."""
        while True:
            await self._arrived.wait()
            while self._suspects:
                job_id = next(iter(self._suspects))
                del self._suspects[job_id]  # at once, for it may be suspected anew while it is looked at
                try:
                    await self._look_at(job_id)
                except PortError as error:
                    logger.warning("a schedule whose target is gone is looked at later: %s", error)
                    self._suspects[job_id] = None
                    await asyncio.sleep(_RETRY_SECS)
                except Exception:
                    # Process boundary: a row that can't be written again keeps nobody else's from being paused.
                    logger.exception("a schedule whose target is gone can't be paused", extra={"job_id": job_id})
            self._arrived.clear()

    async def _look_at(self, job_id: str) -> None:
        records = await self._ledger.history(job_id=job_id, states=_DECIDED, limit=self._limit)
        if gone_in_a_row(records, since=None) < self._limit:
            return
        was_paused = False

        def pause(job: Job) -> Job | None:
            nonlocal was_paused
            changed = self._paused(job, records)
            was_paused = changed is not None
            return changed

        await self._jobs.change(job_id, change=pause)
        if was_paused:
            await self._tell(job_id)

    def _paused(self, job: Job, records: Sequence[FiringRecord]) -> Job | None:
        if job.kind is not JobKind.EXECUTE_GRAPH or gone_in_a_row(records, since=resumed_at(job)) < self._limit:
            return None
        reason = (
            "The graph does not exist or is not the user's any more:"
            f" {self._limit} runs in a row were refused for that"
        )
        return paused(job, reason=reason, by=PAUSED_BY, now=self._clock.now())

    async def _tell(self, job_id: str) -> None:
        logger.warning("schedule paused: its target is gone", extra={"job_id": job_id})
        try:
            await self._alert(
                f"Scheduler: schedule {job_id} is paused, for its graph is gone"
                f" ({self._limit} runs in a row were refused)"
            )
        except Exception as error:  # noqa: BLE001  process boundary: an alert that can't be sent is only logged
            logger.warning("alert not sent: %s", error)
