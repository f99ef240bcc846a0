"""What every job store does with jobs by id (ports/jobs.py)."""

import asyncio
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest

from ports.firings import FiringState
from ports.jobs import Job, JobKind, UnreadableReason
from tests.contract.worlds import HOUR, NOW, World, a_job, new_firing, only_record, outcome, replica

NESTED: dict[str, Any] = {
    "user_id": "u\0ser",
    "graph_id": "g" * 5000,
    "graph_version": 2**70,
    "input_data": {"text": "a\0b \ud83d\ude00 \udcff", "number": float("inf"), "list": [None, True, 1.5]},
    "a key of somebody's": {"x": []},
}


class RefusedError(Exception):
    """What a caller's own rule says."""


def refuse(job: Job) -> Job | None:
    """Refuse whatever job."""
    raise RefusedError(job.id)


def let(job: Job) -> None:
    """Let any job go."""


async def listed(world: World, **filters: object) -> list[str]:
    """Return the ids in a list."""
    return [job.id async for job in world.jobs.list(**filters)]  # type: ignore[arg-type]  # as the caller says


async def test_a_job_is_read_as_it_was_put(world: World) -> None:
    """Everything that a job holds survives the store, odd values and unknown keys included."""
    job = a_job(**NESTED)
    assert await world.jobs.put(job)
    assert await world.jobs.get("job") == job


async def test_a_missing_job_is_none(world: World) -> None:
    """Absence is not an error, not even for ids that no row can have."""
    for job_id in ("missing", "", "nul\0", "\ud800", "x" * 1000):
        assert await world.jobs.get(job_id) is None


async def test_put_replaces_a_job_of_the_same_id(world: World) -> None:
    """The second put wins as a whole."""
    await world.jobs.put(a_job(a="1"))
    second = a_job(due=None, b="2")
    assert await world.jobs.put(second)
    assert await world.jobs.get("job") == second


@pytest.mark.parametrize("reason", UnreadableReason)
async def test_an_unreadable_row_is_as_if_absent_and_stays(world: World, reason: UnreadableReason) -> None:
    """Nothing reads, overwrites, changes or removes a row that is not ours to read."""
    world.leave_row("odd", due=NOW, reason=reason)
    assert not await world.jobs.put(a_job("odd"))
    assert await world.jobs.get("odd") is None
    assert await world.jobs.change("odd", change=refuse) is None
    assert await world.jobs.remove("odd", allow=let) is None
    assert await listed(world, include_paused=True) == []
    assert world.row_is_there("odd")


async def test_unreadable_rows_are_reported(world: World) -> None:
    """An operator can see every row that is left alone, and why, due or not."""
    await world.jobs.put(a_job("fine"))
    world.leave_row("garbage", due=NOW + 10 * HOUR, reason=UnreadableReason.QUARANTINED)
    world.leave_row("foreign", due=NOW, reason=UnreadableReason.FOREIGN)
    found = {row.id: row.reason async for row in world.jobs.unreadable()}
    assert found == {"garbage": UnreadableReason.QUARANTINED, "foreign": UnreadableReason.FOREIGN}


async def test_change_stores_and_returns_what_the_caller_makes_of_a_job(world: World) -> None:
    """The caller's function sees the stored job, and its result takes its place."""
    await world.jobs.put(a_job())
    changed = await world.jobs.change("job", change=lambda job: replace(job, name=job.name + "!"))
    assert changed == replace(a_job(), name="a schedule!")
    assert await world.jobs.get("job") == changed


async def test_change_of_a_missing_job_is_none_and_asks_nobody(world: World) -> None:
    """The caller's function is not called without a job."""
    assert await world.jobs.change("missing", change=refuse) is None


async def test_what_change_raises_comes_out_and_nothing_changes(world: World) -> None:
    """A caller's rule may refuse."""
    await world.jobs.put(a_job())
    with pytest.raises(RefusedError):
        await world.jobs.change("job", change=refuse)
    assert await world.jobs.get("job") == a_job()


async def test_change_to_none_keeps_the_job_and_returns_it(world: World) -> None:
    """A caller that finds nothing to do says so with None."""
    await world.jobs.put(a_job())
    assert await world.jobs.change("job", change=lambda _: None) == a_job()
    assert await world.jobs.get("job") == a_job()


async def test_changes_at_once_are_all_kept(world: World) -> None:
    """Each change sees the one before, so that none is lost."""
    await world.jobs.put(a_job(count=0))

    def count(job: Job) -> Job:
        return replace(job, kwargs={**job.kwargs, "count": job.kwargs["count"] + 1})

    await asyncio.gather(*(world.jobs.change("job", change=count) for _ in range(20)))
    job = await world.jobs.get("job")
    assert job is not None
    assert job.kwargs["count"] == 20


async def test_remove_returns_the_job_as_it_was(world: World) -> None:
    """A removed job is gone, and the caller can show it."""
    await world.jobs.put(a_job())
    assert await world.jobs.remove("job", allow=let) == a_job()
    assert await world.jobs.get("job") is None
    assert await world.jobs.remove("job", allow=let) is None


async def test_what_allow_raises_comes_out_and_the_job_stays(world: World) -> None:
    """Only an owner may remove."""
    await world.jobs.put(a_job())
    with pytest.raises(RefusedError):
        await world.jobs.remove("job", allow=lambda job: (refuse(job), None)[1])
    assert await world.jobs.get("job") == a_job()


async def test_of_many_removals_at_once_one_gets_the_job(world: World) -> None:
    """A job is removed once, whoever asks."""
    await world.jobs.put(a_job())
    removed = await asyncio.gather(*(world.jobs.remove("job", allow=let) for _ in range(8)))
    assert [job for job in removed if job is not None] == [a_job()]


async def test_a_list_is_ordered_by_due_time_then_id(world: World) -> None:
    """The order is the same on every adapter, by code point, whatever the zones."""
    east = timezone(timedelta(hours=9))
    later = a_job("late", due=(NOW + HOUR).astimezone(east))
    for job in (later, a_job("b"), a_job("B"), a_job("\u00e9"), a_job("a", due=NOW - HOUR)):
        await world.jobs.put(job)
    assert await listed(world) == ["a", "B", "b", "\u00e9", "late"]


async def test_a_list_leaves_paused_jobs_out_unless_asked_for(world: World) -> None:
    """Paused jobs have no next run; with `include_paused` they stand last, by id."""
    for job in (a_job("z", due=None), a_job("y", due=None), a_job("x")):
        await world.jobs.put(job)
    assert await listed(world) == ["x"]
    assert await listed(world, include_paused=True) == ["x", "y", "z"]


async def test_a_list_holds_what_matches_both_filters(world: World) -> None:
    """None matches everything."""
    for number, (user, graph) in enumerate((("u", "g"), ("u", "h"), ("v", "g"))):
        await world.jobs.put(a_job(f"{number}", user_id=user, graph_id=graph))
    assert await listed(world) == ["0", "1", "2"]
    assert await listed(world, user_id="u") == ["0", "1"]
    assert await listed(world, graph_id="g") == ["0", "2"]
    assert await listed(world, user_id="u", graph_id="g") == ["0"]
    assert await listed(world, user_id="U") == []


async def test_a_list_holds_graph_executions_only(world: World) -> None:
    """System tasks are jobs like others and nobody's schedules."""
    await world.jobs.put(replace(a_job("task"), kind=JobKind.REPORT_LATE_EXECUTIONS))
    assert await listed(world) == []


async def test_a_list_of_several_pages_is_whole(world: World) -> None:
    """However many jobs are due at the same moment, each is listed once."""
    ids = [f"{number:04}" for number in range(1100)]
    for start in range(0, 1100, 220):
        due = NOW if start < 660 else None
        await asyncio.gather(*(world.jobs.put(a_job(job_id, due=due)) for job_id in ids[start : start + 220]))
    assert await listed(world, include_paused=True) == ids


async def test_the_next_due_time_is_the_earliest(world: World) -> None:
    """A sleeping engine needs nothing else; paused jobs have none."""
    assert await world.jobs.next_due() is None
    await world.jobs.put(a_job("paused", due=None))
    assert await world.jobs.next_due() is None
    await world.jobs.put(a_job("late", due=NOW + HOUR))
    await world.jobs.put(a_job("soon", due=NOW + timedelta(microseconds=1)))
    assert await world.jobs.next_due() == NOW + timedelta(microseconds=1)


@pytest.mark.parametrize("state", [FiringState.WAITING, FiringState.HELD])
@pytest.mark.parametrize("act", ["remove", "pause"])
async def test_removing_or_pausing_a_job_cancels_what_waits(world: World, act: str, state: FiringState) -> None:
    """A user who deletes a schedule does not expect it to run once more."""
    one = await replica(world)
    await world.jobs.put(a_job())
    (firing,) = await one.record(new_firing())
    await one.settle(outcome(firing, state, attempt_at=NOW))
    await _stop(world, act)
    record = await only_record(world)
    assert (record.state, record.finished_at, record.attempt_at) == (FiringState.CANCELLED, NOW, None)
    assert await world.ledger.pick_up(now=NOW, limit=10, owner="one") == []


@pytest.mark.parametrize("act", ["remove", "pause"])
async def test_a_firing_in_flight_is_cancelled_once_it_would_wait(world: World, act: str) -> None:
    """What a replica has in hand when its job goes may still succeed, but is never tried again."""
    one = await replica(world)
    await world.jobs.put(a_job())
    retried, succeeded = await one.record(new_firing(at=NOW), new_firing(at=NOW + HOUR))
    await _stop(world, act)
    await one.settle(
        outcome(retried, FiringState.WAITING, attempt_at=NOW), outcome(succeeded, FiringState.SUCCEEDED)
    )
    states = {record.id: record.state for record in await world.ledger.history()}
    assert states == {retried.id: FiringState.CANCELLED, succeeded.id: FiringState.SUCCEEDED}


async def test_other_changes_cancel_nothing(world: World) -> None:
    """Renaming a schedule is no reason to lose a retry, nor is another job's removal."""
    one = await replica(world)
    await world.jobs.put(a_job())
    await world.jobs.put(a_job("other"))
    (firing,) = await one.record(new_firing())
    await one.settle(outcome(firing, FiringState.WAITING, attempt_at=NOW))
    await world.jobs.change("job", change=lambda job: replace(job, name="renamed"))
    await world.jobs.remove("other", allow=let)
    assert (await only_record(world)).state is FiringState.WAITING


async def _stop(world: World, act: str) -> None:
    if act == "remove":
        await world.jobs.remove("job", allow=let)
    else:
        await world.jobs.change("job", change=lambda job: replace(job, next_run_at=None))


async def test_many_puts_at_once_each_get_their_own_answer(world: World) -> None:
    """Those that share a transaction know nothing of each other."""
    world.leave_row("taken", due=NOW, reason=UnreadableReason.QUARANTINED)
    jobs = [a_job(f"j{number}", user_id=f"u{number}") for number in range(100)]
    answers = await asyncio.gather(*(world.jobs.put(job) for job in [*jobs, a_job("taken"), jobs[0]]))
    assert answers == [True] * 100 + [False, True]
    assert sorted([job.id async for job in world.jobs.list()]) == sorted(job.id for job in jobs)


async def test_many_removals_at_once_each_get_their_own_answer(world: World) -> None:
    """One that is forbidden, one that finds nothing and one that comes twice disturb no other."""
    for number in range(40):
        await world.jobs.put(a_job(f"j{number}"))

    def forbid(job: Job) -> None:
        raise RefusedError(job.id)

    def allow(job: Job) -> None:
        del job

    calls = [world.jobs.remove(f"j{number}", allow=allow if number % 4 else forbid) for number in range(40)]
    calls += [world.jobs.remove("j1", allow=allow), world.jobs.remove("nobody", allow=allow)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, RefusedError)]
    removed = [answer.id for answer in answers if isinstance(answer, Job)]
    assert [str(error) for error in refused] == [f"j{number}" for number in range(0, 40, 4)]
    assert removed == [f"j{number}" for number in range(40) if number % 4]
    assert answers[-2:] == [None, None]
    assert sorted([job.id async for job in world.jobs.list()]) == sorted(str(error) for error in refused)
