"""The use cases of schedules, over a job store in memory."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from domain.cron import CronDialect
from domain.errors import InvalidScheduleError, NotAuthorizedError, NotFoundError, UnstorableInputError
from domain.models import GraphExecutionJobArgs
from ports.errors import StoreUnavailable
from ports.jobs import Job, JobKind, UnreadableReason, UnreadableRow
from ports.triggers import CronTrigger, IntervalTrigger
from tests.unit.schedule_world import NOW, World, args


@pytest.fixture
def world() -> World:
    """Return an empty world in UTC that reads standard crontab."""
    return World()


def nested(levels: int) -> dict[str, Any]:
    """Return input that holds lists in lists, `levels` deep."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return {"deep": value}


async def test_an_added_schedule_is_stored_with_its_first_run(world: World) -> None:
    """Adding stores a job of plain JSON kwargs, due at the first fire time after now."""
    credentials = {"k": {"id": "c1", "provider": "my_own", "type": "api_key"}}
    info = await world.schedules.add(args(input_credentials=credentials))
    job = world.jobs.jobs[info.id]
    assert (job.kind, job.name) == (JobKind.EXECUTE_GRAPH, "execute_graph")
    assert job.next_run_at == datetime(2026, 11, 30, 9, tzinfo=UTC)  # Monday, not Tuesday
    assert job.kwargs == {
        "user_id": "u1",
        "graph_id": "g1",
        "graph_version": 1,
        "cron": "0 9 * * 1",
        "input_data": {"a": 1},
        "input_credentials": {"k": {"id": "c1", "title": None, "provider": "my_own", "type": "api_key"}},
    }


async def test_the_answer_names_id_name_run_and_zone_after_the_recorded_fields(world: World) -> None:
    """The answer's fields stand in the recorded order, ours last."""
    info = await world.schedules.add(args(), name="mine")
    assert list(info.model_dump()) == [
        *("user_id", "graph_id", "graph_version", "cron", "input_data", "input_credentials"),
        *("id", "name", "next_run_time", "timezone"),
        *("paused", "paused_reason", "paused_by", "paused_at", "run_at", "start_at", "end_at", "jitter_secs"),
    ]
    assert (info.id, info.name, info.timezone) == ("id1", "mine", "UTC")
    assert info.next_run_time == "2026-11-30T09:00:00+00:00"


async def test_a_schedule_in_a_users_zone_runs_by_that_zones_clock(world: World) -> None:
    """A zone given on add decides when the schedule runs and comes back with it."""
    info = await world.schedules.add(args(cron="0 9 * * *"), user_timezone="Asia/Kolkata")
    assert (info.timezone, info.next_run_time) == ("Asia/Kolkata", "2026-11-24T09:00:00+05:30")


async def test_a_schedule_without_a_zone_takes_the_services() -> None:
    """The service's own zone counts where the caller names none."""
    info = await World(timezone="America/New_York").schedules.add(args(cron="0 9 * * *"))
    assert (info.timezone, info.next_run_time) == ("America/New_York", "2026-11-24T09:00:00-05:00")


async def test_weekday_numbers_follow_the_dialect() -> None:
    """The original's dialect reads weekday 1 as Tuesday."""
    info = await World(dialect=CronDialect.APSCHEDULER).schedules.add(args())
    assert info.next_run_time == "2026-11-24T09:00:00+00:00"


async def test_arguments_of_a_wider_model_store_only_what_a_schedule_runs(world: World) -> None:
    """Fields that a caller's model adds to the arguments never reach the stored kwargs."""

    class Wider(GraphExecutionJobArgs):
        secret: str

    wider = Wider.model_validate({**args().model_dump(), "secret": "s"})
    info = await world.schedules.add(wider)
    assert "secret" not in world.jobs.jobs[info.id].kwargs


async def test_an_id_taken_by_an_unreadable_row_is_stepped_over(world: World) -> None:
    """A row that can't be read keeps its id; the new schedule gets another."""
    row = UnreadableRow(id="id1", reason=UnreadableReason.QUARANTINED, detail="")
    world.jobs.rows_left_alone["id1"] = row
    info = await world.schedules.add(args())
    assert info.id == "id2"
    assert list(world.jobs.jobs) == ["id2"]


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({}, {"name": ""}),
        ({}, {"user_timezone": "Mars/Olympus"}),
        ({}, {"user_timezone": ""}),
        ({}, {"user_timezone": "../../etc/passwd"}),
        ({"cron": "nonsense"}, {}),
        ({"cron": ""}, {}),
        ({"cron": "0 0 30 2 *"}, {}),
        ({"cron": "0 9 * * 8"}, {}),
    ],
)
async def test_what_can_be_no_schedule_is_refused_and_not_stored(
    world: World, changes: dict[str, Any], options: dict[str, Any]
) -> None:
    """Bad names, zones, cron texts and dates that never come raise InvalidScheduleError and store nothing."""
    with pytest.raises(InvalidScheduleError):
        await world.schedules.add(args(**changes), **options)
    assert world.jobs.jobs == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"input_data": {"s": "\ud800"}},
        {"input_data": {"\udfff": 1}},
        {"input_data": {"a": [{"b": "x\udc00"}]}},
        {"input_data": {"a": {"\udfff": 1}}},
        {"user_id": "\ud800"},
        {"graph_id": "\ud800"},
        {"input_data": nested(300)},
        {"input_data": nested(5000)},
        {"input_credentials": {"\ud800": {"id": "c", "provider": "p", "type": "oauth2"}}},
    ],
    ids=["text", "key", "inner", "inner key", "user", "graph", "deep", "deeper", "credentials"],
)
async def test_input_that_could_not_be_answered_with_is_refused_and_not_stored(
    world: World, changes: dict[str, Any]
) -> None:
    """Lone surrogates and nesting that the original stores and then chokes on are refused before storing."""
    with pytest.raises(UnstorableInputError):
        await world.schedules.add(args(**changes))
    assert world.jobs.jobs == {}


async def test_a_name_with_a_lone_surrogate_is_refused(world: World) -> None:
    """A name is answered with too, so it has to be text."""
    with pytest.raises(UnstorableInputError):
        await world.schedules.add(args(), name="\ud800")


@pytest.mark.parametrize(
    "value",
    ["a\0b", 10**100, -(2**63) - 1, nested(200), [None, True, 2.5], "\u2028"],
    ids=["nul", "huge", "below 64 bits", "200 deep", "mixed", "line separator"],
)
async def test_unusual_input_that_is_json_is_stored_as_it_is(world: World, value: Any) -> None:
    """NUL, integers of any size and 200 levels are JSON, and come back unchanged."""
    info = await world.schedules.add(args(input_data={"v": value}))
    assert world.jobs.jobs[info.id].kwargs["input_data"] == {"v": value}
    assert [found.input_data for found in await world.listed()] == [{"v": value}]


async def test_deleting_returns_the_schedule_and_removes_it(world: World) -> None:
    """The owner gets the schedule back as it was, once."""
    added = await world.schedules.add(args(), name="mine")
    assert await world.schedules.delete(added.id, user_id="u1") == added
    with pytest.raises(NotFoundError, match=f"Job #{added.id} not found."):
        await world.schedules.delete(added.id, user_id="u1")


async def test_deleting_anothers_schedule_is_refused_and_changes_nothing(world: World) -> None:
    """A stranger's delete leaves the schedule where it was."""
    added = await world.schedules.add(args())
    with pytest.raises(NotAuthorizedError):
        await world.schedules.delete(added.id, user_id="u2")
    assert await world.listed() == [added]


@pytest.mark.parametrize("schedule_id", ["", "zz", "żółw", "x" * 300, "x' or '1'='1", "\ud800"])
async def test_deleting_an_unknown_id_is_not_found(world: World, schedule_id: str) -> None:
    """An id that nobody has is not found, whatever it looks like."""
    with pytest.raises(NotFoundError):
        await world.schedules.delete(schedule_id, user_id="u1")


async def test_deleting_an_id_with_nul_is_refused_in_the_recorded_words(world: World) -> None:
    """The original let its database driver refuse NUL, with these words."""
    with pytest.raises(InvalidScheduleError, match=r"^A string literal cannot contain NUL \(0x00\) characters\.$"):
        await world.schedules.delete("a\0b", user_id="u1")


async def test_deleting_a_row_that_cannot_be_read_is_not_found(world: World) -> None:
    """Nobody can be shown to own a quarantined row, so for callers there is none."""
    world.jobs.rows_left_alone["q"] = UnreadableRow(id="q", reason=UnreadableReason.QUARANTINED, detail="")
    with pytest.raises(NotFoundError):
        await world.schedules.delete("q", user_id="u1")
    assert "q" in world.jobs.rows_left_alone


async def test_deleting_a_system_task_fails_to_validate_and_keeps_it(world: World) -> None:
    """A system task's kwargs are no schedule's; it stays."""
    trigger = IntervalTrigger(interval=timedelta(hours=6), start_at=NOW, timezone="UTC")
    task = Job(
        id="cleanup_expired_files",
        kind=JobKind.CLEANUP_EXPIRED_FILES,
        name="cleanup_expired_files",
        trigger=trigger,
        kwargs={},
        next_run_at=NOW,
    )
    await world.jobs.put(task)
    with pytest.raises(ValidationError):
        await world.schedules.delete(task.id, user_id="u1")
    assert world.jobs.jobs[task.id] == task


async def test_lists_are_filtered_and_ordered_by_next_run_then_id(world: World) -> None:
    """User and graph narrow a list; without them everything is listed, soonest first."""
    await world.schedules.add(args(cron="0 12 * * *"))
    await world.schedules.add(args(cron="0 9 * * *", user_id="u2"))
    await world.schedules.add(args(cron="0 9 * * *", graph_id="g2"))
    assert [info.id for info in await world.listed()] == ["id2", "id3", "id1"]
    assert [info.id for info in await world.listed(user_id="u1")] == ["id3", "id1"]
    assert [info.id for info in await world.listed(graph_id="g1")] == ["id2", "id1"]
    assert [info.id for info in await world.listed(graph_id="g1", user_id="u1")] == ["id1"]
    assert await world.listed(user_id="") == []


async def test_text_that_can_never_be_stored_matches_nothing(world: World) -> None:
    """A lone surrogate is in no stored schedule, so the store, which could not even ask for it, is not asked."""
    await world.schedules.add(args())
    world.jobs.fail_next(StoreUnavailable("not to be asked"))
    assert await world.listed(user_id="\ud800") == []
    assert await world.listed(graph_id="\udfff") == []


async def test_a_job_with_kwargs_of_another_shape_is_left_out_of_lists(world: World) -> None:
    """One row that is no schedule's does not break the list of the others."""
    added = await world.schedules.add(args())
    odd = Job(
        id="odd",
        kind=JobKind.EXECUTE_GRAPH,
        name="odd",
        trigger=CronTrigger(timezone="UTC"),
        kwargs={"user_id": "u1"},
        next_run_at=NOW,
    )
    await world.jobs.put(odd)
    assert await world.listed() == [added]


async def test_an_unavailable_store_is_reported_as_such(world: World) -> None:
    """The store's own error comes out of every use case."""
    unavailable = StoreUnavailable("the database is away")
    world.jobs.fail_next(unavailable, unavailable, unavailable)
    with pytest.raises(StoreUnavailable):
        await world.schedules.add(args())
    with pytest.raises(StoreUnavailable):
        await world.schedules.delete("x", user_id="u1")
    with pytest.raises(StoreUnavailable):
        await world.listed()
