"""Outcomes on their way to the ledger: gathered while the last batch is written, never one commit each."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from ports.errors import StoreUnavailable
from ports.firings import FiringLedger, Outcome

logger = logging.getLogger(__name__)

_FIRST_BACKOFF_SECS = 0.1
_LONGEST_BACKOFF_SECS = 2.0
_GATHER_SECS = 0.008  # what comes in a rush is written within 20 ms, and in few pieces


class Recorder:
    """Writes outcomes in batches, for as long as it takes.

    An outcome that comes while nothing is being written is written at once; those that come meanwhile, and for a
    moment after unless they are many, make the next batch. `on_settled` gets the owner, its outcomes once the
    ledger has dealt with them, and whether all of them counted. With `most_unwritten` outcomes it is `full`.
    """

    def __init__(
        self,
        ledger: FiringLedger,
        *,
        most_unwritten: int,
        on_settled: Callable[[str, Sequence[Outcome], bool], None],
    ) -> None:
        self._ledger = ledger
        self._most_unwritten = most_unwritten
        self._on_settled = on_settled
        self._outcomes: list[tuple[str, Outcome]] = []
        self._arrived = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._less = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether nothing more should be sent for now: a crash has what is not written sent a second time."""
        return len(self._outcomes) >= self._most_unwritten

    async def room(self) -> None:
        """Return when it is not full."""
        while self.full:
            self._less.clear()
            await self._less.wait()

    def add(self, outcome: Outcome, *, owner: str) -> None:
        """Have `outcome` written, as what `owner` did."""
        self._outcomes.append((owner, outcome))
        self._empty.clear()
        self._arrived.set()

    async def flushed(self) -> None:
        """Return when nothing is left to write."""
        await self._empty.wait()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._arrived.wait()
            while self._outcomes:
                batch = self._outcomes.copy()
                await self._write(batch)
                del self._outcomes[: len(batch)]
                self._less.set()
                if 0 < len(self._outcomes) < self._most_unwritten // 2:
                    await asyncio.sleep(_GATHER_SECS)
            self._arrived.clear()
            self._empty.set()

    async def _write(self, batch: Sequence[tuple[str, Outcome]]) -> None:
        backoff = _FIRST_BACKOFF_SECS
        for owner in dict.fromkeys(owner for owner, _ in batch):
            outcomes = [outcome for by, outcome in batch if by == owner]
            while True:
                try:
                    accepted = await self._ledger.settle(outcomes, owner=owner)
                except StoreUnavailable as error:
                    logger.warning("%d outcomes wait for the database: %s", len(outcomes), error)
                    await asyncio.sleep(backoff)
                    backoff = min(backoff * 2, _LONGEST_BACKOFF_SECS)
                    continue
                except Exception:
                    # Process boundary. One outcome that can't be written must not keep all others from being so.
                    if len(outcomes) > 1:
                        for outcome in outcomes:
                            await self._write([(owner, outcome)])
                        break
                    logger.exception("an outcome can't be recorded; its firing stays leased")
                    break
                if len(accepted) < len(outcomes):
                    logger.warning("%d outcomes came too late and are ignored", len(outcomes) - len(accepted))
                self._on_settled(owner, outcomes, len(accepted) == len(outcomes))
                break
