"""Watching firings over RPC: what changed between two looks."""

import time
from collections.abc import Callable, Collection, Iterator

from domain.models import FiringInfo
from entrypoints.client import UNSET, SyncSchedulerClient
from ports.firings import FINAL_STATES

_PAGE = 1000
LOOK_EVERY_SECS = 1.0


def changes(
    client: SyncSchedulerClient,
    user: str,
    schedule: str | None,
    *,
    first: int = 0,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[FiringInfo]:
    """Yield firings for ever, oldest first: the newest `first` that there are, then each that comes or changes."""
    seen: dict[int, tuple[str, int]] = {}
    look = True
    while True:
        found = client.get_schedule_firings(user, schedule_id=schedule or UNSET, limit=_PAGE)
        fresh = [firing for firing in found if seen.get(firing.id) != (firing.state, firing.attempts)]
        seen |= {firing.id: (firing.state, firing.attempts) for firing in found}
        yield from reversed(fresh[:first] if look else fresh)
        look = False
        sleep(LOOK_EVERY_SECS)


def until_finished(
    client: SyncSchedulerClient,
    user: str,
    schedule: str,
    keys: Collection[str],
    *,
    count: int,
    above: int = 0,
    finished: Callable[[], None] = lambda: None,
) -> list[FiringInfo]:
    """Return `count` firings with these idempotency keys, and ids above `above`, once they have come to an end.

    `finished` is called for each.
    """
    done: list[FiringInfo] = []
    if count:
        for firing in changes(client, user, schedule, first=_PAGE):
            if firing.id > above and firing.idempotency_key in keys and firing.state in FINAL_STATES:
                done.append(firing)
                finished()
            if len(done) == count:
                break
    return done
