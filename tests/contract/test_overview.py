"""What every overview keeps to, over the fakes and over PostgreSQL."""

from dataclasses import replace
from datetime import timedelta

from ports.firings import FiringState
from ports.jobs import JobKind, Position, StoreName, UnreadableReason
from ports.overview import LAG_STEPS, Overview
from ports.triggers import IntervalTrigger
from tests.contract.worlds import HOUR, NOW, World, a_job, hourly, new_firing, outcome, replica


async def _all_scheduled(overview: Overview, limit: int) -> dict[tuple[object, object], int]:
    """Return counts by trigger and next run, read in batches of `limit`."""
    counts: dict[tuple[object, object], int] = {}
    after: str | None = ""
    while after is not None:
        batch = await overview.scheduled(after=after, limit=limit)
        for group in batch.groups:
            key = group.trigger, group.next_run_at
            counts[key] = counts.get(key, 0) + group.count
        after = batch.end
    return counts


async def test_schedules_are_counted_by_trigger_and_next_run(world: World) -> None:
    """Whatever the batch; paused ones have no next run; other jobs and unreadable rows don't count."""
    other = IntervalTrigger(interval=2 * HOUR, start_at=NOW, timezone="UTC")
    for number in range(5):
        await world.jobs.put(a_job(f"job{number}"))
    await world.jobs.put(a_job("paused", due=None))
    await world.jobs.put(replace(a_job("other"), trigger=other))
    await world.jobs.put(replace(a_job("task"), kind=JobKind.CLEANUP_EXPIRED_FILES))
    world.leave_row("odd", due=NOW, reason=UnreadableReason.QUARANTINED)
    hourly_trigger = a_job().trigger
    for limit in (1, 3, 100):
        assert await _all_scheduled(world.overview, limit) == {
            (hourly_trigger, NOW): 5,
            (hourly_trigger, None): 1,
            (other, NOW): 1,
        }


async def test_an_empty_store_has_no_schedules(world: World) -> None:
    """And the first batch is the last."""
    batch = await world.overview.scheduled(limit=10)
    assert (list(batch.groups), batch.end) == ([], None)
    assert (await world.overview.firings(limit=10)).end is None
    assert (await world.overview.mentioning("x", limit=10)).jobs == []


async def test_firings_are_tallied_by_minute_outcome_owner_and_lag(world: World) -> None:
    """The lag of a first attempt is known, also that of one that came too early by its clock."""
    one = await replica(world)
    late = NOW - timedelta(seconds=7)
    firings = await one.record(new_firing("a"), new_firing("b"), new_firing("c", at=late), new_firing("d"))
    await one.settle(
        outcome(firings[0], FiringState.SUCCEEDED),
        outcome(firings[1], FiringState.SUCCEEDED),
        outcome(firings[2], FiringState.FAILED),
    )
    batch = await world.overview.firings(limit=100)
    found = {(tally.state, tally.lag_step): tally for tally in batch.tallies}
    step = next(number for number, end in enumerate(LAG_STEPS) if end > 7)
    assert {key: tally.count for key, tally in found.items()} == {
        (FiringState.SUCCEEDED, 0): 2,
        (FiringState.FAILED, step): 1,
        (FiringState.LEASED, None): 1,
    }
    assert {tally.minute for tally in batch.tallies} == {NOW}
    assert found[FiringState.LEASED, None].owner == "one"
    assert batch.end is None


async def test_firings_are_tallied_batch_by_batch_newest_first(world: World) -> None:
    """Each firing is in one batch."""
    one = await replica(world)
    for number in range(5):
        await one.record(new_firing(f"job{number}"))
        world.clock.advance(timedelta(minutes=1))
    minutes, before_id = [], None
    while True:
        batch = await world.overview.firings(before_id=before_id, limit=2)
        minutes.append(sorted(tally.minute for tally in batch.tallies))
        before_id = batch.end
        if before_id is None:
            break
    found = [[(minute - NOW) // timedelta(minutes=1) for minute in batch] for batch in minutes]
    assert found == [[3, 4], [1, 2], [0]]


async def test_the_latest_firing_of_each_job_is_that_of_its_latest_due_time(world: World) -> None:
    """Of those asked for, of the execution store only."""
    one = await replica(world)
    await one.record(new_firing("a", at=NOW), new_firing("a", at=NOW - HOUR), new_firing("b"))
    await world.ledger.record([new_firing("c")], store=StoreName.BATCHED_NOTIFICATIONS.value, owner="one")
    found = await world.overview.latest(["a", "c", "nobody's", "nu\0l", "\ud800"])
    assert {job_id: record.scheduled_at for job_id, record in found.items()} == {"a": NOW}
    assert await world.overview.latest([]) == {}


async def test_replicas_are_the_living_ones(world: World) -> None:
    """By name."""
    await replica(world, "two")
    await replica(world, "one")
    await replica(world, "gone")
    await world.leases.release("gone")
    assert [(seen.name, seen.seen_at) for seen in await world.overview.replicas()] == [("one", NOW), ("two", NOW)]


async def test_rows_left_alone_are_those_that_a_claim_met(world: World) -> None:
    """Each with its reason; one that is not due yet is not known."""
    world.leave_row("odd", due=NOW - HOUR, reason=UnreadableReason.QUARANTINED)
    world.leave_row("theirs", due=NOW - HOUR, reason=UnreadableReason.FOREIGN)
    world.leave_row("later", due=NOW + HOUR, reason=UnreadableReason.QUARANTINED)
    await replica(world)
    await world.jobs.claim_due(now=NOW, limit=10, owner="one", plan=hourly)
    rows = await world.overview.left_alone(limit=10)
    assert [(row.id, row.reason) for row in rows] == [
        ("odd", UnreadableReason.QUARANTINED),
        ("theirs", UnreadableReason.FOREIGN),
    ]
    assert [row.id for row in await world.overview.left_alone(limit=1)] == ["odd"]


async def test_jobs_that_mention_a_text_come_in_the_order_of_lists(world: World) -> None:
    """By name, in either case, beyond ASCII, with what SQL and pickles would make of it; paused ones last."""
    names = {"a": "Report äöü", "b": 'odd %_\\ "name', "c": "REPORT two", "d": "else", "e": "report three"}
    for number, (job_id, name) in enumerate(names.items()):
        due = None if job_id == "a" else NOW + number * HOUR
        await world.jobs.put(replace(a_job(job_id, due=due), name=name))
    overview = world.overview
    assert await _mentioning(overview, "report") == ["c", "e", "a"]
    assert await _mentioning(overview, "äöü") == ["a"]
    assert await _mentioning(overview, '%_\\ "NAME') == ["b"]
    assert await _mentioning(overview, "nowhere") == []


async def _mentioning(overview: Overview, text: str) -> list[str]:
    """Return the ids, read in batches of two."""
    found, after = [], None
    for _ in range(10):
        batch = await overview.mentioning(text, after=after, limit=2)
        found += [job.id for job in batch.jobs]
        after = batch.end
        if after is None:
            return found
    raise AssertionError("it goes on for ever")


async def test_a_search_stops_when_enough_are_found(world: World) -> None:
    """And goes on from there."""
    for job_id in "abc":
        await world.jobs.put(a_job(job_id))
    found = await world.overview.mentioning("schedule", limit=10, most=2)
    assert [job.id for job in found.jobs] == ["a", "b"]
    assert found.end == Position(NOW, "b")


async def test_a_search_goes_on_behind_any_job(world: World) -> None:
    """Also behind one that shares its due time with others."""
    for job_id in "abc":
        await world.jobs.put(a_job(job_id))
    found = await world.overview.mentioning("schedule", after=Position(NOW, "a"), limit=10)
    assert [job.id for job in found.jobs] == ["b", "c"]
