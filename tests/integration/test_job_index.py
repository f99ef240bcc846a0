"""The index beside `apscheduler_jobs`: rows of others, the backfill, damage, and what its plans read."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from adapters.apscheduler.job_state import decode, encode
from adapters.postgres.database import Database, Lane
from adapters.postgres.index_keeper import Backfill, IndexKeeper
from ports.firings import Firing
from ports.jobs import Advance, Job
from tests.contract.worlds import HOUR, NOW, PostgresWorld, a_job, hourly, postgres_world, replica
from tests.postgres import SCHEMA, session_server

DUE = NOW.timestamp()


@pytest.fixture
async def world() -> AsyncIterator[PostgresWorld]:
    """Return the adapters over a fresh database."""
    async for found in postgres_world(session_server()):
        yield found


def foreign_write(world: PostgresWorld, job: Job) -> None:
    """Write a row as the original would: through a session that knows nothing of the index."""
    world.write_row(job.id, None if job.next_run_at is None else job.next_run_at.timestamp(), encode(job))


def foreign_writes(world: PostgresWorld, count: int) -> None:
    """Write many such rows, of a hundred users."""
    jobs = [a_job(f"{number:04}", user_id=f"u{number % 100}") for number in range(count)]
    statement = (
        f"INSERT INTO {SCHEMA}.apscheduler_jobs SELECT * FROM unnest(%s, array_fill(%s, ARRAY[%s]), %s::bytea[])"
    )
    world.sql(statement, ([job.id for job in jobs], DUE, count, [encode(job) for job in jobs]))


def indexed(world: PostgresWorld) -> dict[str, str]:
    """Return the user of every entry."""
    return dict(world.sql(f"SELECT job_id, user_id FROM {SCHEMA}.scheduler_job_index"))


def marks(world: PostgresWorld) -> list[str]:
    """Return the ids of the rows that are marked."""
    return [row[0] for row in world.sql(f"SELECT job_id FROM {SCHEMA}.scheduler_job_marks ORDER BY id")]


async def listed(world: PostgresWorld, **filters: Any) -> list[str]:
    """Return the ids of a list."""
    return [job.id async for job in world.jobs.list(**filters)]


def forget_everything(world: PostgresWorld) -> None:
    """Leave the index as a first start on an existing table finds it."""
    world.sql(f"DELETE FROM {SCHEMA}.scheduler_job_index RETURNING 1")
    world.sql(f"DELETE FROM {SCHEMA}.scheduler_job_marks RETURNING 1")
    world.sql(f"UPDATE {SCHEMA}.scheduler_job_index_state SET complete = false, position = '' RETURNING 1")


async def test_what_we_write_is_indexed_with_it_and_marks_nothing(world: PostgresWorld) -> None:
    """Adding, replacing, changing, claiming and removing keep the index by themselves."""
    await world.jobs.put(a_job("one"))
    await world.jobs.put(a_job("two"))
    await world.jobs.put(a_job("two", user_id="other"))
    assert indexed(world) == {"one": "user", "two": "other"}
    await world.jobs.change("one", change=lambda job: replace(job, next_run_at=None))
    one = await replica(world)
    await world.jobs.claim_due(now=NOW, limit=10, owner=one.name, plan=hourly)
    assert indexed(world) == {"one": "user", "two": "other"}
    assert await world.jobs.remove("two", allow=lambda _: None) is not None
    assert indexed(world) == {"one": "user"}
    assert marks(world) == []


async def test_a_row_of_somebody_else_is_listed_at_once_and_indexed_soon(world: PostgresWorld) -> None:
    """Until the keeper comes round, the mark that the trigger left is enough."""
    foreign_write(world, a_job("theirs", user_id="them"))
    assert await listed(world, user_id="them") == ["theirs"]
    assert indexed(world) == {}
    assert await IndexKeeper(world.database).work_off_marks() == 1
    assert indexed(world) == {"theirs": "them"}
    assert await listed(world, user_id="them") == ["theirs"]
    assert await listed(world, graph_id="graph") == ["theirs"]


async def test_a_row_that_somebody_gave_to_another_user_moves(world: PostgresWorld) -> None:
    """The index is no authority: who was its user before sees it no more, at once."""
    await world.jobs.put(a_job("moved", user_id="before"))
    foreign_write(world, a_job("moved", user_id="after"))
    assert await listed(world, user_id="before") == []
    assert await listed(world, user_id="after") == ["moved"]
    await IndexKeeper(world.database).work_off_marks()
    assert indexed(world) == {"moved": "after"}


async def test_deleted_and_truncated_rows_vanish_at_once(world: PostgresWorld) -> None:
    """An entry without a row shows nothing, and goes when all is looked at again."""
    for name in ("a", "b"):
        await world.jobs.put(a_job(name))
    world.sql(f"DELETE FROM {SCHEMA}.apscheduler_jobs WHERE id = 'a' RETURNING 1")
    assert await listed(world, user_id="user") == ["b"]
    world.sql(f"TRUNCATE {SCHEMA}.apscheduler_jobs")
    assert await listed(world, user_id="user") == []
    await IndexKeeper(world.database).look_at_all()
    assert indexed(world) == {}


async def test_a_wrong_entry_neither_hides_nor_shows_for_longer_than_the_next_look(world: PostgresWorld) -> None:
    """Whatever a hand did in our table."""
    await world.jobs.put(a_job("job", user_id="owner"))
    key = f"(SELECT user_key + 1 FROM {SCHEMA}.scheduler_job_index)"
    world.sql(f"UPDATE {SCHEMA}.scheduler_job_index SET user_key = {key}, digest = gen_random_uuid() RETURNING 1")
    assert await listed(world, user_id="thief") == []
    await IndexKeeper(world.database).look_at_all()
    assert await listed(world, user_id="owner") == ["job"]


async def test_lists_are_right_before_during_and_after_the_backfill(world: PostgresWorld) -> None:
    """Slower is fine, wrong is not; and the backfill goes on where it was broken off."""
    foreign_writes(world, 2500)
    forget_everything(world)
    expected = [f"{number:04}" for number in range(7, 2500, 100)]
    assert await listed(world, user_id="u7") == expected
    keeper = IndexKeeper(world.database)
    await world.database.run(Lane.RPC, keeper._backfill_page)  # and then its process is killed
    assert keeper.backfill is Backfill.RUNNING
    assert await listed(world, user_id="u7") == expected
    second = IndexKeeper(world.database)
    await second.backfill_all()
    assert second.backfill is Backfill.COMPLETE
    assert keeper.looked_at + second.looked_at == 2500
    assert len(indexed(world)) == 2500
    assert await listed(world, user_id="u7") == expected


async def test_only_one_replica_backfills(world: PostgresWorld) -> None:
    """The others find it at work, and complete once it is."""
    foreign_writes(world, 1500)
    forget_everything(world)
    keepers = [IndexKeeper(world.database) for _ in range(3)]
    while not all(keeper.backfill is Backfill.COMPLETE for keeper in keepers):
        await asyncio.gather(*(keeper.backfill_all() for keeper in keepers))
    assert sum(keeper.looked_at for keeper in keepers) == 1500


async def test_rows_that_cannot_be_read_have_no_entry_and_hold_nothing_up(world: PostgresWorld) -> None:
    """Garbage among the marks, and in the backfill."""
    world.write_row("garbage", DUE, b"not a pickle")
    foreign_write(world, a_job("good"))
    keeper = IndexKeeper(world.database)
    assert await keeper.work_off_marks() == 2
    assert indexed(world) == {"good": "user"}
    await keeper.look_at_all()
    assert await listed(world, user_id="user") == ["good"]


async def test_a_writer_is_not_disturbed_when_our_tables_are_gone(world: PostgresWorld) -> None:
    """The trigger never raises."""
    world.sql(f"DROP TABLE {SCHEMA}.scheduler_job_marks")
    foreign_write(world, a_job("theirs"))
    assert world.sql(f"SELECT id FROM {SCHEMA}.apscheduler_jobs") == [("theirs",)]


async def test_a_claim_patches_ten_bytes_and_leaves_the_rest(world: PostgresWorld) -> None:
    """The pickle stays as somebody else wrote it, but for the next run, which column and pickle agree on."""
    written = encode(a_job("job", unknown={"kept": [1, 2.5, None]}))
    world.write_row("job", DUE, written)
    await IndexKeeper(world.database).work_off_marks()
    one = await replica(world)
    claim = await world.jobs.claim_due(now=NOW, limit=10, owner=one.name, plan=hourly)
    assert [dict(firing.payload) for firing in claim.firings] == [
        {"user_id": "user", "graph_id": "graph", "input_data": {}, "unknown": {"kept": [1, 2.5, None]}}
    ]
    ((time, state),) = world.sql(f"SELECT next_run_time, job_state FROM {SCHEMA}.apscheduler_jobs")
    assert time == (NOW + HOUR).timestamp()
    changed = [at for at, (old, new) in enumerate(zip(written, bytes(state), strict=True)) if old != new]
    assert 0 < len(changed) <= 10
    assert max(changed) - min(changed) < 10
    job = decode("job", bytes(state), time)
    assert isinstance(job, Job)
    assert job.next_run_at == NOW + HOUR


async def test_an_entry_that_does_not_describe_its_row_is_not_believed(world: PostgresWorld) -> None:
    """A row that somebody wrote a moment ago fires with what it says, not with what the index remembers."""
    await world.jobs.put(a_job("job", input_data={"version": "old"}))
    foreign_write(world, a_job("job", input_data={"version": "new"}))
    one = await replica(world)
    claim = await world.jobs.claim_due(now=NOW, limit=10, owner=one.name, plan=hourly)
    assert [firing.payload["input_data"] for firing in claim.firings] == [{"version": "new"}]
    payload = world.sql(f"SELECT payload FROM {SCHEMA}.scheduler_job_index")[0][0]
    assert json.loads(bytes(payload))["input_data"] == {"version": "new"}


async def test_quick_and_plain_rows_of_one_claim_come_out_alike(world: PostgresWorld) -> None:
    """Indexed or not, long payload or short: each is one firing, and each moves on."""
    long = "x" * 10_000
    await world.jobs.put(a_job("indexed"))
    await world.jobs.put(a_job("long", input_data={"long": long}))
    foreign_write(world, a_job("unindexed"))
    world.write_row("garbage", DUE, b"not a pickle")
    one = await replica(world)
    claim = await world.jobs.claim_due(now=NOW, limit=10, owner=one.name, plan=hourly)
    assert sorted(firing.job_id for firing in claim.firings) == ["indexed", "long", "unindexed"]
    assert (claim.taken, [row.id for row in claim.unreadable]) == (4, ["garbage"])
    for job_id in ("indexed", "long", "unindexed"):
        job = await world.jobs.get(job_id)
        assert job is not None
        assert job.next_run_at == NOW + HOUR
    again = await world.jobs.claim_due(now=NOW + HOUR, limit=10, owner=one.name, plan=hourly)
    assert sorted(firing.job_id for firing in again.firings) == ["indexed", "long", "unindexed"]


@asynccontextmanager
async def counted_moves(world: PostgresWorld) -> AsyncIterator[list[str]]:
    """Collect the statements that move rows on."""
    moves: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "array_position" in statement:
            moves.append(statement)

    event.listen(world.database.engine, "before_cursor_execute", note)
    try:
        yield moves
    finally:
        event.remove(world.database.engine, "before_cursor_execute", note)


async def test_a_rush_is_claimed_by_one_statement_at_a_time(world: PostgresWorld) -> None:
    """The first claim of a rush plans; those after it know what to do before they look, also at what is new."""
    for number in range(6):
        await world.jobs.put(a_job(f"{number}", due=NOW - number % 2 * HOUR))
    one = await replica(world)

    def to_the_next_hour(_trigger: Any, due: Any, now: Any) -> Any:
        return Advance(scheduled_at=due, next_run_at=now + HOUR)

    claimed: list[Firing] = []
    async with counted_moves(world) as moves:
        for expected in (2, 2, 1):
            moves.clear()
            claim = await world.jobs.claim_due(now=NOW, limit=2, owner=one.name, plan=to_the_next_hour)
            claimed += claim.firings
            assert (claim.taken, len(moves)) == (2, expected)
        await world.jobs.claim_due(now=NOW, limit=2, owner=one.name, plan=hourly)
        moves.clear()
        await world.jobs.claim_due(now=NOW, limit=2, owner=one.name, plan=hourly)
    late = [NOW - HOUR] * 3
    assert [firing.scheduled_at for firing in claimed] == [*late, *[NOW] * 3]
    assert len({firing.job_id for firing in claimed}) == 6
    for number in range(6):
        job = await world.jobs.get(f"{number}")
        assert job is not None
        assert job == replace(a_job(f"{number}"), next_run_at=NOW + HOUR)


async def test_what_the_last_claim_knew_is_planned_anew(world: PostgresWorld) -> None:
    """A move remembered is a question, not an answer: what becomes of it depends on the time of the claim."""
    for number in range(3):
        await world.jobs.put(a_job(f"{number}"))
    one = await replica(world)

    def folding(_trigger: Any, due: Any, now: Any) -> Any:
        return Advance(scheduled_at=now, next_run_at=now + HOUR, coalesced=int((now - due) / HOUR))

    def dropping(_trigger: Any, due: Any, now: Any) -> Any:
        return Advance(scheduled_at=due, next_run_at=now + HOUR, dropped=True)

    def last(_trigger: Any, due: Any, _now: Any) -> Any:
        return Advance(scheduled_at=due, next_run_at=None)

    first = await world.jobs.claim_due(now=NOW, limit=1, owner=one.name, plan=folding)
    second = await world.jobs.claim_due(now=NOW + 2 * HOUR, limit=1, owner=one.name, plan=folding)
    assert [(firing.scheduled_at, firing.coalesced) for firing in (*first.firings, *second.firings)] == [
        (NOW, 0),
        (NOW + 2 * HOUR, 2),
    ]
    await world.jobs.put(a_job("dropped", due=NOW - HOUR))
    dropped = await world.jobs.claim_due(now=NOW, limit=1, owner=one.name, plan=dropping)
    assert (dropped.taken, dropped.firings) == (1, [])
    ran_out = await world.jobs.claim_due(now=NOW, limit=1, owner=one.name, plan=last)
    assert [firing.scheduled_at for firing in ran_out.firings] == [NOW]
    assert len(indexed(world)) == 3
    assert {row[0] for row in world.sql(f"SELECT id FROM {SCHEMA}.apscheduler_jobs")} == set(indexed(world))


async def test_what_was_due_long_ago_is_planned_in_one_claim_only(world: PostgresWorld) -> None:
    """To reckon what it missed takes a tenth of a second, which each claim of a rush would spend again."""
    for number in range(5):
        await world.jobs.put(a_job(f"old{number}", due=NOW - (1000 - number) * HOUR))
    for number in range(10):
        await world.jobs.put(a_job(f"{number}"))
    one = await replica(world)
    planned: list[timedelta] = []

    def counting(trigger: Any, due: Any, now: Any) -> Any:
        planned.append(now - due)
        return hourly(trigger, due, now)

    for _ in range(3):
        claim = await world.jobs.claim_due(now=NOW, limit=5, owner=one.name, plan=counting)
        assert len(claim.firings) == 5
    assert sum(late > HOUR for late in planned) <= 6  # the last of them is a guess of the second claim


async def test_rows_that_are_decoded_do_not_keep_a_rush_from_guessing(world: PostgresWorld) -> None:
    """One of each claim's rows has a long payload; the others go by one statement all the same."""
    long = "x" * 10_000
    for number in range(3):
        await world.jobs.put(a_job(f"{number} long", input_data={"long": long}, due=NOW - (3 - number) * HOUR))
    one = await replica(world)
    for number in range(6):
        await world.jobs.put(a_job(f"{number}"))
    async with counted_moves(world) as moves:
        for expected in (2, 1):
            moves.clear()
            claim = await world.jobs.claim_due(now=NOW, limit=4, owner=one.name, plan=hourly)
            assert (claim.taken, len(moves)) == (4, expected)


async def test_a_row_changed_between_two_claims_is_not_moved_as_the_last_one_was(world: PostgresWorld) -> None:
    """Its entry does not describe it any more, whatever is known of its trigger and due time."""
    for number in range(2):
        await world.jobs.put(a_job(f"{number}"))
    one = await replica(world)
    (first,) = (await world.jobs.claim_due(now=NOW, limit=1, owner=one.name, plan=hourly)).firings
    other = "1" if first.job_id == "0" else "0"
    foreign_write(world, a_job(other, input_data={"version": "new"}))
    (second,) = (await world.jobs.claim_due(now=NOW, limit=1, owner=one.name, plan=hourly)).firings
    assert (second.job_id, second.payload["input_data"]) == (other, {"version": "new"})
    assert await world.jobs.get(other) == replace(
        a_job(other, input_data={"version": "new"}), next_run_at=NOW + HOUR
    )


async def test_a_job_that_has_run_out_takes_its_entry_along(world: PostgresWorld) -> None:
    """Both ways of claiming delete row and entry, and keep the firing."""
    await world.jobs.put(a_job("indexed"))
    foreign_write(world, a_job("unindexed"))
    one = await replica(world)

    def last(trigger: Any, due: Any, now: Any) -> Any:
        return replace(hourly(trigger, due, now), next_run_at=None)

    claim = await world.jobs.claim_due(now=NOW, limit=10, owner=one.name, plan=last)
    assert sorted(firing.job_id for firing in claim.firings) == ["indexed", "unindexed"]
    assert world.sql(f"SELECT id FROM {SCHEMA}.apscheduler_jobs") == []
    assert indexed(world) == {}


@asynccontextmanager
async def planned_statements(world: PostgresWorld) -> AsyncIterator[list[str]]:
    """Collect the plans of the statements that the world's database executes, with scans allowed."""
    plans: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "apscheduler_jobs" in statement and not statement.startswith("EXPLAIN"):
            with connection.connection.dbapi_connection.cursor() as beside:
                beside.execute("SET LOCAL enable_seqscan = on")
                beside.execute(f"EXPLAIN {statement}", parameters)
                plans.append(f"{statement}\n" + "\n".join(row[0] for row in beside.fetchall()))
                beside.execute("SET LOCAL enable_seqscan = off")

    engine = world.database.engine
    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(engine, "before_cursor_execute", explain)


async def test_no_plan_scans_the_whole_table(world: PostgresWorld) -> None:
    """List by user, list by graph, claim, next due time: along indexes, even where scans are allowed."""
    statement = (
        f"INSERT INTO {SCHEMA}.apscheduler_jobs SELECT g::text, %s + g * 100, %s FROM generate_series(1, 20000) g"
    )
    world.sql(statement + " RETURNING 1", (DUE, encode(a_job("x"))))
    for number in range(20):
        await world.jobs.put(a_job(uuid.uuid4().hex, due=NOW + timedelta(seconds=number), user_id=f"u{number % 4}"))
    world.sql(f"TRUNCATE {SCHEMA}.scheduler_job_marks")
    for table in ("apscheduler_jobs", "scheduler_job_index"):
        world.sql(f"ANALYZE {SCHEMA}.{table}")
    one = await replica(world)
    async with planned_statements(world) as plans:
        assert len(await listed(world, user_id="u1")) == 5
        assert len(await listed(world, user_id="u1", graph_id="graph")) == 5
        await listed(world, user_id="u2", limit=2)
        await world.jobs.next_due()
        await world.jobs.claim_due(now=NOW, limit=10, owner=one.name, plan=hourly)
    assert len(plans) > 5
    for plan in plans:
        assert "Seq Scan on apscheduler_jobs" not in plan, plan


async def test_the_trigger_knows_our_sessions(world: PostgresWorld) -> None:
    """Every connection of the pool says who writes, a fresh one too."""
    database = Database(world.url, schema=SCHEMA)
    await database.aclose()
    assert marks(world) == []
