"""How every ledger forgets (ports/firings.py, `prune`)."""

from datetime import timedelta

import pytest

from ports.firings import FINAL_STATES, FiringState, Retention
from tests.contract.worlds import NOW, World, new_firing, outcome, replica

DAY = timedelta(days=1)
KEEP = Retention(successes=3 * DAY, failures=30 * DAY)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
async def test_a_finished_firing_is_kept_as_long_as_its_kind_is(world: World, state: FiringState) -> None:
    """Successes go after three days, whatever else is final after thirty."""
    one = await replica(world)
    for firing in await one.record(new_firing(dropped=state is FiringState.DROPPED)):
        await one.settle(outcome(firing, state))
    age = KEEP.successes if state is FiringState.SUCCEEDED else KEEP.failures
    assert await world.ledger.prune(now=NOW + age, keep=KEEP, limit=10) == 0
    assert await world.ledger.prune(now=NOW + age + MOMENT, keep=KEEP, limit=10) == 1
    assert await world.ledger.history() == []


async def test_unfinished_firings_are_never_pruned(world: World) -> None:
    """However old they are, somebody will want to know."""
    one = await replica(world)
    waiting, held, _ = await one.record(*(new_firing(name) for name in "abc"))
    await one.settle(
        outcome(waiting, FiringState.WAITING, attempt_at=NOW), outcome(held, FiringState.HELD, attempt_at=NOW)
    )
    assert await world.ledger.prune(now=NOW + 1000 * DAY, keep=KEEP, limit=10) == 0


async def test_pruning_goes_up_to_the_limit(world: World) -> None:
    """Small batches keep it cheap; the number says whether there is more."""
    one = await replica(world)
    firings = await one.record(*(new_firing(f"{number}") for number in range(5)))
    states = [FiringState.SUCCEEDED] * 3 + [FiringState.FAILED] * 2
    await one.settle(*(outcome(firing, state) for firing, state in zip(firings, states, strict=True)))
    later = NOW + 31 * DAY
    assert await world.ledger.prune(now=later, keep=KEEP, limit=4) == 4
    assert await world.ledger.prune(now=later, keep=KEEP, limit=4) == 1
    assert await world.ledger.prune(now=later, keep=KEEP, limit=4) == 0
