"""Random histories of a world, each repeatable from its seed, and what must be true after every one."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ports.firings import FINAL_STATES, FiringState
from ports.jobs import Job
from ports.triggers import IntervalTrigger
from tests.simulation.loop import SimulatedLoop
from tests.simulation.world import World

_CALM_SECS = 1200


@dataclass(frozen=True)
class Summary:
    """What one history came to."""

    firings: int
    coalesced: int
    repeats: int
    takeovers: int


def run_history(seed: int, *, replicas: int = 2, jobs: int = 4, seconds: float = 60.0) -> Summary:
    """Run one history and check the ledger. Raises AssertionError with the seed in its message."""
    loop = SimulatedLoop()
    try:
        return loop.run_until_complete(_history(World(loop, random.Random(seed)), seed, replicas, jobs, seconds))
    finally:
        loop.close()


async def _history(world: World, seed: int, replicas: int, jobs: int, seconds: float) -> Summary:
    for _ in range(jobs):
        await world.add_job(timedelta(seconds=world.random.choice([3, 5, 10, 20])))
    for _ in range(replicas):
        world.start_replica()
    await _trouble(world, seconds)
    world.weather.clear()
    while len(world.replicas) < replicas:
        world.start_replica()
    last = await _end_schedules(world)
    await _quiet(world, seed)
    for replica in world.replicas.values():
        replica.engine.stop()
    for replica in [*world.replicas.values(), *world.leaving]:
        await replica.task
    return check_ledger(world, last, seed)


async def _trouble(world: World, seconds: float) -> None:
    """Let random things happen for a while."""
    end = world.loop.time() + seconds
    pauses: list[asyncio.Task[None]] = []
    happenings: list[Callable[[World], Awaitable[None]]] = [
        _kill,
        _restart,
        _change_weather,
        _change_weather,
        _step_clock,
        _stop_gracefully,
    ]
    while world.loop.time() < end:
        await asyncio.sleep(world.random.expovariate(1 / 5))
        if world.random.random() < 0.2 and world.replicas:
            victim = world.random.choice(list(world.replicas.values()))
            pauses.append(world.loop.create_task(world.pause(victim, world.random.uniform(0.5, 12))))
        await world.random.choice(happenings)(world)
    await asyncio.gather(*pauses)


async def _kill(world: World) -> None:
    if world.replicas:
        await world.kill(world.random.choice(list(world.replicas.values())))


async def _restart(world: World) -> None:
    if len(world.replicas) < 3:
        world.start_replica()


async def _stop_gracefully(world: World) -> None:
    if world.replicas:
        replica = world.replicas.pop(world.random.choice(list(world.replicas)))
        replica.engine.stop()
        world.leaving.append(replica)


async def _step_clock(world: World) -> None:
    if world.random.random() < 0.4:
        world.clock.offset += timedelta(seconds=world.random.choice([-90, -7, 7, 90]))


async def _change_weather(world: World) -> None:
    chance = world.random
    weather = world.weather
    weather.store_down = chance.random() < 0.15
    weather.store_fails = chance.choice([0, 0, 0, 0.05, 0.3])
    weather.answer_lost = chance.choice([0, 0, 0, 0.02, 0.2])
    weather.receiver_down = chance.random() < 0.15
    weather.receiver_misdirected = chance.random() < 0.1
    weather.transient = chance.choice([0, 0, 0.2])
    weather.ambiguous = chance.choice([0, 0, 0.1])
    weather.refused = chance.choice([0, 0, 0.05])


async def _end_schedules(world: World) -> dict[str, datetime]:
    """Pause every schedule without cancelling its firings; return when each would have been due next."""
    last: dict[str, datetime] = {}
    for job in list(world.store.jobs.values()):
        assert job.next_run_at is not None
        last[job.id] = job.next_run_at
        world.store.jobs[job.id] = replace(job, next_run_at=None)
    return last


async def _quiet(world: World, seed: int) -> None:
    end = world.loop.time() + _CALM_SECS
    while any(entry.record.state not in FINAL_STATES for entry in world.ledger.entries.values()):
        assert world.loop.time() < end, f"seed {seed}: firings are stuck"
        await asyncio.sleep(1)


def check_ledger(world: World, last: dict[str, datetime], seed: int) -> Summary:
    """Each due time is one firing or folded into one; each firing ended, and was delivered as its state says."""
    due_times = dict.fromkeys(world.first_due, 0)
    repeats = 0
    for entry in world.ledger.entries.values():
        record, key = entry.record, entry.firing.idempotency_key
        due_times[record.job_id] += 1 + record.coalesced
        delivered = world.delivered[key]
        if record.state is FiringState.SUCCEEDED:
            assert delivered >= 1, f"seed {seed}: {key} succeeded without a delivery"
        assert delivered <= 1 + world.excused[key], f"seed {seed}: {key} was delivered {delivered} times"
        repeats += max(0, delivered - 1)
    for job_id, first in world.first_due.items():
        expected = _due_between(world.store.jobs[job_id], first, last[job_id])
        assert due_times[job_id] == expected, (
            f"seed {seed}: {job_id} was due {expected} times, the ledger has {due_times[job_id]}"
        )
    stray = set(world.delivered) - {entry.firing.idempotency_key for entry in world.ledger.entries.values()}
    assert not stray, f"seed {seed}: delivered without a firing: {stray}"
    return Summary(
        firings=len(world.ledger.entries),
        coalesced=sum(entry.record.coalesced for entry in world.ledger.entries.values()),
        repeats=repeats,
        takeovers=sum(world.excused.values()),
    )


def _due_between(job: Job, first: datetime, end: datetime) -> int:
    """Count the due times from `first` up to, not including, `end`."""
    assert isinstance(job.trigger, IntervalTrigger)
    return round((end - first) / job.trigger.interval)
