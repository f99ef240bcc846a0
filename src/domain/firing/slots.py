"""Which firing goes out next: a queue that is fair between users."""

from collections import OrderedDict, deque
from collections.abc import Callable

from ports.firings import Firing


class FairQueue:
    """Firings that wait for a slot, taken from one user after the other.

    No user has more than `user_slots` of the `slots` at once, so that one user's slow receivers leave room for
    everybody else. Firings without a user (system tasks) count as one user under None.
    `slots` may be changed; those that are taken stay so.
    """

    def __init__(self, *, slots: int, user_slots: int) -> None:
        self.slots = slots
        self._user_slots = user_slots
        self._waiting: OrderedDict[str | None, deque[Firing]] = OrderedDict()
        self._full: OrderedDict[str | None, deque[Firing]] = OrderedDict()
        self._busy: dict[str | None, int] = {}
        self._in_flight = 0
        self._length = 0

    def __len__(self) -> int:
        """How many wait."""
        return self._length

    @property
    def left(self) -> int:
        """How many wait or have a slot."""
        return self._length + self._in_flight

    @property
    def in_flight(self) -> int:
        """How many slots are taken."""
        return self._in_flight

    def push(self, firing: Firing) -> None:
        """Let `firing` wait its turn."""
        user = _user(firing)
        queues = self._full if self._busy.get(user, 0) >= self._user_slots else self._waiting
        queue = queues.get(user)
        if queue is None:
            queue = queues[user] = deque()
        queue.append(firing)
        self._length += 1

    def take(self) -> tuple[Firing, str | None] | None:
        """Return the next firing that has a slot, which is then taken, and its user; None when there is none."""
        if self._in_flight >= self.slots or not self._waiting:
            return None
        user, queue = next(iter(self._waiting.items()))
        firing = queue.popleft()
        self._length -= 1
        self._in_flight += 1
        busy = self._busy[user] = self._busy.get(user, 0) + 1
        if not queue:
            del self._waiting[user]
        elif busy >= self._user_slots:
            del self._waiting[user]
            self._full[user] = queue
        else:
            self._waiting.move_to_end(user)
        return firing, user

    def give_back(self, user: str | None) -> None:
        """Free a slot that `user` took."""
        self._in_flight -= 1
        busy = self._busy.pop(user) - 1
        if busy:
            self._busy[user] = busy
        if user in self._full and busy < self._user_slots:
            self._waiting[user] = self._full.pop(user)

    def drop(self, unwanted: Callable[[Firing], bool]) -> list[Firing]:
        """Remove and return those waiting firings that `unwanted` says."""
        dropped: list[Firing] = []
        for queues in (self._waiting, self._full):
            for user, queue in list(queues.items()):
                kept = deque(firing for firing in queue if not unwanted(firing))
                dropped.extend(firing for firing in queue if unwanted(firing))
                if kept:
                    queues[user] = kept
                else:
                    del queues[user]
        self._length -= len(dropped)
        return dropped


def _user(firing: Firing) -> str | None:
    try:
        user = firing.payload.get("user_id")
    except Exception:  # noqa: BLE001  process boundary: its attempt will say that the payload can't be read
        return None
    return user if isinstance(user, str) else None
