"""What two sessions do to the same rows at the same time, and rows that nothing foresees."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
import pytest
from psycopg2.extras import wait_select
from sqlalchemy import Connection

from adapters.apscheduler.job_state import encode
from adapters.memory.clock import SystemClock
from adapters.postgres.combined import Combined
from adapters.postgres.database import Database, Lane
from adapters.postgres.index_keeper import IndexKeeper
from adapters.postgres.job_index import trigger_key
from adapters.postgres.job_writes import InsertJobs
from adapters.postgres.leases import PostgresLeases
from adapters.postgres.maintenance import migrate
from adapters.postgres.names import job_key
from domain.firing.plan import firing_plan
from ports.errors import StoreUnavailable
from ports.firings import FiringState
from ports.jobs import Advance, Claim, Position, StoreName
from ports.triggers import CronTrigger, DateTrigger, IntervalTrigger, Trigger
from tests.contract.worlds import (
    HOUR,
    NOW,
    PostgresWorld,
    a_job,
    hourly,
    new_firing,
    only_record,
    postgres_world,
    replica,
)
from tests.postgres import SCHEMA, plain, session_server

LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
JOBS = f"{SCHEMA}.apscheduler_jobs"


@pytest.fixture
async def world() -> AsyncIterator[PostgresWorld]:
    """Return the adapters over a fresh database."""
    async for found in postgres_world(session_server()):
        yield found


async def waiting_for_a_lock(world: PostgresWorld) -> None:
    """Return once a session waits for somebody's lock."""
    query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while not await asyncio.to_thread(world.sql, query):  # noqa: ASYNC110  a server has no event to await
        await asyncio.sleep(0.01)


async def test_a_takeover_does_not_overwrite_an_outcome_that_is_being_written(world: PostgresWorld) -> None:
    """It waits for the outcome, and then finds nothing to free."""
    one = await replica(world)
    (firing,) = await one.record(new_firing())
    session = psycopg2.connect(plain(world.url))
    with session.cursor() as cursor:
        cursor.execute(
            f"UPDATE {SCHEMA}.scheduler_firings SET finished_at = now(), attempts = 1 WHERE id = %s",
            (firing.id,),
        )
        taking_over = asyncio.create_task(world.leases.release("one"))
        await waiting_for_a_lock(world)
        session.commit()
    session.close()
    assert await taking_over == 0
    assert (await only_record(world)).state is FiringState.SUCCEEDED


async def test_stranded_waits_for_a_claim_whose_connection_is_gone_but_whose_commit_is_not(
    world: PostgresWorld,
) -> None:
    """A look before that commit would find nothing, and nobody would look again."""
    one = await replica(world)
    session = psycopg2.connect(plain(world.url))
    with session.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {SCHEMA}.scheduler_replicas WHERE replica = 'one' FOR KEY SHARE")
        cursor.execute(
            f"INSERT INTO {SCHEMA}.scheduler_firings (job_key, scheduled_at, claimed_at, coalesced, owner, store,"
            " kind, job_id) VALUES (gen_random_uuid(), now(), now(), 0, 'one', 'execution', 'execute_graph', 'j')"
        )
        looking = asyncio.create_task(world.ledger.stranded(owner=one.name, holding=frozenset()))
        await waiting_for_a_lock(world)
        session.commit()
    session.close()
    assert [firing.job_id for firing in await looking] == ["j"]


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize(
    "due", [datetime(1, 1, 1, tzinfo=UTC), datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC)]
)
@pytest.mark.parametrize(
    "trigger",
    [
        CronTrigger(timezone="America/New_York"),
        CronTrigger(timezone="America/New_York", end_at=LAST),
        IntervalTrigger(interval=HOUR, start_at=LAST - 3 * HOUR, timezone="America/New_York"),
    ],
)
async def test_a_row_at_the_end_of_the_calendar_keeps_no_other_from_firing(
    world: PostgresWorld, trigger: Trigger, due: datetime, *, indexed: bool
) -> None:
    """Whether it fires or is left alone: nothing is raised, and the others fire."""
    odd = replace(a_job("odd"), trigger=trigger, next_run_at=NOW.astimezone(ZoneInfo("UTC")))
    await world.jobs.put(odd)
    await world.jobs.put(a_job("good"))
    world.sql(f"UPDATE {JOBS} SET next_run_time = %s WHERE id = 'odd' RETURNING 1", (due.timestamp(),))
    if not indexed:
        world.sql(f"DELETE FROM {SCHEMA}.scheduler_job_index RETURNING 1")
    one = await replica(world)
    claim = await world.jobs.claim_due(now=NOW, limit=10, owner=one.name, plan=firing_plan(None))
    assert "good" in {firing.job_id for firing in claim.firings}
    again = await world.jobs.claim_due(now=NOW, limit=10, owner=one.name, plan=firing_plan(None))
    assert again.firings == []


async def test_a_huge_option_is_quarantined(world: PostgresWorld) -> None:
    """No number that long can be written as text; the row is nobody's to fire."""
    state = encode(a_job("huge"))
    huge = state.replace(b"max_instances\x94K\x01", b"max_instances\x94\x8a\xff" + b"\x7f" * 255)
    assert huge != state
    frame = len(huge) - 11
    world.write_row("huge", NOW.timestamp(), huge[:3] + frame.to_bytes(8, "little") + huge[11:])
    await world.jobs.put(a_job("good"))
    assert await IndexKeeper(world.database).work_off_marks() == 1
    one = await replica(world)
    claim = await world.jobs.claim_due(now=NOW, limit=10, owner=one.name, plan=hourly)
    assert [firing.job_id for firing in claim.firings] == ["good"]
    assert [row.id for row in claim.unreadable] == ["huge"]


async def test_an_add_while_a_mark_of_the_same_id_is_worked_off_stays_listed(world: PostgresWorld) -> None:
    """A mark of a row that is gone must not take the entry of its successor along."""
    world.write_row("j", NOW.timestamp(), encode(a_job("j")))
    world.sql(f"DELETE FROM {JOBS} RETURNING 1")
    keeper = IndexKeeper(world.database)

    def meanwhile(connection: Any) -> int:
        marked = keeper._execute(connection, "take_marks", limit=10).scalars().all()
        keeper._execute(connection, "forget", ids="{j}")
        other = psycopg2.connect(plain(world.url))
        with other, other.cursor() as cursor:
            cursor.execute("SET agpt_scheduler.writer = 'own'")
            cursor.execute(f"INSERT INTO {JOBS} VALUES ('j', 1, %s)", (encode(a_job("j")),))
        other.close()
        keeper._look_at(connection, marked)
        return len(marked)

    assert await world.database.run(Lane.RPC, meanwhile) == 1
    assert [job.id async for job in world.jobs.list(user_id="user")] == ["j"]


def test_triggers_that_compare_equal_have_keys_of_their_own() -> None:
    """One instant in two zones is equal to Python, and both passes of an overlap are."""
    instant = datetime(2026, 12, 1, 12, tzinfo=UTC)
    zones = [ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo"), UTC]
    assert len({trigger_key(DateTrigger(run_at=instant.astimezone(zone))) for zone in zones}) == 3
    berlin = ZoneInfo("Europe/Berlin")
    passes = [datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold) for fold in (0, 1)]
    keys = {trigger_key(IntervalTrigger(interval=HOUR, start_at=at, timezone="Europe/Berlin")) for at in passes}
    assert len(keys) == 2


async def test_both_passes_of_an_overlap_fire_for_their_own_due_times(world: PostgresWorld) -> None:
    """The plan is asked for each: they are an hour apart, though Python calls them equal."""
    new_york = ZoneInfo("America/New_York")
    passes = {f"{fold}": datetime(2026, 11, 1, 1, 30, tzinfo=new_york, fold=fold) for fold in (0, 1)}
    for job_id, due in passes.items():
        trigger = CronTrigger(timezone="America/New_York", minute="30", hour="*")
        await world.jobs.put(replace(a_job(job_id), trigger=trigger, next_run_at=due))
    one = await replica(world)

    def as_due(_trigger: Trigger, due: datetime, now: datetime) -> Advance:
        return Advance(scheduled_at=due, next_run_at=now + HOUR)

    claim = await world.jobs.claim_due(now=NOW, limit=10, owner=one.name, plan=as_due)
    fired = {firing.job_id: firing.scheduled_at for firing in claim.firings}
    assert fired == {job_id: due.astimezone(UTC) for job_id, due in passes.items()}


async def test_one_locked_row_does_not_hold_up_the_removal_of_others(world: PostgresWorld) -> None:
    """Whoever shares a transaction with it is served without it."""
    for number in range(4):
        await world.jobs.put(a_job(f"x{number}"))
    session = psycopg2.connect(plain(world.url))
    with session.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {JOBS} WHERE id = 'x3' FOR UPDATE")
        removing = [asyncio.create_task(world.jobs.remove(f"x{n}", allow=lambda _: None)) for n in range(4)]
        done, _ = await asyncio.wait(removing[:3], timeout=3)
        assert len(done) == 3
        session.rollback()
    session.close()
    assert [job.id if job else None for job in await asyncio.gather(*removing)] == ["x0", "x1", "x2", "x3"]


@pytest.mark.parametrize(
    ("meanwhile", "state", "cancelled"),
    [
        ("UPDATE {firings} SET finished_at = now(), attempts = 1", "succeeded", False),
        ("UPDATE {firings} SET rare_state = 'waiting'", "cancelled", True),
        ("UPDATE {firings} SET owner = 'two'", "leased", True),
        ("UPDATE {jobs} SET next_run_time = next_run_time + 3600", "leased", True),
    ],
    ids=["settled", "freed", "taken over", "claimed"],
)
async def test_a_removal_that_waits_for_somebody_cancels_what_is_there_afterwards(
    world: PostgresWorld, meanwhile: str, state: str, *, cancelled: bool
) -> None:
    """It sees how a firing changed for which it waited, and one that the claim it waited for recorded."""
    await world.jobs.put(a_job())
    firings = f"{SCHEMA}.scheduler_firings"
    record = f"""
        INSERT INTO {firings} (job_key, scheduled_at, claimed_at, coalesced, owner, store, kind, job_id)
        VALUES ('{job_key("execution", "job")}', now(), now(), 0, 'one', 'execution', 'execute_graph', 'job')
    """
    session = psycopg2.connect(plain(world.url))
    with session.cursor() as cursor:
        if "{firings}" in meanwhile:
            cursor.execute(record)
            session.commit()
        cursor.execute(meanwhile.format(firings=firings, jobs=JOBS))
        removing = asyncio.create_task(world.jobs.remove("job", allow=lambda _: None))
        await waiting_for_a_lock(world)
        if "{jobs}" in meanwhile:
            cursor.execute(record)
        session.commit()
    session.close()
    assert await removing is not None
    assert world.sql(f"SELECT state, cancelled FROM {firings}") == [(state, cancelled)]
    assert world.sql(f"SELECT id FROM {JOBS} UNION SELECT job_id FROM {SCHEMA}.scheduler_job_index") == []


async def test_adds_that_deadlock_with_others_are_repeated_and_leave_entries_of_their_rows(
    world: PostgresWorld,
) -> None:
    """The others win both ids; then each add replaces what it finds."""
    theirs = f"INSERT INTO {JOBS} VALUES (%s, 1, %s)"
    session = psycopg2.connect(plain(world.url))
    with session.cursor() as cursor:
        cursor.execute("SET deadlock_timeout = '1min'")  # so that it is found by, and ends, the adds
        cursor.execute(theirs, ("b", encode(a_job("b", user_id="them"))))
        adding = [asyncio.create_task(world.jobs.put(a_job(job_id))) for job_id in ("first", "a", "b")]
        await waiting_for_a_lock(world)
        await asyncio.to_thread(cursor.execute, theirs, ("a", encode(a_job("a", user_id="them"))))
        session.commit()
    session.close()
    assert await asyncio.gather(*adding) == [True] * 3
    assert [job.id async for job in world.jobs.list(user_id="user")] == ["a", "b", "first"]
    assert world.sql(f"SELECT job_id FROM {SCHEMA}.scheduler_job_index ORDER BY 1") == [("a",), ("b",), ("first",)]


async def test_an_id_that_no_row_can_have_is_refused_to_its_own_caller(world: PostgresWorld) -> None:
    """The others of its transaction are stored."""
    calls = [world.jobs.put(a_job(job_id)) for job_id in ("good", "x" * 192, "nul\0", "fine")]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [answer if isinstance(answer, bool) else type(answer) for answer in answers] == [
        True,
        ValueError,
        ValueError,
        True,
    ]


async def test_callers_of_one_transaction_get_exceptions_of_their_own(world: PostgresWorld) -> None:
    """What is raised to one is not changed by the other's raising it."""
    world.sql(f"ALTER TABLE {JOBS} RENAME TO elsewhere")
    calls = [world.jobs.put(a_job(job_id)) for job_id in ("a", "b", "c")]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 3
    assert len({id(answer) for answer in answers}) == 3


async def test_due_times_finer_than_a_cursor_page_to_an_end(world: PostgresWorld) -> None:
    """An operator's SQL may add any fraction; pages go on all the same, each job once."""
    for number in range(12):
        await world.jobs.put(a_job(f"{number:02}"))
    world.sql(f"UPDATE {JOBS} SET next_run_time = next_run_time + id::int * 1e-7 RETURNING 1")
    seen: list[str] = []
    after: Position | None = None
    for _ in range(30):
        page = [job async for job in world.jobs.list(after=after, limit=1)]
        if not page:
            break
        seen += [job.id for job in page]
        after = Position(page[-1].next_run_at, page[-1].id)
    assert sorted(seen) == sorted(set(seen))
    assert len(seen) <= 12
    assert page == []


async def test_a_list_of_none_is_empty(world: PostgresWorld) -> None:
    """A limit of nothing asks for nothing."""
    await world.jobs.put(a_job())
    assert [job async for job in world.jobs.list(limit=0)] == []


async def test_many_due_at_one_time_are_listed_once_each_and_in_order(world: PostgresWorld) -> None:
    """More than a page of them, between earlier and later ones."""
    ids = [f"{number:04}" for number in range(1200)]
    rows = "unnest(%s, array_fill(%s, ARRAY[%s]), %s::bytea[])"
    states = [encode(a_job(job_id)) for job_id in ids]
    world.sql(f"INSERT INTO {JOBS} SELECT * FROM {rows}", (ids, NOW.timestamp(), len(ids), states))
    await world.jobs.put(a_job("a", due=NOW - HOUR))
    await world.jobs.put(a_job("z", due=NOW + HOUR))
    expected = ["a", *ids, "z"]
    assert [job.id async for job in world.jobs.list()] == expected
    await IndexKeeper(world.database).look_at_all()
    assert [job.id async for job in world.jobs.list(user_id="user")] == expected
    assert [job.id async for job in world.jobs.list(user_id="user", limit=700)] == expected[:700]


async def test_a_table_made_anew_is_watched_again(world: PostgresWorld) -> None:
    """As after a restore of the platform's table alone: the next start sees to it."""
    await world.jobs.put(a_job("before"))
    ddl = f"CREATE TABLE {JOBS} (id varchar(191) PRIMARY KEY, next_run_time float8, job_state bytea NOT NULL)"
    world.sql(f"DROP TABLE {JOBS}")
    world.sql(ddl)
    world.write_row("theirs", NOW.timestamp(), encode(a_job("theirs", user_id="them")))
    migrate(world.url, schema=SCHEMA)
    assert [job.id async for job in PostgresWorld(world.url).jobs.list(user_id="them")] == ["theirs"]
    later = NOW + timedelta(seconds=1)
    world.write_row("later", later.timestamp(), encode(a_job("later", due=later)))
    assert world.sql(f"SELECT job_id FROM {SCHEMA}.scheduler_job_marks") == [("later",)]


async def test_an_index_that_somebody_emptied_is_made_anew_within_the_minute(world: PostgresWorld) -> None:
    """It need not wait for the hourly look; one whose rows can't be read is not looked at every second."""
    await world.jobs.put(a_job("j"))
    world.sql(f"TRUNCATE {SCHEMA}.scheduler_job_index")
    keeper = IndexKeeper(world.database)
    state = f"UPDATE {SCHEMA}.scheduler_job_index_state SET swept_at = now() - interval '%s seconds' RETURNING 1"
    world.sql(state, (30,))
    assert not await world.database.run_statement(Lane.RPC, keeper._begins_sweep)
    world.sql(state, (61,))
    assert await world.database.run_statement(Lane.RPC, keeper._begins_sweep)
    await keeper.look_at_all()
    assert [job.id async for job in world.jobs.list(user_id="user")] == ["j"]


async def test_very_many_rows_that_are_due_at_no_time_end_a_list(world: PostgresWorld) -> None:
    """Infinity is a due time to PostgreSQL, and has none after it but NaN."""
    ids = [f"{number:04}" for number in range(600)]
    for time in ("Infinity", "NaN"):
        rows = f"unnest(%s, array_fill('{time}'::float8, ARRAY[600]), array_fill(%s::bytea, ARRAY[600]))"
        world.sql(f"INSERT INTO {JOBS} SELECT * FROM {rows}", ([time + each for each in ids], b"odd"))
    await world.jobs.put(a_job("good"))
    assert [job.id async for job in world.jobs.list()] == ["good"]
    assert len([row.id async for row in world.jobs.unreadable()]) == 1200


@pytest.mark.parametrize("indexed", [True, False])
async def test_a_server_that_writes_short_numbers_keeps_nothing_from_firing(
    world: PostgresWorld, *, indexed: bool
) -> None:
    """Due times are what they are, to the microsecond."""
    name = world.sql("SELECT current_database()")[0][0]
    world.sql(f"ALTER DATABASE {name} SET extra_float_digits = 0")
    start = NOW.replace(microsecond=123457) - 5 * HOUR
    trigger = IntervalTrigger(interval=HOUR, start_at=start, timezone="UTC")
    await world.jobs.put(replace(a_job("folded"), trigger=trigger, next_run_at=start))
    await world.jobs.put(a_job("good"))
    if not indexed:
        world.sql(f"DELETE FROM {SCHEMA}.scheduler_job_index RETURNING 1")
    one = await replica(world)
    claim = await world.jobs.claim_due(now=NOW, limit=10, owner=one.name, plan=firing_plan(None))
    found = {firing.job_id: (firing.scheduled_at, firing.coalesced) for firing in claim.firings}
    assert found == {"folded": (start + 4 * HOUR, 4), "good": (NOW, 0)}


@pytest.mark.parametrize("offset", [-1, -(2**31), 2**31 - 1, 10**6])
async def test_an_entry_with_an_impossible_offset_stops_nothing(world: PostgresWorld, offset: int) -> None:
    """Somebody's hand in our tables: its row is decoded, by claims and by lists."""
    await world.jobs.put(a_job("odd"))
    await world.jobs.put(a_job("good"))
    world.sql(
        f"UPDATE {SCHEMA}.scheduler_job_index SET next_run_offset = %s WHERE job_id = 'odd' RETURNING 1", (offset,)
    )
    assert sorted([job.id async for job in world.jobs.list(user_id="user")]) == ["good", "odd"]
    one = await replica(world)
    claim = await world.jobs.claim_due(now=NOW, limit=10, owner=one.name, plan=hourly)
    assert sorted(firing.job_id for firing in claim.firings) == ["good", "odd"]
    await IndexKeeper(world.database).look_at_all()


async def test_a_claim_and_a_look_at_its_rows_do_not_wait_for_each_other(world: PostgresWorld) -> None:
    """A deadlock would hold the rows for a second, and its victim may be a session of the platform's."""
    await world.jobs.put(a_job("j"))
    world.write_row("j", NOW.timestamp(), encode(a_job("j", input_data={"version": "new"})))
    one = await replica(world)
    keeper = IndexKeeper(world.database)
    look_at = keeper._look_at
    loop = asyncio.get_running_loop()
    claims: list[asyncio.Task[Claim]] = []

    async def claiming() -> None:
        claim = asyncio.create_task(world.jobs.claim_due(now=NOW, limit=10, owner=one.name, plan=hourly))
        claims.append(claim)
        waiting = asyncio.create_task(waiting_for_a_lock(world))
        await asyncio.wait({claim, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        assert claim.done()

    def claimed_meanwhile(connection: Any, ids: Any) -> None:
        asyncio.run_coroutine_threadsafe(claiming(), loop).result()
        look_at(connection, ids)

    keeper._look_at = claimed_meanwhile  # type: ignore[method-assign]
    assert await keeper.work_off_marks() == 1
    assert (await claims[0]).taken == 0
    claim = await world.jobs.claim_due(now=NOW, limit=10, owner=one.name, plan=hourly)
    assert [firing.payload["input_data"] for firing in claim.firings] == [{"version": "new"}]


async def test_a_replica_that_stopped_in_the_middle_of_an_answer_is_taken_over(world: PostgresWorld) -> None:
    """It holds its lease's row in a session that the server keeps for as long as nobody takes the result."""
    await world.leases.register("stopped")
    database = Database(world.url, schema=SCHEMA, idle_secs=0.2)
    stopped = psycopg2.connect(plain(world.url), application_name="agpt-scheduler", async_=True)
    try:
        wait_select(stopped)
        with stopped.cursor() as cursor:
            lock = f"SELECT FROM {SCHEMA}.scheduler_replicas FOR KEY SHARE"
            cursor.execute(f"BEGIN; {lock}; SELECT repeat('x', 10000000)")
        stuck = (
            "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'ClientWrite' AND datname = current_database()"
            " AND query_start < clock_timestamp() - interval '0.1 s'"
        )
        while not await asyncio.to_thread(world.sql, stuck):  # noqa: ASYNC110  a server has no event to await
            await asyncio.sleep(0.01)
        leases = PostgresLeases(database, clock=SystemClock())
        await leases.expire("stopped", beat=0)
        assert world.sql(f"SELECT replica FROM {SCHEMA}.scheduler_replicas") == []
    finally:
        stopped.close()
        await database.aclose()


async def test_calls_share_transactions_of_which_two_are_under_way(world: PostgresWorld) -> None:
    """A lone call goes at once; when a few wait, a second transaction begins; the rest go with the next."""
    batches: list[list[int]] = []
    go_on = threading.Event()
    begun = asyncio.Semaphore(0)
    loop = asyncio.get_running_loop()

    def work(connection: Connection, items: Sequence[int]) -> Sequence[int | Exception]:
        batches.append(list(items))
        loop.call_soon_threadsafe(begun.release)
        assert go_on.wait(30)
        connection.exec_driver_sql("SELECT 1")
        return [ZeroDivisionError() if item == 3 else 10 * item for item in items]

    combined = Combined(world.database, work)
    calls = [asyncio.create_task(combined(0))]
    await begun.acquire()
    calls += [asyncio.create_task(combined(item)) for item in range(1, 5)]
    await begun.acquire()
    calls += [asyncio.create_task(combined(item)) for item in range(5, 20)]
    await asyncio.sleep(0)
    assert batches == [[0], [1, 2, 3, 4]]
    go_on.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(results.pop(3), ZeroDivisionError)
    assert results == [10 * item for item in range(20) if item != 3]
    assert len(batches) == 3
    assert [await combined(item) for item in range(20, 23)] == [200, 210, 220]


async def test_after_slow_transactions_one_at_a_time_is_under_way(world: PostgresWorld) -> None:
    """Until one was quick: two that wait for a lock would only take the threads of others."""
    batches: list[int] = []
    turns = [threading.Event() for _ in range(5)]
    begun = asyncio.Semaphore(0)
    loop = asyncio.get_running_loop()

    def work(connection: Connection, items: Sequence[int]) -> Sequence[int | Exception]:
        turn = turns[len(batches)]
        batches.append(len(items))
        loop.call_soon_threadsafe(begun.release)
        assert turn.wait(30)
        connection.exec_driver_sql("SELECT 1")
        return items

    combined = Combined(world.database, work)
    calls = [asyncio.create_task(combined(0))]
    await begun.acquire()
    calls += [asyncio.create_task(combined(item)) for item in range(1, 5)]
    await begun.acquire()
    calls += [asyncio.create_task(combined(item)) for item in range(5, 205)]
    await asyncio.sleep(0.3)
    turns[0].set()
    turns[1].set()
    await asyncio.gather(*calls[:5])
    await begun.acquire()
    calls += [asyncio.create_task(combined(item)) for item in range(205, 210)]
    await asyncio.sleep(0.05)
    assert batches == [1, 4, 64]
    for turn in turns[2:]:
        turn.set()
    turns += turns[2:]
    assert await asyncio.gather(*calls) == list(range(210))


async def test_reads_go_on_while_adds_wait_for_a_lock(world: PostgresWorld) -> None:
    """As when somebody creates an index: adds that come once the first is slow take no second thread."""
    await world.jobs.put(a_job("there"))
    session = psycopg2.connect(plain(world.url))
    with session.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {JOBS} IN SHARE MODE")
        adds = [asyncio.create_task(world.jobs.put(a_job("first")))]
        await waiting_for_a_lock(world)
        await asyncio.sleep(0.3)
        adds += [asyncio.create_task(world.jobs.put(a_job(f"{number}"))) for number in range(10)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(2):
            assert await world.jobs.get("there") is not None
        session.commit()
    session.close()
    assert all(await asyncio.gather(*adds))


async def test_no_call_is_left_waiting_when_the_transactions_end(world: PostgresWorld) -> None:
    """Calls come at every moment of the others' ends."""

    def work(connection: Connection, items: Sequence[int]) -> Sequence[int | Exception]:
        connection.exec_driver_sql("SELECT 1")
        return items

    combined = Combined(world.database, work)

    async def caller(number: int) -> list[int]:
        return [await combined(number + call) for call in range(50)]

    async with asyncio.timeout(30):
        results = await asyncio.gather(*(caller(100 * number) for number in range(7)))
    assert results == [list(range(100 * number, 100 * number + 50)) for number in range(7)]


async def test_two_batches_that_add_the_same_ids_wait_in_one_order(world: PostgresWorld) -> None:
    """The lower id first, so that neither holds what the other waits for."""
    insert = InsertJobs(world.database.names, StoreName.EXECUTION, channel="c", notify_within_secs=1.0)
    adding = f"INSERT INTO {JOBS} (id, next_run_time, job_state) VALUES (%s, 0, '')"
    session = psycopg2.connect(plain(world.url))
    with session.cursor() as cursor:
        cursor.execute("SET lock_timeout = 1")
        cursor.execute(adding, ("a",))
        batch = asyncio.create_task(
            world.database.run_statement(
                Lane.RPC, lambda connection: insert(connection, [insert.row(a_job(name)) for name in "bca"])
            )
        )
        await waiting_for_a_lock(world)
        await asyncio.to_thread(cursor.execute, adding, ("b",))
        session.commit()
    session.close()
    assert await batch == [False, True, False]
