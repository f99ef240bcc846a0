"""What every adapter does with replicas and their beats (ports/leases.py)."""

import asyncio

from ports.firings import FiringState
from ports.leases import Pulse
from tests.contract.worlds import HOUR, NOW, World, new_firing, only_record, outcome, replica


async def test_a_renewal_counts_up_and_shows_every_other_replica(world: World) -> None:
    """Peers are judged by whether their counters move."""
    await world.leases.register("one")
    assert await world.leases.renew("one") == Pulse(alive=True, peers={})
    await world.leases.register("two")
    assert await world.leases.renew("two") == Pulse(alive=True, peers={"one": 1})
    assert await world.leases.renew("one") == Pulse(alive=True, peers={"two": 1})
    assert await world.leases.renew("two") == Pulse(alive=True, peers={"one": 2})


async def test_beats_at_once_are_all_counted(world: World) -> None:
    """A beat is never lost, so a living replica's counter always moves."""
    await world.leases.register("one")
    await world.leases.register("two")
    await asyncio.gather(*(world.leases.renew("one") for _ in range(10)))
    assert (await world.leases.renew("two")).peers == {"one": 10}


async def test_a_replica_that_nobody_registered_is_not_alive(world: World) -> None:
    """It has to register anew under a fresh id; its renewal makes no counter."""
    assert not (await world.leases.renew("ghost")).alive
    assert not (await world.leases.renew("ghost")).alive


async def test_a_replica_whose_beat_stands_still_is_expired_and_its_firings_wait(world: World) -> None:
    """Whoever is first frees them, at once and all of them, for anybody to pick up."""
    one, two = await replica(world, "one"), await replica(world, "two")
    await one.record(new_firing("a"), new_firing("b"))
    await two.record(new_firing("c"))
    await world.leases.renew("one")
    assert await world.leases.expire("one", beat=1) == 2
    assert (await world.leases.renew("two")).peers == {}
    assert not (await world.leases.renew("one")).alive
    picked = await world.ledger.pick_up(now=NOW, limit=10, owner="two")
    assert sorted(firing.job_id for firing in picked) == ["a", "b"]


async def test_a_replica_whose_beat_moved_is_left_alone(world: World) -> None:
    """An observer that was slow to look does no harm."""
    one = await replica(world)
    await one.record(new_firing())
    await world.leases.renew("one")
    assert await world.leases.expire("one", beat=0) == 0
    assert (await world.leases.renew("one")).alive
    assert (await only_record(world)).state is FiringState.LEASED


async def test_of_two_observers_one_frees_the_firings(world: World) -> None:
    """The second finds nothing to free."""
    one = await replica(world)
    await one.record(new_firing())
    freed = await asyncio.gather(*(world.leases.expire("one", beat=0) for _ in range(4)))
    assert sorted(freed) == [0, 0, 0, 1]


async def test_a_released_replica_gives_back_what_it_holds(world: World) -> None:
    """A stopping replica's work goes on elsewhere at once, whatever its beat."""
    one = await replica(world)
    await one.record(new_firing())
    await world.leases.renew("one")
    assert await world.leases.release("one") == 1
    assert await world.leases.release("one") == 0
    assert await world.ledger.next_attempt() == NOW


async def test_a_freed_firing_keeps_its_attempts(world: World) -> None:
    """The count of dispatches goes on, so that an outcome of the dead replica is told from a later one."""
    one = await replica(world)
    (firing,) = await one.record(new_firing())
    await one.settle(outcome(firing, FiringState.WAITING, attempt_at=NOW))
    await world.ledger.pick_up(now=NOW, limit=1, owner="one")
    await world.leases.release("one")
    await replica(world, "two")
    (again,) = await world.ledger.pick_up(now=NOW + HOUR, limit=1, owner="two")
    assert (again.id, again.attempts, again.payload) == (firing.id, 1, firing.payload)


async def test_registering_again_sets_the_counter_to_zero(world: World) -> None:
    """A registration whose answer was lost may be repeated."""
    await world.leases.register("one")
    await world.leases.renew("one")
    await world.leases.register("one")
    await world.leases.register("two")
    assert (await world.leases.renew("two")).peers == {"one": 0}
