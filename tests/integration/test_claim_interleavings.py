"""Rows that change between the moment a claim's statement looks and the moment it locks them."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import psycopg2
import pytest

from adapters.apscheduler.job_state import decode, encode
from adapters.postgres.index_keeper import IndexKeeper
from adapters.postgres.jobs import PostgresJobStore
from adapters.postgres.patched_claims import PatchedClaims
from ports.errors import StoreUnavailable
from ports.jobs import Advance, Claim, Job
from ports.triggers import Trigger
from tests.contract.worlds import HOUR, NOW, PostgresWorld, a_job, postgres_world, replica
from tests.postgres import SCHEMA, plain, session_server

JOBS = f"{SCHEMA}.apscheduler_jobs"
FIRINGS = f"{SCHEMA}.scheduler_firings"
MINUTE = timedelta(minutes=1)
GATE = 4711
STALL = f"""
    CREATE FUNCTION {SCHEMA}.stall() RETURNS bool LANGUAGE plpgsql VOLATILE AS $$ BEGIN
        PERFORM pg_advisory_lock({GATE}); PERFORM pg_advisory_unlock({GATE}); RETURN true;
    END $$
"""


@pytest.fixture
async def world() -> AsyncIterator[PostgresWorld]:
    """Return the adapters over a fresh database, whose claims pass a gate as they look at each due row."""
    async for found in postgres_world(session_server()):
        found.sql(STALL)
        patched = patched_claims(found)
        looks = "WHERE j.next_run_time <="
        assert patched._claim.count(looks) == 1
        patched._claim = patched._claim.replace(looks, f"WHERE {SCHEMA}.stall() AND j.next_run_time <=")
        yield found


def patched_claims(world: PostgresWorld) -> PatchedClaims:
    """Return the quick way of the world's claims."""
    assert isinstance(world.jobs, PostgresJobStore)
    patched = world.jobs._claim._patched
    assert patched is not None
    return patched


def step(_trigger: Trigger, due: datetime, _now: datetime) -> Advance:
    """Plan one minute at a time, so that what was claimed may still be due."""
    return Advance(scheduled_at=due, next_run_at=due + MINUTE)


async def claim_while(world: PostgresWorld, owner: str, meanwhile: Callable[[], Any]) -> Claim:
    """Claim; `meanwhile` runs, and commits, when the statement has its snapshot and no lock yet."""
    gate = psycopg2.connect(plain(world.url))
    gate.autocommit = True
    with gate.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        claiming = asyncio.create_task(world.jobs.claim_due(now=NOW, limit=10, owner=owner, plan=step))
        query = (
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'"
            " AND datname = current_database()"
        )
        while not await asyncio.to_thread(world.sql, query):
            assert not claiming.done(), claiming
            await asyncio.sleep(0.01)
        found = meanwhile()
        if asyncio.iscoroutine(found):
            await found
        cursor.execute("SELECT pg_advisory_unlock(%s)", (GATE,))
    gate.close()
    return await claiming


def state_of(world: PostgresWorld, job_id: str) -> Job:
    """Return the job in a row, after making sure that its pickle says what its column does."""
    ((time, state),) = world.sql(f"SELECT next_run_time, job_state FROM {JOBS} WHERE id = %s", (job_id,))
    job = decode(job_id, bytes(state), time)
    assert isinstance(job, Job)
    assert encode(job) == bytes(state)
    return job


def fired(world: PostgresWorld) -> list[tuple[str, datetime]]:
    """Return id and due time of every firing."""
    return world.sql(f"SELECT job_id, scheduled_at FROM {FIRINGS} ORDER BY job_id, scheduled_at")


def foreign(world: PostgresWorld, job: Job) -> None:
    """Write a row as the original would."""
    world.write_row(job.id, None if job.next_run_at is None else job.next_run_at.timestamp(), encode(job))


IDS = ["a", "b,{}\"'\\ %s;é", "c"]


@pytest.fixture(params=[False, True], ids=["unguessed", "guessed"])
async def rows(request: pytest.FixtureRequest, world: PostgresWorld) -> tuple[PostgresWorld, str]:
    """Return a world with three due rows, and a replica whose claims guess right or know nothing."""
    one = await replica(world)
    for job_id in IDS:
        await world.jobs.put(a_job(job_id))
    patched = patched_claims(world)
    if request.param:
        await world.jobs.put(a_job("first", due=NOW - HOUR))
        await world.jobs.claim_due(now=NOW - HOUR, limit=1, owner=one.name, plan=step)
        assert await world.jobs.remove("first", allow=lambda _: None)
        world.sql(f"DELETE FROM {FIRINGS} RETURNING 1")
        key = world.sql(f"SELECT trigger_key::text FROM {SCHEMA}.scheduler_job_index LIMIT 1")[0][0]
        times = [NOW + number * MINUTE for number in range(-70, 1)]
        patched._guesses = {f"{key} {int(at.timestamp())}": at.timestamp() for at in times}
    return world, one.name


async def test_nobody_else_is_there(rows: tuple[PostgresWorld, str]) -> None:
    """Each row fires once and moves on."""
    world, owner = rows
    claim = await claim_while(world, owner, lambda: None)
    assert sorted(f.job_id for f in claim.firings) == sorted(IDS)
    assert fired(world) == [(i, NOW) for i in sorted(IDS)]
    for i in IDS:
        assert state_of(world, i) == replace(a_job(i), next_run_at=NOW + MINUTE)


async def test_another_replica_moved_the_rows_on_and_they_are_still_due(rows: tuple[PostgresWorld, str]) -> None:
    """Their new due times fire, and the old ones no second time."""
    world, owner = rows
    early = NOW - 30 * MINUTE
    for i in IDS:
        await world.jobs.change(i, change=lambda job: replace(job, next_run_at=early))
    other = PostgresWorld(world.url)
    two = await replica(other, "two")

    async def meanwhile() -> None:
        claim = await other.jobs.claim_due(now=NOW, limit=2, owner=two.name, plan=step)
        assert len(claim.firings) == 2

    claim = await claim_while(world, owner, meanwhile)
    await other.aclose()
    assert len(claim.firings) == 3
    found = fired(world)
    assert len(found) == 5
    assert len(set(found)) == 5
    mine = {f.job_id: f for f in claim.firings}
    for i in IDS:
        times = [at for job_id, at in found if job_id == i]
        assert times == [early + n * MINUTE for n in range(len(times))]
        assert mine[i].scheduled_at == times[-1]
        assert state_of(world, i) == replace(a_job(i), next_run_at=times[-1] + MINUTE)


async def test_the_original_updates_the_rows(rows: tuple[PostgresWorld, str]) -> None:
    """What it wrote fires, if it is due, and is kept."""
    world, owner = rows
    a, b, c = IDS

    def meanwhile() -> None:
        foreign(world, a_job(a, due=NOW - 5 * MINUTE, input_data={"new": 1}))
        foreign(world, a_job(b, due=NOW, input_data={"new": 1}))
        foreign(world, a_job(c, due=NOW + 5 * MINUTE, input_data={"new": 1}))

    claim = await claim_while(world, owner, meanwhile)
    assert sorted((f.job_id, f.scheduled_at, str(f.payload["input_data"])) for f in claim.firings) == sorted(
        [(a, NOW - 5 * MINUTE, "{'new': 1}"), (b, NOW, "{'new': 1}")]
    )
    assert fired(world) == sorted([(a, NOW - 5 * MINUTE), (b, NOW)])
    assert state_of(world, a) == replace(a_job(a, input_data={"new": 1}), next_run_at=NOW - 4 * MINUTE)
    assert state_of(world, b) == replace(a_job(b, input_data={"new": 1}), next_run_at=NOW + MINUTE)
    assert state_of(world, c) == replace(a_job(c, input_data={"new": 1}), next_run_at=NOW + 5 * MINUTE)


async def test_a_hand_changes_the_column(rows: tuple[PostgresWorld, str]) -> None:
    """The pickle still fits its entry; the column counts."""
    world, owner = rows
    a, b, c = IDS

    def meanwhile() -> None:
        for i, t in ((a, NOW.timestamp() - 60), (b, NOW.timestamp() + 60), (c, None)):
            world.sql(f"UPDATE {JOBS} SET next_run_time = %s WHERE id = %s RETURNING 1", (t, i))

    claim = await claim_while(world, owner, meanwhile)
    assert [(f.job_id, f.scheduled_at) for f in claim.firings] == [(a, NOW - MINUTE)]
    assert fired(world) == [(a, NOW - MINUTE)]
    assert state_of(world, a) == replace(a_job(a), next_run_at=NOW)


async def test_our_own_calls_change_the_rows(rows: tuple[PostgresWorld, str]) -> None:
    """The row is newer than what the claim sees of its entry."""
    world, owner = rows
    a, b, c = IDS
    other = PostgresWorld(world.url)

    async def meanwhile() -> None:
        await other.jobs.change(a, change=lambda job: replace(job, kwargs={**job.kwargs, "input_data": {"new": 1}}))
        await other.jobs.change(b, change=lambda job: replace(job, next_run_at=None))
        await other.jobs.remove(c, allow=lambda _: None)

    claim = await claim_while(world, owner, meanwhile)
    await other.aclose()
    assert [(f.job_id, f.payload["input_data"]) for f in claim.firings] == [(a, {"new": 1})]
    assert fired(world) == [(a, NOW)]
    assert state_of(world, a) == replace(a_job(a, input_data={"new": 1}), next_run_at=NOW + MINUTE)


async def test_rows_are_removed_and_added_again(rows: tuple[PostgresWorld, str]) -> None:
    """The new ones are another claim's."""
    world, owner = rows
    other = PostgresWorld(world.url)

    async def meanwhile() -> None:
        for i in IDS:
            await other.jobs.remove(i, allow=lambda _: None)
            await other.jobs.put(a_job(i, input_data={"new": 1}))

    claim = await claim_while(world, owner, meanwhile)
    await other.aclose()
    assert claim.firings == []
    assert fired(world) == []
    claim = await world.jobs.claim_due(now=NOW, limit=10, owner=owner, plan=step)
    assert sorted((f.job_id, str(f.payload["input_data"])) for f in claim.firings) == sorted(
        (i, "{'new': 1}") for i in IDS
    )
    for i in IDS:
        assert state_of(world, i) == replace(a_job(i, input_data={"new": 1}), next_run_at=NOW + MINUTE)


async def test_a_row_gets_another_id(rows: tuple[PostgresWorld, str]) -> None:
    """It can't be read any more, and the others fire."""
    world, owner = rows

    def meanwhile() -> None:
        world.sql(f"UPDATE {JOBS} SET id = 'z' WHERE id = 'a' RETURNING 1")

    claim = await claim_while(world, owner, meanwhile)
    assert sorted(f.job_id for f in claim.firings) == sorted(IDS[1:])
    assert len(fired(world)) == 2


async def test_entries_change_alone(rows: tuple[PostgresWorld, str]) -> None:
    """Whichever the claim sees, it fires what is in the rows."""
    world, owner = rows

    def meanwhile() -> None:
        world.sql(
            f"UPDATE {SCHEMA}.scheduler_job_index SET payload = '{{}}', digest = gen_random_uuid() RETURNING 1"
        )

    claim = await claim_while(world, owner, meanwhile)
    assert all(f.payload["user_id"] == "user" for f in claim.firings)
    assert fired(world) == [(i, NOW) for i in sorted(IDS)]
    for i in IDS:
        assert state_of(world, i) == replace(a_job(i), next_run_at=NOW + MINUTE)
    await IndexKeeper(world.database).look_at_all()


async def test_a_locked_row_is_left(rows: tuple[PostgresWorld, str]) -> None:
    """It is somebody else's."""
    world, owner = rows
    session = psycopg2.connect(plain(world.url))
    with session.cursor() as cursor:
        cursor.execute(f"UPDATE {JOBS} SET job_state = job_state WHERE id = 'a'")
        claim = await claim_while(world, owner, lambda: None)
        session.commit()
    session.close()
    assert sorted(f.job_id for f in claim.firings) == sorted(IDS[1:])
    assert state_of(world, "a") == a_job("a")


async def test_claimers_and_writers_in_each_others_way(world: PostgresWorld) -> None:  # noqa: C901  each of them is short
    """Every due time of every job becomes one firing, however rows, entries and claims change places."""
    worlds = [PostgresWorld(world.url) for _ in range(3)]
    ids = [f"job {number}" for number in range(40)]
    begin = NOW - 60 * MINUTE
    for job_id in ids:
        await worlds[0].jobs.put(a_job(job_id, due=begin + random.randrange(3) * MINUTE))
    starts = {job_id: state_of(world, job_id).next_run_at for job_id in ids}
    working = True

    async def claims(one: PostgresWorld, owner: str) -> None:
        nonlocal working
        while working:
            claim = await one.jobs.claim_due(now=NOW, limit=random.choice([1, 3, 10]), owner=owner, plan=step)
            if not claim.taken:
                next_due = await one.jobs.next_due()
                working = next_due is not None and next_due <= NOW

    async def writes() -> None:
        """Rewrite rows as they are, as the original does between reading and writing, under its lock."""
        session = psycopg2.connect(plain(world.url))

        def write() -> None:
            with session, session.cursor() as cursor:
                for job_id in random.sample(ids, 1):
                    cursor.execute(
                        f"SELECT next_run_time, job_state FROM {JOBS} WHERE id = %s FOR UPDATE", (job_id,)
                    )
                    ((time, state),) = cursor.fetchall()
                    job = decode(job_id, bytes(state), time)
                    assert isinstance(job, Job)
                    changed = replace(job, kwargs=dict(job.kwargs, input_data={"n": random.random()}))
                    cursor.execute(f"UPDATE {JOBS} SET job_state = %s WHERE id = %s", (encode(changed), job_id))

        while working:
            with suppress(psycopg2.errors.DeadlockDetected):
                await asyncio.to_thread(write)
        session.close()

    async def changes() -> None:
        while working:
            await worlds[0].jobs.change(
                random.choice(ids),
                change=lambda job: replace(job, kwargs=dict(job.kwargs, input_data={"o": random.random()})),
            )

    async def keeps() -> None:
        keeper = IndexKeeper(worlds[1].database)
        while working:
            with suppress(StoreUnavailable):
                await keeper.work_off_marks()
                await keeper.look_at_all()

    owners = [await replica(one, f"r{number}") for number, one in enumerate(worlds)]
    claimers = [claims(one, owner.name) for one, owner in zip(worlds, owners, strict=True)]
    await asyncio.gather(*claimers, writes(), changes(), keeps())
    for one in worlds:
        await one.aclose()
    found = fired(world)
    for job_id in ids:
        due = starts[job_id]
        assert due is not None
        expected = [due + number * MINUTE for number in range((NOW - due) // MINUTE + 1)]
        assert [at for name, at in found if name == job_id] == expected
        assert state_of(world, job_id).next_run_at == NOW + MINUTE
