"""What every job store does when due jobs are claimed (ports/jobs.py, `claim_due`)."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain

import pytest

from ports.errors import LeaseLost
from ports.firings import Firing, FiringState
from ports.jobs import Advance, Claim, FiringPlan, UnreadableReason
from ports.triggers import Trigger
from tests.contract.worlds import HOUR, NOW, World, a_job, hourly, new_firing, only_record, replica


async def claim(
    world: World, *, now: datetime = NOW, limit: int = 100, owner: str = "one", plan: FiringPlan = hourly
) -> Claim:
    """Claim, by default as replica one, with an hourly plan."""
    return await world.jobs.claim_due(now=now, limit=limit, owner=owner, plan=plan)


def ids(firings: Sequence[Firing]) -> list[str]:
    """Return the jobs of firings."""
    return [firing.job_id for firing in firings]


async def expect_nothing(world: World) -> None:
    """Claim, and get nothing at all."""
    claimed = await claim(world)
    assert (list(claimed.firings), claimed.taken, list(claimed.unreadable)) == ([], 0, [])


async def test_a_due_job_is_claimed_once_and_moves_on(world: World) -> None:
    """One claim records the firing, leases it, and advances the job."""
    await replica(world)
    await world.jobs.put(a_job(x=[1, float("inf"), "\0"]))
    (firing,) = (await claim(world)).firings
    assert (firing.store, firing.job_id, firing.kind) == ("execution", "job", "execute_graph")
    assert (firing.scheduled_at, firing.claimed_at, firing.attempts) == (NOW, NOW, 0)
    assert firing.payload == a_job(x=[1, float("inf"), "\0"]).kwargs
    assert await world.jobs.get("job") == a_job(due=NOW + HOUR, x=[1, float("inf"), "\0"])
    record = await only_record(world)
    assert (record.id, record.state, record.user_id) == (firing.id, FiringState.LEASED, "user")
    assert (await claim(world)).taken == 0


async def test_only_what_is_due_is_claimed(world: World) -> None:
    """Due means at or before now, to the microsecond; paused jobs never are."""
    await replica(world)
    await world.jobs.put(a_job("due"))
    await world.jobs.put(a_job("next", due=NOW + timedelta(microseconds=1)))
    await world.jobs.put(a_job("paused", due=None))
    assert ids((await claim(world)).firings) == ["due"]


async def test_the_soonest_are_claimed_first_up_to_the_limit(world: World) -> None:
    """`taken` tells whether there may be more."""
    await replica(world)
    for minutes in (3, 1, 2, 0):
        await world.jobs.put(a_job(f"-{minutes}", due=NOW - timedelta(minutes=minutes)))
    first = await claim(world, limit=3)
    assert (ids(first.firings), first.taken) == (["-3", "-2", "-1"], 3)
    second = await claim(world, limit=3)
    assert (ids(second.firings), second.taken) == (["-0"], 1)


async def test_two_claimers_never_get_the_same_row(world: World) -> None:
    """Replicas share the work by skipping what another is at; together they get everything once."""
    one, two = await replica(world, "one"), await replica(world, "two")
    await asyncio.gather(*(world.jobs.put(a_job(f"{number}")) for number in range(120)))
    claims = await asyncio.gather(*(claim(world, limit=20, owner=each.name) for each in (one, two) * 4))
    firings = list(chain.from_iterable(each.firings for each in claims))
    while rest := (await claim(world)).firings:
        firings.extend(rest)
    assert sorted(ids(firings), key=int) == [f"{number}" for number in range(120)]
    assert len({firing.id for firing in firings}) == 120


async def test_the_plan_decides_what_fires_and_when_next(world: World) -> None:
    """The plan sees the trigger, the stored due time and now; what it says is recorded."""
    await replica(world)
    job = a_job(due=NOW - 5 * HOUR)
    await world.jobs.put(job)
    seen = []

    def plan(trigger: Trigger, due: datetime, now: datetime) -> Advance:
        seen.append((trigger, due, now))
        return Advance(scheduled_at=NOW - HOUR, next_run_at=NOW + 3 * HOUR, coalesced=4)

    (firing,) = (await claim(world, plan=plan)).firings
    assert seen == [(job.trigger, NOW - 5 * HOUR, NOW)]
    assert (firing.scheduled_at, firing.coalesced) == (NOW - HOUR, 4)
    assert (await only_record(world)).coalesced == 4
    assert await world.jobs.next_due() == NOW + 3 * HOUR


async def test_a_job_that_has_run_out_is_deleted_and_still_fires(world: World) -> None:
    """A one-off's last firing outlives its job."""
    await replica(world)
    await world.jobs.put(a_job())
    claimed = await claim(world, plan=lambda _, due, __: Advance(scheduled_at=due, next_run_at=None))
    assert ids(claimed.firings) == ["job"]
    assert await world.jobs.get("job") is None
    assert (await only_record(world)).state is FiringState.LEASED


async def test_a_dropped_firing_is_recorded_and_not_handed_out(world: World) -> None:
    """What an operator's grace drops is in the history, and its job goes on."""
    await replica(world)
    await world.jobs.put(a_job())

    def plan(trigger: Trigger, due: datetime, now: datetime) -> Advance:
        del trigger
        return Advance(scheduled_at=due, next_run_at=now + HOUR, coalesced=2, dropped=True)

    claimed = await claim(world, plan=plan)
    assert (claimed.firings, claimed.taken) == ([], 1)
    record = await only_record(world)
    assert (record.state, record.finished_at, record.coalesced) == (FiringState.DROPPED, NOW, 2)
    assert await world.ledger.stranded(owner="one", holding=frozenset()) == []
    assert await world.jobs.next_due() == NOW + HOUR


async def test_a_due_time_that_was_claimed_before_is_not_fired_again(world: World) -> None:
    """After a clock that went back, or a restored row, the job moves on without a second firing."""
    await replica(world)
    await world.jobs.put(a_job())
    await claim(world)
    await world.jobs.put(a_job())
    again = await claim(world)
    assert (again.firings, again.taken) == ([], 1)
    assert await world.jobs.next_due() == NOW + HOUR
    assert len(await world.ledger.history()) == 1


async def test_a_claim_of_nothing_is_empty(world: World) -> None:
    """No due job, no firing."""
    await replica(world)
    await expect_nothing(world)


@pytest.mark.parametrize("jobs", [0, 3])
async def test_a_replica_that_is_not_alive_claims_nothing(world: World, jobs: int) -> None:
    """A dead replica's claim would be nobody's to dispatch, so it is refused as a whole."""
    await replica(world)
    await world.leases.release("one")
    for number in range(jobs):
        await world.jobs.put(a_job(f"{number}"))
    with pytest.raises(LeaseLost):
        await claim(world)
    assert await world.jobs.next_due() == (NOW if jobs else None)
    assert await world.ledger.history() == []


@pytest.mark.parametrize("reason", UnreadableReason)
async def test_an_unreadable_due_row_is_reported_once_and_stepped_around(
    world: World, reason: UnreadableReason
) -> None:
    """It is not fired, not changed, not in the way, and not looked at again and again."""
    await replica(world)
    world.leave_row("odd", due=NOW - HOUR, reason=reason)
    await world.jobs.put(a_job())
    claimed = await claim(world)
    assert ids(claimed.firings) == ["job"]
    assert [(row.id, row.reason) for row in claimed.unreadable] == [("odd", reason)]
    assert claimed.taken == 2
    await expect_nothing(world)
    assert await world.jobs.next_due() == NOW + HOUR
    assert world.row_is_there("odd")


async def test_a_job_of_another_store_with_the_same_id_and_time_is_another_firing(world: World) -> None:
    """A firing is known by its store as well."""
    one = await replica(world)
    await world.ledger.record([new_firing()], store="weekly_notifications", owner=one.name)
    await world.jobs.put(a_job())
    assert ids((await claim(world)).firings) == ["job"]
    assert len(await world.ledger.history(job_id="job")) == 2
