"""Replicas and their beats, in memory."""

from adapters.memory.faults import FailsOnDemand
from adapters.memory.firings import MemoryFiringLedger
from ports.leases import Pulse


class MemoryLeases(FailsOnDemand):
    """Keeps its replicas in the ledger, as PostgreSQL keeps both in one database."""

    def __init__(self, ledger: MemoryFiringLedger) -> None:
        super().__init__()
        self._ledger = ledger

    async def register(self, replica: str) -> None:
        """Make `replica` known."""
        self._raise_if_failing()
        self._ledger.replicas[replica] = 0
        self._ledger.holds_from[replica] = 0

    async def renew(self, replica: str, *, holds_from: int | None = None) -> Pulse:
        """Count one beat and say what is seen."""
        self._raise_if_failing()
        if holds_from is not None:
            self._ledger.holds_from[replica] = holds_from
        alive = replica in self._ledger.replicas
        if alive:
            self._ledger.replicas[replica] += 1
        peers = {name: beat for name, beat in self._ledger.replicas.items() if name != replica}
        return Pulse(alive=alive, peers=peers)

    async def expire(self, replica: str, *, beat: int) -> int:
        """Declare `replica` dead if its beat still stands, and free its firings."""
        self._raise_if_failing()
        if self._ledger.replicas.get(replica) != beat:
            return 0
        return self._retire(replica)

    async def release(self, replica: str) -> int:
        """Retire `replica` and free its firings."""
        self._raise_if_failing()
        return self._retire(replica) if replica in self._ledger.replicas else 0

    def _retire(self, replica: str) -> int:
        del self._ledger.replicas[replica]
        freed = self._ledger.free(replica)
        self._ledger.holds_from.pop(replica, None)
        return freed
