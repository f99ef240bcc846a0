"""Firings outside the cadence: recorded for whoever picks them up (ports/firings.py, ports/jobs.py)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ports.firings import FiringState, NewFiring
from ports.jobs import Job, StoreName, UnreadableReason
from tests.contract.worlds import HOUR, NOW, World, a_job, hourly, new_firing, only_record, outcome, replica

STORE = StoreName.EXECUTION.value
ODD: dict[str, Any] = {"user_id": "u\0\ud800", "graph_id": "g" * 5000, "input_data": {"a": "\0\ud800", "n": 2**70}}


class RefusedError(Exception):
    """What a caller's own rule says."""


def refuse(job: Job) -> Sequence[NewFiring]:
    """Refuse whatever job."""
    raise RefusedError(job.id)


async def enqueue(world: World, *firings: NewFiring) -> frozenset[Any]:
    """Enqueue firings in the ledger."""
    return await world.ledger.enqueue(firings, store=STORE)


async def test_an_enqueued_firing_waits_for_whoever_picks_it_up(world: World) -> None:
    """Nobody leases it; it is due at once and carries its payload."""
    assert await enqueue(world, new_firing(payload=ODD)) == {NOW}
    record = await only_record(world)
    assert (record.state, record.attempt_at, record.claimed_at) == (FiringState.WAITING, NOW, NOW)
    assert (record.attempts, record.user_id, record.graph_id) == (0, ODD["user_id"], ODD["graph_id"])
    assert await world.ledger.next_attempt() == NOW
    one = await replica(world)
    (firing,) = await world.ledger.pick_up(now=NOW, limit=10, owner="one")
    assert (firing.payload, firing.scheduled_at, firing.attempts) == (ODD, NOW, 0)
    assert await one.settle(outcome(firing, FiringState.SUCCEEDED)) == {firing.id}


async def test_nothing_to_enqueue_is_nothing_new(world: World) -> None:
    """An empty list is no error."""
    assert await enqueue(world) == frozenset()
    assert await world.ledger.history() == []


async def test_only_what_is_new_is_recorded(world: World) -> None:
    """A due time that the ledger has, in whatever state, stays as it is."""
    one = await replica(world)
    (claimed,) = await one.record(new_firing(at=NOW))
    await one.settle(outcome(claimed, FiringState.SUCCEEDED))
    fresh = await enqueue(world, new_firing(at=NOW), new_firing(at=NOW + HOUR), new_firing("other", at=NOW))
    assert fresh == {NOW + HOUR, NOW}
    assert await enqueue(world, new_firing(at=NOW), new_firing(at=NOW + HOUR)) == frozenset()
    states = sorted(record.state for record in await world.ledger.history())
    assert states == [FiringState.SUCCEEDED, FiringState.WAITING, FiringState.WAITING]


async def test_of_many_at_once_one_is_recorded(world: World) -> None:
    """However many replicas are asked for the same due time."""
    found = await asyncio.gather(*(enqueue(world, new_firing()) for _ in range(6)))
    assert sorted(map(len, found)) == [0, 0, 0, 0, 0, 1]


async def test_a_due_time_that_was_enqueued_is_not_claimed_again(world: World) -> None:
    """Its job moves on all the same."""
    await replica(world)
    await world.jobs.put(a_job())
    await enqueue(world, new_firing())
    claim = await world.jobs.claim_due(now=NOW, limit=10, owner="one", plan=hourly)
    assert (list(claim.firings), claim.taken) == ([], 1)
    job = await world.jobs.get("job")
    assert job is not None
    assert job.next_run_at == NOW + HOUR


async def test_a_job_says_which_of_its_firings_to_enqueue(world: World) -> None:
    """It comes back as it is, with what was new; also when it is paused."""
    for due in (NOW + HOUR, None):
        job = a_job("paused" if due is None else "job", due=due)
        await world.jobs.put(job)
        asked: list[Job] = []

        def firings(job: Job, asked: list[Job] = asked) -> Sequence[NewFiring]:
            asked.append(job)
            return [new_firing(job.id), new_firing(job.id, at=NOW - HOUR)]

        assert await world.jobs.enqueue(job.id, firings=firings) == (job, frozenset({NOW, NOW - HOUR}))
        assert asked == [job]
        assert await world.jobs.enqueue(job.id, firings=firings) == (job, frozenset())
        assert await world.jobs.get(job.id) == job
    assert len(await world.ledger.history()) == 4


async def test_a_job_that_is_not_there_has_no_firings(world: World) -> None:
    """Nobody is asked about a missing job, or one that can't be read."""
    world.leave_row("odd", due=NOW, reason=UnreadableReason.QUARANTINED)
    for job_id in ("missing", "odd", "nul\0", "\ud800"):
        assert await world.jobs.enqueue(job_id, firings=refuse) is None


async def test_what_a_rule_raises_comes_out_and_nothing_is_recorded(world: World) -> None:
    """Only an owner may run a schedule."""
    await world.jobs.put(a_job())
    with pytest.raises(RefusedError):
        await world.jobs.enqueue("job", firings=refuse)
    assert await world.ledger.history() == []


@pytest.mark.parametrize("act", ["remove", "pause"])
async def test_no_firing_outlives_a_job_that_goes_at_the_same_moment(world: World, act: str) -> None:
    """Whichever comes first: it is cancelled, or never recorded; a paused job may be run after."""
    for number in range(8):
        job_id = f"job{number}"
        await world.jobs.put(a_job(job_id))
        going = (
            world.jobs.remove(job_id, allow=lambda _: None)
            if act == "remove"
            else world.jobs.change(job_id, change=lambda job: replace(job, next_run_at=None))
        )
        running = world.jobs.enqueue(job_id, firings=lambda job: [new_firing(job.id)])
        _, found = await asyncio.gather(going, running)
        states = [record.state for record in await world.ledger.history(job_id=job_id)]
        if act == "remove":
            assert states == ([] if found is None else [FiringState.CANCELLED])
        else:
            assert states in ([FiringState.WAITING], [FiringState.CANCELLED])


async def test_changing_a_paused_job_cancels_none_of_its_firings(world: World) -> None:
    """It was paused before; what was enqueued since is meant to run."""
    await world.jobs.put(a_job(due=None))
    await world.jobs.enqueue("job", firings=lambda job: [new_firing(job.id)])
    await world.jobs.change("job", change=lambda job: replace(job, name="renamed"))
    assert (await only_record(world)).state is FiringState.WAITING


async def test_what_replaces_a_job_is_asked_with_the_one_that_is_there(world: World) -> None:
    """It decides what is stored, in the same transaction; without one it is not asked."""
    seen: list[Job] = []

    def replacing(job: Job) -> Job:
        seen.append(job)
        return replace(second, name=f"{second.name} after {job.name}")

    first, second = a_job(a="1"), replace(a_job(b="2"), name="second")
    assert await world.jobs.put(first, replacing=replacing)
    assert (await world.jobs.get("job"), seen) == (first, [])
    assert await world.jobs.put(second, replacing=replacing)
    assert await world.jobs.get("job") == replace(second, name="second after a schedule")
    assert seen == [first]


async def test_a_refusal_to_replace_comes_out_and_the_job_stays(world: World) -> None:
    """Another's job is not overwritten."""
    await world.jobs.put(a_job())
    with pytest.raises(RefusedError):
        await world.jobs.put(a_job(other="x"), replacing=lambda job: (refuse(job), job)[1])
    assert await world.jobs.get("job") == a_job()


@pytest.mark.parametrize("reason", UnreadableReason)
async def test_an_unreadable_row_is_not_replaced_and_nobody_is_asked(
    world: World, reason: UnreadableReason
) -> None:
    """It stays as it is."""
    world.leave_row("odd", due=NOW, reason=reason)
    assert not await world.jobs.put(a_job("odd"), replacing=lambda job: (refuse(job), job)[1])
    assert world.row_is_there("odd")


async def test_of_many_that_take_an_id_at_once_one_is_first(world: World) -> None:
    """All others are asked what to make of it."""
    seen: list[str] = []

    async def put(name: str) -> None:
        def replacing(job: Job) -> Job:
            seen.append(job.name)
            return job

        await world.jobs.put(replace(a_job(), name=name), replacing=replacing)

    await asyncio.gather(*(put(f"{number}") for number in range(6)))
    job = await world.jobs.get("job")
    assert job is not None
    assert set(seen) == {job.name}
    assert len(seen) >= 5


async def test_a_thousand_firings_are_enqueued_in_one_call(world: World) -> None:
    """As many as a back-fill may ask for."""
    await world.jobs.put(a_job())
    minute = timedelta(minutes=1)
    found = await world.jobs.enqueue(
        "job", firings=lambda job: [new_firing(job.id, at=NOW - n * minute) for n in range(1000)]
    )
    assert found is not None
    assert len(found[1]) == 1000
