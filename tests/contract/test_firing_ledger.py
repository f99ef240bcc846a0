"""What every ledger does with firings and their outcomes (ports/firings.py)."""

import asyncio
from datetime import timedelta

import pytest

from ports.errors import LeaseLost
from ports.firings import FiringState, Outcome
from tests.contract.worlds import HOUR, NOW, World, new_firing, only_record, outcome, replica

ODD = 'nul \0, quote " \\, lone \udc80, \u00e9'


async def test_a_recorded_firing_is_leased_and_returned(world: World) -> None:
    """Inserting is the claim for a store that keeps its jobs in memory."""
    one = await replica(world)
    (firing,) = await one.record(new_firing(payload={"x": float("inf")}, coalesced=2**40))
    assert (firing.job_id, firing.scheduled_at, firing.claimed_at) == ("job", NOW, NOW)
    assert (firing.payload, firing.attempts, firing.coalesced) == ({"x": float("inf")}, 0, 2**40)
    assert (await only_record(world)).state is FiringState.LEASED


async def test_a_due_time_is_recorded_once_whoever_asks(world: World) -> None:
    """N replicas with the same job in memory run each due time once between them."""
    replicas = [await replica(world, name) for name in "abcd"]
    due = [new_firing(at=NOW + number * HOUR) for number in range(10)]
    taken = await asyncio.gather(*(each.record(*due) for each in replicas))
    assert sorted(f.scheduled_at for part in taken for f in part) == [f.scheduled_at for f in due]


async def test_the_same_due_time_twice_in_one_call_is_recorded_once(world: World) -> None:
    """The first counts."""
    one = await replica(world)
    assert len(await one.record(new_firing(coalesced=1), new_firing(coalesced=2))) == 1
    assert (await only_record(world)).coalesced == 1


async def test_recording_nothing_returns_nothing(world: World) -> None:
    """An empty call is fine."""
    one = await replica(world)
    assert await one.record() == []


async def test_whoever_is_not_alive_leases_nothing(world: World) -> None:
    """What a dead replica leased would be nobody's to dispatch."""
    for call in (
        world.ledger.record([new_firing()], store="s", owner="ghost"),
        world.ledger.pick_up(now=NOW, limit=1, owner="ghost"),
        world.ledger.stranded(owner="ghost", holding=frozenset()),
    ):
        with pytest.raises(LeaseLost):
            await call
    assert await world.ledger.history() == []


async def test_waiting_and_held_firings_are_picked_up_when_their_time_has_come(world: World) -> None:
    """Soonest first, up to the limit, and leased to whoever picked them up."""
    one = await replica(world)
    for number, state in enumerate((FiringState.WAITING, FiringState.HELD, FiringState.WAITING)):
        (firing,) = await one.record(new_firing(f"{number}"))
        await one.settle(outcome(firing, state, attempt_at=NOW + (3 - number) * HOUR))
    assert await world.ledger.pick_up(now=NOW, limit=10, owner="one") == []
    assert await world.ledger.next_attempt() == NOW + HOUR
    picked = await world.ledger.pick_up(now=NOW + 3 * HOUR, limit=2, owner="one")
    assert [(firing.job_id, firing.attempts) for firing in picked] == [("2", 1), ("1", 1)]
    assert await world.ledger.next_attempt() == NOW + 3 * HOUR
    assert {f.id for f in await world.ledger.stranded(owner="one", holding=frozenset())} == {f.id for f in picked}


async def test_two_who_pick_up_never_get_the_same_firing(world: World) -> None:
    """Replicas share retries as they share claims."""
    one, two = await replica(world, "one"), await replica(world, "two")
    firings = await one.record(*(new_firing(f"{number}") for number in range(60)))
    await one.settle(*(outcome(firing, FiringState.WAITING, attempt_at=NOW) for firing in firings))
    picked = await asyncio.gather(
        *(world.ledger.pick_up(now=NOW, limit=10, owner=each.name) for each in (one, two) * 4)
    )
    ids = [firing.id for part in picked for firing in part]
    while rest := await world.ledger.pick_up(now=NOW, limit=10, owner="one"):
        ids.extend(firing.id for firing in rest)
    assert sorted(ids) == sorted(firing.id for firing in firings)


async def test_nothing_waits_when_nothing_does(world: World) -> None:
    """Leased and final firings have no next attempt."""
    one = await replica(world)
    assert await world.ledger.next_attempt() is None
    (firing,) = await one.record(new_firing())
    assert await world.ledger.next_attempt() is None
    await one.settle(outcome(firing, FiringState.SUCCEEDED))
    assert await world.ledger.next_attempt() is None


async def test_stranded_are_the_leased_firings_that_the_owner_does_not_know_of(world: World) -> None:
    """They come from a claim whose answer was lost; others' firings are no business of this owner's."""
    one, two = await replica(world, "one"), await replica(world, "two")
    known, lost, done = await one.record(new_firing("a"), new_firing("b"), new_firing("c"))
    await two.record(new_firing("d"))
    await one.settle(outcome(done, FiringState.SUCCEEDED))
    assert await world.ledger.stranded(owner="one", holding=frozenset({known.id})) == [lost]


async def test_a_success_is_recorded_whole(world: World) -> None:
    """History shows when, how often, and what the receiver called it."""
    one = await replica(world)
    (firing,) = await one.record(new_firing(payload={"user_id": ODD, "graph_id": "g"}, coalesced=3))
    result = Outcome(
        firing_id=firing.id,
        state=FiringState.SUCCEEDED,
        dispatched_at=NOW + timedelta(seconds=1),
        finished_at=NOW + timedelta(seconds=2),
        attempts=1,
        execution_id=ODD,
    )
    assert await one.settle(result) == {firing.id}
    record = await only_record(world)
    assert (record.store, record.job_id, record.kind) == ("execution", "job", "execute_graph")
    assert (record.user_id, record.graph_id, record.execution_id) == (ODD, "g", ODD)
    assert (record.scheduled_at, record.claimed_at) == (NOW, NOW)
    assert (record.dispatched_at, record.finished_at) == (result.dispatched_at, result.finished_at)
    assert (record.state, record.attempts, record.coalesced) == (FiringState.SUCCEEDED, 1, 3)
    assert (record.code, record.error, record.attempt_at) == (None, None, None)


async def test_a_retry_is_recorded_with_its_reason_and_time(world: World) -> None:
    """A waiting firing is not finished."""
    one = await replica(world)
    (firing,) = await one.record(new_firing())
    await one.settle(outcome(firing, FiringState.WAITING, attempt_at=NOW + HOUR, code="timeout", error=ODD))
    record = await only_record(world)
    assert (record.state, record.attempt_at, record.finished_at) == (FiringState.WAITING, NOW + HOUR, None)
    assert (record.code, record.error, record.attempts) == ("timeout", ODD, 1)


async def test_an_outcome_counts_only_from_the_firings_owner(world: World) -> None:
    """A replica that lost its lease can't overwrite what came later."""
    one, two = await replica(world, "one"), await replica(world, "two")
    (firing,) = await one.record(new_firing())
    assert await two.settle(outcome(firing, FiringState.FAILED)) == frozenset()
    await world.leases.expire("one", beat=0)
    assert await one.settle(outcome(firing, FiringState.FAILED)) == frozenset()
    (taken,) = await world.ledger.pick_up(now=NOW, limit=1, owner="two")
    assert await one.settle(outcome(firing, FiringState.FAILED)) == frozenset()
    assert await two.settle(outcome(taken, FiringState.SUCCEEDED)) == {firing.id}
    assert (await only_record(world)).state is FiringState.SUCCEEDED


async def test_an_outcome_counts_only_for_the_next_attempt(world: World) -> None:
    """A call that is repeated since its answer was lost does not overwrite a later attempt of the same owner."""
    one = await replica(world)
    (firing,) = await one.record(new_firing())
    lost = outcome(firing, FiringState.WAITING, attempt_at=NOW)
    assert await one.settle(lost) == {firing.id}
    (again,) = await world.ledger.pick_up(now=NOW, limit=1, owner="one")
    assert await one.settle(lost) == frozenset()
    assert await one.settle(outcome(again, FiringState.SUCCEEDED)) == {firing.id}
    assert (await only_record(world)).attempts == 2


async def test_of_two_outcomes_in_one_call_the_first_counts(world: World) -> None:
    """The second is fenced off by the first."""
    one = await replica(world)
    (firing,) = await one.record(new_firing())
    both = outcome(firing, FiringState.SUCCEEDED), outcome(firing, FiringState.FAILED)
    assert await one.settle(*both) == {firing.id}
    assert (await only_record(world)).state is FiringState.SUCCEEDED


async def test_many_outcomes_are_settled_at_once(world: World) -> None:
    """Unknown ones among them do no harm."""
    one = await replica(world)
    firings = await one.record(*(new_firing(f"{number}") for number in range(50)))
    outcomes = [outcome(firing, FiringState.SUCCEEDED) for firing in firings]
    strange = Outcome(10**9, FiringState.FAILED, dispatched_at=None, finished_at=NOW, attempts=1)
    assert await one.settle(strange, *outcomes) == {firing.id for firing in firings}
    assert await one.settle() == frozenset()


async def test_history_is_newest_first_and_pages_by_id(world: World) -> None:
    """A page begins below the last id of the one before."""
    one = await replica(world)
    firings = await one.record(*(new_firing(f"{number}") for number in range(5)))
    ids = sorted((firing.id for firing in firings), reverse=True)
    assert [record.id for record in await world.ledger.history(limit=2)] == ids[:2]
    assert [record.id for record in await world.ledger.history(before_id=ids[1])] == ids[2:]


async def test_history_is_filtered_by_job_user_and_state(world: World) -> None:
    """Filters combine; an empty set of states matches nothing."""
    one = await replica(world)
    a, b, c = await one.record(
        new_firing("a", payload={"user_id": "u"}),
        new_firing("b", payload={"user_id": ODD}),
        new_firing("a", at=NOW + HOUR, payload={}),
    )
    await one.settle(outcome(a, FiringState.FAILED), outcome(b, FiringState.DEAD))

    async def found(**filters: object) -> list[int]:
        return [record.id for record in await world.ledger.history(**filters)]  # type: ignore[arg-type]

    assert await found(job_id="a") == [c.id, a.id]
    assert await found(user_id=ODD) == [b.id]
    assert await found(user_id="nobody") == []
    assert await found(states=frozenset({FiringState.FAILED, FiringState.DEAD})) == [b.id, a.id]
    assert await found(states=frozenset({FiringState.LEASED}), job_id="a") == [c.id]
    assert await found(states=frozenset({FiringState.FAILED}), user_id=ODD) == []
    assert await found(states=frozenset()) == []


@pytest.mark.parametrize("state", [FiringState.FAILED, FiringState.DEAD, FiringState.HELD])
async def test_a_failed_dead_or_held_firing_can_be_sent_again(world: World, state: FiringState) -> None:
    """It waits for dispatch at once, payload and attempts kept."""
    one = await replica(world)
    (firing,) = await one.record(new_firing(payload={"x": "y"}))
    await one.settle(outcome(firing, state, attempt_at=NOW + HOUR if state is FiringState.HELD else None))
    assert await world.ledger.resend(firing.id, now=NOW)
    record = await only_record(world)
    assert (record.state, record.attempt_at, record.finished_at) == (FiringState.WAITING, NOW, None)
    (again,) = await world.ledger.pick_up(now=NOW, limit=1, owner="one")
    assert (again.id, again.attempts, again.payload) == (firing.id, 1, {"x": "y"})


async def test_no_other_firing_can_be_sent_again(world: World) -> None:
    """Not while it is leased or waits, not when it succeeded or was cancelled, not when there is none."""
    one = await replica(world)
    assert not await world.ledger.resend(1, now=NOW)
    (firing,) = await one.record(new_firing())
    assert not await world.ledger.resend(firing.id, now=NOW)
    await one.settle(outcome(firing, FiringState.SUCCEEDED))
    assert not await world.ledger.resend(firing.id, now=NOW)


async def test_counts_cover_what_stays_a_while(world: World) -> None:
    """Leases and successes come and go too fast to be counted here."""
    one = await replica(world)
    new = [new_firing(f"{number}") for number in range(3)]
    first, second, _ = await one.record(*new, new_firing(dropped=True))
    await one.settle(outcome(first, FiringState.SUCCEEDED), outcome(second, FiringState.WAITING, attempt_at=NOW))
    counts = dict.fromkeys(frozenset(FiringState) - {FiringState.SUCCEEDED, FiringState.LEASED}, 0)
    counts |= {FiringState.WAITING: 1, FiringState.DROPPED: 1}
    assert await world.ledger.counts() == counts
