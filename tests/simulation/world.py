"""A small world for engines: a database that fails, receivers that misbehave, replicas that die."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.memory.firings import MemoryFiringLedger
from adapters.memory.jobs import MemoryJobStore
from adapters.memory.leases import MemoryLeases
from adapters.memory.wakeups import MemoryWakeUps
from domain.firing.engine import FiringEngine
from domain.firing.settings import FiringSettings
from ports.errors import (
    DispatchFailed,
    DispatchMisdirected,
    DispatchRefused,
    DispatchTransient,
    StoreUnavailable,
)
from ports.firings import Firing
from ports.jobs import Job, JobKind, StoreName
from ports.triggers import IntervalTrigger
from tests.simulation.loop import REPLICA, SimulatedLoop

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@dataclass
class WallClock:
    """The loop's time as a date, with steps."""

    loop: SimulatedLoop
    offset: timedelta = timedelta(0)

    def now(self) -> datetime:
        """Return the wall's time."""
        return START + timedelta(seconds=self.loop.time()) + self.offset


@dataclass
class Weather:
    """What goes wrong at the moment, in probabilities a call."""

    store_down: bool = False
    store_fails: float = 0.0
    answer_lost: float = 0.0
    receiver_down: bool = False
    receiver_misdirected: bool = False
    transient: float = 0.0
    ambiguous: float = 0.0
    refused: float = 0.0

    def clear(self) -> None:
        """Let everything work again."""
        self.__init__()  # type: ignore[misc]  # back to the defaults, all of them


class ExcusingLedger(MemoryFiringLedger):
    """Notes which firings were taken away from a replica while it had them: those may be delivered again."""

    def __init__(self, clock: WallClock, excused: Counter[str]) -> None:
        super().__init__(clock)
        self._excused = excused

    def free(self, owner: str) -> int:
        """Free them, and excuse them."""
        for entry in self.entries.values():
            if entry.owner == owner:
                self._excused[entry.firing.idempotency_key] += 1
        return super().free(owner)


class FaultyPort:
    """An adapter behind a network: calls take time, fail before they act, or lose their answer after."""

    def __init__(self, real: Any, world: "World", gate: asyncio.Event) -> None:
        self._real = real
        self._world = world
        self._gate = gate
        self.name = getattr(real, "name", None)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        real = getattr(self._real, method)

        async def call(*args: Any, **kwargs: Any) -> Any:
            world = self._world
            world.calls[REPLICA.get() or "", method] += 1
            await asyncio.sleep(world.random.uniform(0.001, 0.02))
            await self._gate.wait()
            if world.weather.store_down or world.random.random() < world.weather.store_fails:
                raise StoreUnavailable("the simulated database is away")
            result = await real(*args, **kwargs)
            if world.random.random() < world.weather.answer_lost:
                world.lost_answers += 1
                raise StoreUnavailable("the answer was lost on the way")
            return result

        return call


@dataclass
class Replica:
    """One engine and the gate that a pause closes."""

    name: str
    engine: FiringEngine
    gate: asyncio.Event
    wakeups: MemoryWakeUps
    task: asyncio.Task[None]


@dataclass
class World:
    """Everything that the replicas of one history share.

    `calls` counts the calls of ports by replica and method, `received` the dispatches by replica. `answers_within`
    are seconds, more or less.
    """

    loop: SimulatedLoop
    random: random.Random
    settings: FiringSettings = field(
        default_factory=lambda: FiringSettings(
            max_in_flight=4,
            few_in_flight=2,
            most_unrecorded=2,
            lease_secs=5.0,
            poll_secs=5.0,
            first_batch=3,
            full_batch=10,
            shutdown_grace_secs=3.0,
        )
    )
    weather: Weather = field(default_factory=Weather)
    delivered: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    lost_answers: int = 0
    answers_within: float = 0.3
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.clock = WallClock(self.loop)
        self.ledger = ExcusingLedger(self.clock, self.excused)
        self.leases = MemoryLeases(self.ledger)
        self.store = MemoryJobStore(StoreName.EXECUTION, ledger=self.ledger)
        self.replicas: dict[str, Replica] = {}
        self.leaving: list[Replica] = []
        self._names = itertools.count(1)
        self._ids = itertools.count(1)
        self.first_due: dict[str, datetime] = {}

    async def add_job(self, every: timedelta, *, due_in: timedelta | None = None, users: int = 3) -> Job:
        """Store a schedule that is due every so often, first in `due_in` or else in `every`."""
        number = len(self.first_due)
        due = self.clock.now() + (every if due_in is None else due_in)
        job = Job(
            id=f"job{number}",
            kind=JobKind.EXECUTE_GRAPH,
            name="n",
            trigger=IntervalTrigger(interval=every, start_at=due, timezone="UTC"),
            kwargs={"user_id": f"u{number % users}"},
            next_run_at=due,
        )
        self.first_due[job.id] = due
        await self.store.put(job)
        return job

    def start_replica(self) -> Replica:
        """Start an engine, as a process of its own would."""
        name = f"replica{next(self._names)}"
        gate = asyncio.Event()
        gate.set()
        wakeups = MemoryWakeUps()
        token = REPLICA.set(name)
        try:
            engine = FiringEngine(
                stores=[FaultyPort(self.store, self, gate)],  # type: ignore[list-item]  # it forwards every method
                ledger=FaultyPort(self.ledger, self, gate),
                leases=FaultyPort(self.leases, self, gate),
                wakeups=wakeups,
                handlers={JobKind.EXECUTE_GRAPH: lambda firing: self._receive(firing, gate)},
                clock=self.clock,
                settings=self.settings,
                new_replica_id=lambda: f"{name}/{next(self._ids)}",
                jitter=random.Random(self.random.random()),
                alert=self._alert,
            )
            task = self.loop.create_task(engine.run())
        finally:
            REPLICA.reset(token)
        self.replicas[name] = Replica(name, engine, gate, wakeups, task)
        return self.replicas[name]

    async def _alert(self, text: str) -> None:
        del text

    async def kill(self, replica: Replica) -> None:
        """End a replica as SIGKILL does: none of its tasks gets another word in."""
        replica.gate.clear()
        del self.replicas[replica.name]
        tasks = list(self.loop.tasks[replica.name])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def pause(self, replica: Replica, seconds: float) -> None:
        """Let a replica reach nothing for a while, as SIGSTOP or a cut cable does."""
        replica.gate.clear()
        await asyncio.sleep(seconds)
        replica.gate.set()

    async def _receive(self, firing: Firing, gate: asyncio.Event) -> str | None:
        key = firing.idempotency_key
        weather = self.weather
        await gate.wait()
        await asyncio.sleep(self.random.uniform(0.001, self.answers_within))
        self._fail_before_delivery(weather)
        self.delivered[key] += 1
        self.received[REPLICA.get() or ""] += 1
        if self.random.random() < weather.ambiguous:
            self.excused[key] += 1
            raise DispatchTransient("no answer", code="timeout", ambiguous=True)
        await asyncio.sleep(self.random.uniform(0.001, self.answers_within / 6))
        return key

    def _fail_before_delivery(self, weather: Weather) -> None:
        error: DispatchFailed | None = None
        if weather.receiver_misdirected:
            error = DispatchMisdirected("not here", code="not_found")
        elif weather.receiver_down or self.random.random() < weather.transient:
            error = DispatchTransient("connection refused", code="connect")
        elif self.random.random() < weather.refused:
            error = DispatchRefused("no such graph", code="NotFoundError")
        if error is not None:
            raise error
