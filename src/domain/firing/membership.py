"""A replica's lease: kept by beats, judged by whether they move, never by comparing two machines' clocks."""

import asyncio
import logging
from collections.abc import Callable
from functools import cached_property

from ports.errors import PortError
from ports.leases import Leases

logger = logging.getLogger(__name__)

BEATS_PER_LEASE = 5
_QUICK_RETRY_SECS = 0.5


class Membership:
    """Keeps this replica's lease and takes over from those whose beats stopped.

    `new_id` makes a fresh replica id for every registration, since a dead one never comes back.
    `on_lost` is called when the lease is gone: what was held belongs to somebody else now.
    `on_taken_over` is called with how many firings a dead peer left behind.
    `holds_from` tells the lowest firing id that this replica holds or may yet be given (ports/leases.py, `renew`).
    """

    def __init__(
        self,
        leases: Leases,
        *,
        lease_secs: float,
        new_id: Callable[[], str],
        on_lost: Callable[[], None],
        on_taken_over: Callable[[int], None],
        holds_from: Callable[[], int | None],
    ) -> None:
        self._leases = leases
        self._lease_secs = lease_secs
        self._new_id = new_id
        self._on_lost = on_lost
        self._on_taken_over = on_taken_over
        self._holds_from = holds_from
        self._seen: dict[str, tuple[int, float]] = {}
        self._valid_until = float("-inf")
        self._news = asyncio.Event()
        self.replica: str | None = None

    @cached_property
    def _time(self) -> Callable[[], float]:
        return asyncio.get_running_loop().time

    def holds(self) -> bool:
        """Whether dispatching what was claimed is still this replica's right."""
        return self.replica is not None and self._time() < self._valid_until

    async def still_holds(self, replica: str) -> bool:
        """Return True once `replica`'s lease is known to be valid, False once it is known to be lost."""
        while replica == self.replica and not self.holds():
            await self._news.wait()
        return replica == self.replica

    async def join(self) -> str:
        """Register under a fresh id and return it. Raises StoreUnavailable."""
        replica = self._new_id()
        asked = self._time()
        await self._leases.register(replica)
        self.replica = replica
        self._valid_until = asked + self._lease_secs
        self._tell()
        return replica

    def lose(self) -> None:
        """Take note that the lease is gone, as any port may have said."""
        if self.replica is not None:
            logger.warning("lease lost; what this replica held is dispatched by another")
            self.replica = None
            self._seen.clear()
            self._on_lost()
            self._tell()

    async def keep(self) -> None:
        """Beat until cancelled, and expire peers whose beat stood still for a whole lease."""
        pause = self._lease_secs / BEATS_PER_LEASE
        while True:
            try:
                await self._beat()
            except PortError as error:
                # Peers may have been cut off as well: they get a whole lease from the next beat that succeeds.
                self._seen.clear()
                logger.warning("lease not renewed: %s", error)
                await asyncio.sleep(min(pause, _QUICK_RETRY_SECS))
            else:
                await asyncio.sleep(pause)

    async def _beat(self) -> None:
        if self.replica is None:
            return
        replica = self.replica
        asked = self._time()
        if asked > self._valid_until:
            self._seen.clear()
        pulse = await self._leases.renew(replica, holds_from=self._holds_from())
        if replica != self.replica:
            return
        if not pulse.alive:
            self.lose()
            return
        self._valid_until = asked + self._lease_secs
        self._tell()
        await self._watch(dict(pulse.peers))

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _watch(self, peers: dict[str, int]) -> None:
        now = self._time()
        for peer in self._seen.keys() - peers.keys():
            del self._seen[peer]
        for peer, beat in peers.items():
            known = self._seen.get(peer)
            if known is None or known[0] != beat:
                self._seen[peer] = (beat, now)
            elif now - known[1] >= self._lease_secs:
                freed = await self._leases.expire(peer, beat=beat)
                logger.warning("replica %s stopped beating; %d firings freed", peer, freed)
                self._seen.pop(peer, None)
                self._on_taken_over(freed)

    async def leave(self) -> None:
        """Retire, so that what is left is picked up at once. Raises StoreUnavailable."""
        if self.replica is not None:
            await self._leases.release(self.replica)
            self.replica = None
