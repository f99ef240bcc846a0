"""Which replicas are alive: the leases under which claimed firings are dispatched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a renewal saw.

    `alive` is False when this replica was declared dead meanwhile (paused, cut off): what it held is somebody
    else's. `peers` maps every other living replica to its beat counter. A replica is judged by whether its
    counter moves while the observer's own clock runs, never by comparing clocks of two machines.
    """

    alive: bool
    peers: Mapping[str, int]


class Leases(Protocol):
    """A replica's time-bounded right to dispatch what it claimed. Any method may raise StoreUnavailable."""

    async def register(self, replica: str) -> None:
        """Make `replica` (a fresh, unique id) known, with its counter at zero."""
        ...

    async def renew(self, replica: str, *, holds_from: int | None = None) -> Pulse:
        """Count `replica`'s beat up by one and say what is seen.

        `holds_from` says that no firing which `replica` leases as it was claimed, now or from now on, has a lower
        id, so that whoever takes over need not look further back; None leaves what was said before. Firings that
        it picked up again don't count.
        """
        ...

    async def expire(self, replica: str, *, beat: int) -> int:
        """Declare a replica dead whose counter still stands at `beat`, and make its firings wait for pick-up.

        Return how many firings that freed; 0 when the counter moved or somebody else was first.
        """
        ...

    async def release(self, replica: str) -> int:
        """Retire `replica` at its own wish: as `expire`, whatever its counter."""
        ...
