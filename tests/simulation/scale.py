"""The engine's rules with tens of replicas, in simulated time: `python -m tests.simulation.scale [replicas ...]`.

Prints how evenly a rush is shared, what one new schedule costs when everybody is woken for it, what waiting
costs, and what the death of half of the replicas does. It shows the rules, not a database's limits: every call of
a port takes 1 to 20 ms here, however many there are.
"""

import asyncio
import logging
import random
import statistics
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from domain.firing.settings import FiringSettings
from ports.firings import FINAL_STATES
from tests.simulation.history import check_ledger
from tests.simulation.loop import SimulatedLoop
from tests.simulation.world import World

T = TypeVar("T")

_SCHEDULES = 5000
_NEW_SCHEDULES = 20
_WATCHED_SECS = 60
_LATER = timedelta(days=365)
_LOOKS = ("claim_due", "pick_up", "next_due", "next_attempt")


@dataclass(frozen=True)
class Report:
    """What so many replicas did. `shares` are dispatches by replica, sorted; calls are of the database."""

    replicas: int
    shares: Sequence[int]
    rush_secs: float
    calls_per_firing: float
    calls_per_new_schedule: float
    lag_ms: float
    idle_calls_per_replica_minute: float
    repeats_after_kills: int
    secs_after_kills: float

    @property
    def fairness(self) -> float:
        """Return how even the shares are."""
        return fairness(self.shares)

    def __str__(self) -> str:
        shares = f"{self.shares[0]}-{statistics.median(self.shares):.0f}-{self.shares[-1]}"
        return (
            f"{self.replicas:>3} replicas | rush of {_SCHEDULES}: {self.rush_secs:.1f} s, {shares} each"
            f" (fairness {self.fairness:.3f}), {self.calls_per_firing:.2f} calls a firing"
            f" | new schedule: {self.calls_per_new_schedule:.0f} calls, {self.lag_ms:.0f} ms late"
            f" | idle: {self.idle_calls_per_replica_minute:.0f} calls a replica and minute"
            f" | half killed in mid-rush: {self.repeats_after_kills} repeats, done in {self.secs_after_kills:.1f} s"
        )


def fairness(shares: Sequence[int]) -> float:
    """Return Jain's index: 1 when all did the same, 1/n when one did everything."""
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


def shares_of_quick_rush(replicas: int, *, seed: int = 1) -> Sequence[int]:
    """Return how many of a rush each replica dispatched, to receivers that answer within some milliseconds."""

    async def quick_rush(world: World) -> Sequence[int]:
        world.answers_within = 0.006
        shares, _, _ = await _rush(world)
        return shares

    return _in_world(seed, replicas, quick_rush)


def run(replicas: int, *, seed: int = 1) -> Report:
    """Run every scene with so many replicas. Raises AssertionError when a ledger does not add up."""
    shares, rush_secs, calls = _in_world(seed, replicas, _rush)
    new_calls, lag_ms = _in_world(seed, replicas, _new_schedules)
    killed_repeats, killed_secs = _in_world(seed, replicas, _rush_with_kills)
    return Report(
        replicas=replicas,
        shares=shares,
        rush_secs=rush_secs,
        calls_per_firing=calls / _SCHEDULES,
        calls_per_new_schedule=new_calls,
        lag_ms=lag_ms,
        idle_calls_per_replica_minute=_in_world(seed, replicas, _idle),
        repeats_after_kills=killed_repeats,
        secs_after_kills=killed_secs,
    )


def _in_world(seed: int, replicas: int, scene: Callable[[World], Awaitable[T]]) -> T:
    loop = SimulatedLoop()
    world = World(loop, random.Random(seed), settings=FiringSettings())
    try:
        return loop.run_until_complete(_play(world, replicas, scene))
    finally:
        loop.close()


async def _play(world: World, replicas: int, scene: Callable[[World], Awaitable[T]]) -> T:
    for _ in range(replicas):
        world.start_replica()
    await asyncio.sleep(5)
    found = await scene(world)
    for replica in world.replicas.values():
        replica.engine.stop()
    for replica in world.replicas.values():
        await replica.task
    last = {job.id: job.next_run_at for job in world.store.jobs.values() if job.next_run_at is not None}
    check_ledger(world, last, 0)
    return found


async def _rush(world: World) -> tuple[Sequence[int], float, int]:
    """Let many schedules come due at one moment; everybody is asleep before it."""
    await _add_rush(world)
    before = world.calls.copy()
    started = world.loop.time()
    await _all_fired(world, _SCHEDULES)
    shares = sorted(world.received[name] for name in world.replicas)
    return shares, world.loop.time() - started, (world.calls - before).total()


async def _rush_with_kills(world: World) -> tuple[int, float]:
    """As `_rush`, with half of the replicas killed once a third has been dispatched."""
    await _add_rush(world)
    while world.received.total() < _SCHEDULES / 3:  # noqa: ASYNC110  simulated time costs nothing
        await asyncio.sleep(0.01)
    victims = list(world.replicas.values())[::2][: len(world.replicas) // 2]
    for victim in victims:
        await world.kill(victim)
    killed = world.loop.time()
    await _all_fired(world, _SCHEDULES)
    return sum(count - 1 for count in world.delivered.values()), world.loop.time() - killed


async def _new_schedules(world: World) -> tuple[float, float]:
    """Add schedules one by one, due in a second, and wake every replica for each, as NOTIFY does."""
    calls: list[int] = []
    lags: list[float] = []
    for number in range(1, _NEW_SCHEDULES + 1):
        before = world.calls.copy()
        job = await world.add_job(_LATER, due_in=timedelta(seconds=1))
        for replica in world.replicas.values():
            replica.wakeups.wake()
        await _all_fired(world, number)
        entry = next(entry for entry in world.ledger.entries.values() if entry.record.job_id == job.id)
        assert entry.record.dispatched_at is not None
        lags.append((entry.record.dispatched_at - entry.record.scheduled_at).total_seconds())
        await asyncio.sleep(3)
        calls.append(sum(count for (_, method), count in (world.calls - before).items() if method in _LOOKS))
    return statistics.median(calls), 1000 * statistics.median(lags)


async def _idle(world: World) -> float:
    """Let nothing happen."""
    before = world.calls.copy()
    await asyncio.sleep(_WATCHED_SECS)
    return (world.calls - before).total() / len(world.replicas) * 60 / _WATCHED_SECS


async def _add_rush(world: World) -> None:
    due = world.clock.now() + timedelta(seconds=5)
    for _ in range(_SCHEDULES):
        await world.add_job(_LATER, due_in=due - world.clock.now(), users=100)
    for replica in world.replicas.values():
        replica.wakeups.wake()
    await asyncio.sleep((due - world.clock.now()).total_seconds())


async def _all_fired(world: World, number: int) -> None:
    entries = world.ledger.entries
    while len(entries) < number or any(  # noqa: ASYNC110  simulated time costs nothing
        entry.record.state not in FINAL_STATES for entry in entries.values()
    ):
        await asyncio.sleep(0.05)


def main() -> None:
    """Report on the numbers of replicas given, or on a few."""
    logging.disable(logging.CRITICAL)
    for replicas in map(int, sys.argv[1:] or ("2", "10", "30", "50")):
        print(run(replicas), flush=True)  # noqa: T201  it reports


if __name__ == "__main__":
    main()
