"""Running now, back-filling, history and previews, over fakes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import InvalidScheduleError, NotAuthorizedError
from domain.notes import NOTES
from domain.runs import MAX_BACKFILL, MAX_BACKFILL_BYTES
from ports.firings import FiringState, NewFiring
from ports.triggers import CronTrigger
from tests.unit.schedule_world import NOW, World, args

DAY = timedelta(days=1)
WINDOW = {"begin": "2026-11-20T00:00:00", "end": "2026-11-23T00:00:00"}


@pytest.fixture
async def world() -> World:
    """Return a world in UTC with u1's schedule "s", daily at nine."""
    world = World()
    await world.schedules.add(args(cron="0 9 * * *"), schedule_id="s")
    return world


async def test_a_run_now_waits_for_dispatch_outside_the_cadence(world: World) -> None:
    """It has a key of its own, at this moment, and the next run stays where it was."""
    before = world.jobs.jobs["s"]
    info = await world.runs.run_now("s", user_id="u1")
    assert (info.id, info.scheduled_at) == ("s", NOW.isoformat())
    assert info.idempotency_key == "s:2026-11-23T14:28:30Z"
    (entry,) = world.ledger.entries.values()
    assert (entry.record.state, entry.record.attempt_at, entry.owner) == (FiringState.WAITING, NOW, None)
    assert entry.firing.idempotency_key == info.idempotency_key
    assert entry.firing.payload == before.kwargs
    assert world.jobs.jobs["s"] == before


async def test_every_run_now_is_a_run(world: World) -> None:
    """Also two within a microsecond, or at the very due time."""
    keys = [(await world.runs.run_now("s", user_id="u1")).idempotency_key for _ in range(3)]
    assert len(set(keys)) == len(world.ledger.entries) == 3


async def test_a_paused_schedule_can_be_run_and_its_notes_go_nowhere(world: World) -> None:
    """Pausing stops the cadence; somebody may still want this one run."""
    await world.schedules.pause("s", user_id="u1", reason="secret")
    info = await world.runs.run_now("s", user_id="u1")
    assert info.paused
    (entry,) = world.ledger.entries.values()
    assert entry.record.state is FiringState.WAITING
    assert NOTES not in entry.firing.payload
    assert "secret" not in json.dumps(entry.firing.payload)


async def test_a_backfill_runs_each_missed_due_time_once(world: World) -> None:
    """From the window's beginning until its end; repeated, it adds nothing."""
    missed = NewFiring("s", "execute_graph", datetime(2026, 11, 21, 9, tzinfo=UTC), {"user_id": "u1"})
    await world.ledger.enqueue([missed], store="execution")
    info = await world.runs.backfill("s", user_id="u1", **WINDOW)
    assert (info.due, info.added, info.id) == (3, 2, "s")
    again = await world.runs.backfill("s", user_id="u1", **WINDOW)
    assert (again.due, again.added) == (3, 0)
    found = sorted(entry.record.scheduled_at for entry in world.ledger.entries.values())
    assert found == [datetime(2026, 11, day, 9, tzinfo=UTC) for day in (20, 21, 22)]


async def test_a_backfill_window_includes_its_beginning_and_not_its_end(world: World) -> None:
    """So that windows side by side meet."""
    window = {"begin": "2026-11-20T09:00:00", "end": "2026-11-21T09:00:00Z"}
    assert (await world.runs.backfill("s", user_id="u1", **window)).due == 1


async def test_a_backfill_reads_times_in_the_schedules_zone(world: World) -> None:
    """Its user thinks by its clock."""
    await world.schedules.add(args(cron="0 9 * * *"), schedule_id="s", user_timezone="Asia/Tokyo")
    window = {"begin": "2026-11-20T09:00:00", "end": "2026-11-20T09:00:01"}
    info = await world.runs.backfill("s", user_id="u1", **window)
    assert info.added == 1
    (entry,) = world.ledger.entries.values()
    assert entry.record.scheduled_at == datetime(2026, 11, 20, tzinfo=UTC)


async def test_a_paused_schedule_can_be_backfilled(world: World) -> None:
    """Its due times are the trigger's, which it still has."""
    await world.schedules.pause("s", user_id="u1")
    assert (await world.runs.backfill("s", user_id="u1", **WINDOW)).added == 3


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ({"begin": "2026-11-20", "end": "2026-11-20"}, "end is not after its beginning"),
        ({"begin": "2026-11-21", "end": "2026-11-20"}, "end is not after its beginning"),
        ({"begin": "2026-11-20", "end": "2026-11-24"}, "future"),
        ({"begin": "x", "end": "2026-11-20"}, "from is not an ISO 8601 time"),
        ({"begin": "2026-11-20", "end": ""}, "to is not an ISO 8601 time"),
    ],
)
async def test_a_window_that_is_none_is_refused(world: World, window: dict[str, str], words: str) -> None:
    """Nothing is recorded."""
    with pytest.raises(InvalidScheduleError, match=words):
        await world.runs.backfill("s", user_id="u1", **window)
    assert world.ledger.entries == {}


async def test_a_backfill_is_bounded_and_says_by_how_many() -> None:
    """Exactly as many as allowed pass."""
    world = World()
    await world.schedules.add(args(cron="* * * * *"), schedule_id="s")
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    end = begin + timedelta(minutes=MAX_BACKFILL)
    too_long = (end + timedelta(minutes=1)).isoformat()
    with pytest.raises(InvalidScheduleError, match="more than 1000 due times"):
        await world.runs.backfill("s", user_id="u1", begin=begin.isoformat(), end=too_long)
    assert world.ledger.entries == {}
    info = await world.runs.backfill("s", user_id="u1", begin=begin.isoformat(), end=end.isoformat())
    assert info.added == MAX_BACKFILL


async def test_a_backfill_of_large_inputs_is_bounded_by_their_size(world: World) -> None:
    """Each firing has its own copy."""
    large = {"v": "x" * (MAX_BACKFILL_BYTES // 900)}
    await world.schedules.add(args(cron="* * * * *", input_data=large), schedule_id="s")
    with pytest.raises(InvalidScheduleError, match="at most 898 runs fit"):
        await world.runs.backfill("s", user_id="u1", begin="2026-11-20T00:00", end="2026-11-20T16:00")


async def test_history_is_paged_newest_first_and_shows_no_payload(world: World) -> None:
    """The last id of a page begins the next."""
    await world.runs.backfill("s", user_id="u1", **WINDOW)
    first = await world.runs.history(user_id="u1", limit=2)
    rest = await world.runs.history(user_id="u1", limit=2, before_id=first[-1].id)
    assert [info.scheduled_at[8:10] for info in first + rest] == ["22", "21", "20"]
    shown = first[0].model_dump()
    assert list(shown) == [
        *("id", "schedule_id", "graph_id", "scheduled_at", "claimed_at", "dispatched_at", "finished_at", "state"),
        *("attempts", "coalesced", "execution_id", "code", "error", "attempt_at", "idempotency_key"),
    ]
    assert (shown["schedule_id"], shown["graph_id"]) == ("s", "g1")
    assert shown["idempotency_key"] == "s:2026-11-22T09:00:00Z"


async def test_history_is_narrowed_to_a_schedule_and_to_states(world: World) -> None:
    """Both together, too."""
    await world.runs.run_now("s", user_id="u1")
    await world.schedules.add(args(), schedule_id="t")
    await world.runs.run_now("t", user_id="u1")
    await world.schedules.pause("t", user_id="u1")

    async def found(**which: Any) -> list[str]:
        return [info.schedule_id for info in await world.runs.history(user_id="u1", **which)]

    assert await found() == ["t", "s"]
    assert await found(schedule_id="s") == ["s"]
    assert await found(states=frozenset({FiringState.CANCELLED})) == ["t"]
    assert await found(schedule_id="s", states=frozenset({FiringState.CANCELLED})) == []
    assert await found(states=frozenset()) == []


async def test_a_schedule_that_is_gone_shows_its_firings_to_whose_they_were(world: World) -> None:
    """Nobody else learns that there was one, whoever takes the id after."""
    await world.runs.run_now("s", user_id="u1")
    await world.schedules.delete("s", user_id="u1")
    assert len(await world.runs.history(user_id="u1", schedule_id="s")) == 1
    assert await world.runs.history(user_id="u2", schedule_id="s") == []
    assert await world.runs.history(user_id="u2", schedule_id="never was") == []
    await world.schedules.add(args(user_id="u2"), schedule_id="s")
    assert await world.runs.history(user_id="u2", schedule_id="s") == []
    with pytest.raises(NotAuthorizedError):
        await world.runs.history(user_id="u1", schedule_id="s")


@pytest.mark.parametrize("which", [{"limit": 0}, {"limit": 1001}, {"schedule_id": "a\0b"}])
async def test_a_history_that_can_not_be_is_refused(world: World, which: dict[str, Any]) -> None:
    """With the bounds in words."""
    with pytest.raises(InvalidScheduleError):
        await world.runs.history(user_id="u1", **which)


@pytest.mark.parametrize("before_id", [0, -1, -(10**30), 10**30])
async def test_any_number_may_begin_a_page(world: World, before_id: int) -> None:
    """Numbers that no firing has are before or after all."""
    await world.runs.run_now("s", user_id="u1")
    assert len(await world.runs.history(user_id="u1", before_id=before_id)) == (before_id > 0)


async def test_text_that_no_user_has_has_no_history(world: World) -> None:
    """The ledger is not asked."""
    assert await world.runs.history(user_id="\ud800") == []


async def test_a_preview_says_when_and_what(world: World) -> None:
    """In the zone that is asked for, else the service's."""
    found = await world.runs.preview(cron="0 9 * * 1-5", user_timezone="Europe/Warsaw", count=2)
    assert found.times == ["2026-11-24T09:00:00+01:00", "2026-11-25T09:00:00+01:00"]
    assert (found.description, found.timezone) == ("At 09:00, from Monday to Friday", "Europe/Warsaw")
    assert found.notes == []
    assert (await world.runs.preview(cron="@daily")).timezone == "UTC"
    assert len((await world.runs.preview(cron="@daily")).times) == 5


async def test_a_preview_looks_from_a_moment_on(world: World) -> None:
    """Strictly after it; without an offset it is read in the zone."""
    found = await world.runs.preview(
        cron="0 9 * * *", user_timezone="Asia/Tokyo", count=1, after="2027-01-01T09:00"
    )
    assert found.times == ["2027-01-02T09:00:00+09:00"]


async def test_a_preview_can_look_as_far_as_times_go(world: World) -> None:
    """At the end of the calendar there are fewer runs, and no failure."""
    found = await world.runs.preview(
        cron="0 0 1 1 *", user_timezone="Europe/Warsaw", count=5, after="9997-12-31T23:59:59"
    )
    assert [run[:4] for run in found.times] == ["9998", "9999"]


async def test_a_schedules_own_preview_goes_by_its_trigger(world: World) -> None:
    """The stored fields are the truth, with its jitter, and a pause is told."""
    job = world.jobs.jobs["s"]
    world.jobs.jobs["s"] = replace(job, trigger=CronTrigger("Asia/Tokyo", "0", "10", day_of_week="tue"))
    found = await world.runs.preview(schedule_id="s", user_id="u1", count=1)
    assert found.times == ["2026-11-24T10:00:00+09:00"]
    assert (found.description, found.timezone, found.notes) == ("At 10:00, on Tuesdays", "Asia/Tokyo", [])
    await world.schedules.pause("s", user_id="u1")
    assert "paused" in (await world.runs.preview(schedule_id="s", user_id="u1")).notes[0]


async def test_a_preview_warns_of_the_clock(world: World) -> None:
    """What the next changes do to these runs, and only if they do."""
    found = await world.runs.preview(cron="30 2 * * *", user_timezone="Europe/Warsaw")
    assert found.notes == [
        "On 2027-03-28 the clock skips 02:00 to 03:00: runs within that come once, right after it",
        "On 2027-10-31 the clock shows 02:00 to 03:00 twice: runs within that run once, the first time",
    ]
    assert (await world.runs.preview(cron="30 4 * * *", user_timezone="Europe/Warsaw")).notes == []


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"cron": "0 9 * * *", "schedule_id": "s", "user_id": "u1"},
        {"schedule_id": "s"},
        {"schedule_id": "s", "user_id": "u1", "user_timezone": "UTC"},
        {"cron": "nonsense"},
        {"cron": "0 9 * * *", "user_timezone": "Mars/Olympus"},
        {"cron": "0 9 * * *", "count": 0},
        {"cron": "0 9 * * *", "count": 1001},
        {"cron": "0 9 * * *", "after": "later"},
    ],
)
async def test_a_preview_of_nothing_is_refused(world: World, what: dict[str, Any]) -> None:
    """In words."""
    with pytest.raises(InvalidScheduleError):
        await world.runs.preview(**what)
