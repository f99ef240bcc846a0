"""The coming load and what happened lately, over the fakes."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.memory.clock import SettableClock
from adapters.memory.firings import MemoryFiringLedger
from adapters.memory.jobs import MemoryJobStore
from adapters.memory.overview import MemoryOverview
from domain.cron import parse_cron
from domain.fire_times import fire_times_between
from domain.lookout.coming import ComingLoad, coming_load
from domain.lookout.recent import Slot, recent
from ports.firings import FiringState
from ports.jobs import StoreName
from ports.triggers import CronTrigger, DateTrigger, IntervalTrigger, Trigger
from tests.contract.worlds import HOUR, NOW, a_job, new_firing, outcome

MINUTE = timedelta(minutes=1)
AT = NOW + 12 * MINUTE + timedelta(seconds=30)


class Lately:
    """A store with a ledger, and the figures over them."""

    def __init__(self) -> None:
        self.clock = SettableClock(AT)
        self.ledger = MemoryFiringLedger(self.clock)
        self.jobs = MemoryJobStore(StoreName.EXECUTION, ledger=self.ledger)
        self.overview = MemoryOverview(self.jobs, ledger=self.ledger, clock=self.clock)

    async def load(self, *triggers: tuple[Trigger, datetime | None]) -> ComingLoad:
        """Store a schedule for each trigger and next run, and return the load."""
        for number, (trigger, due) in enumerate(triggers):
            await self.jobs.put(replace(a_job(f"job{number}", due=due), trigger=trigger))
        return await coming_load(self.overview, AT)

    async def fire(self, job_id: str, state: FiringState, *, at: datetime, lag: timedelta, **more: Any) -> None:
        """Record a firing that was claimed when due, and what became of it."""
        self.ledger.replicas["one"] = 0
        self.clock.moment = at
        (firing,) = self.ledger.insert([new_firing(job_id, at=at)], store="execution", owner="one")
        told = replace(outcome(firing, state, **more), dispatched_at=at + lag, finished_at=at + lag)
        await self.ledger.settle([told], owner="one")
        self.ledger.entries[firing.id].owner = "one"


@pytest.fixture
def lately() -> Lately:
    """Return it, empty."""
    return Lately()


@pytest.mark.parametrize(
    "trigger",
    [
        parse_cron("*/20 * * * *", timezone="UTC"),
        parse_cron("0 9 * * 1-5", timezone="America/New_York"),
        IntervalTrigger(interval=17 * MINUTE, start_at=NOW - HOUR, timezone="UTC"),
        IntervalTrigger(interval=17 * MINUTE, start_at=NOW, timezone="UTC", end_at=NOW + 5 * HOUR),
        IntervalTrigger(interval=17 * MINUTE, start_at=NOW + 50 * HOUR, timezone="UTC"),
        DateTrigger(run_at=NOW + 30 * HOUR),
    ],
)
async def test_the_load_is_that_of_the_trigger(lately: Lately, trigger: Trigger) -> None:
    """By hour for a week and by minute for an hour, as the trigger's own fire times fall."""
    week_end = NOW + 168 * HOUR
    times = fire_times_between(trigger, AT, week_end, limit=10_000)
    load = await lately.load((trigger, times[0]))
    assert load.first_hour == NOW
    assert load.first_minute == NOW + 12 * MINUTE
    hours, minutes = [0] * 168, [0] * 60
    for time in times:
        hours[(time - NOW) // HOUR] += 1
        minute = (time - load.first_minute) // MINUTE
        if minute < 60:
            minutes[minute] += 1
    assert (list(load.hours), list(load.minutes)) == (hours, minutes)


async def test_schedules_that_share_a_trigger_add_up_and_paused_ones_do_not_run(lately: Lately) -> None:
    """They are counted all the same."""
    daily: CronTrigger = parse_cron("0 18 * * *", timezone="UTC")
    due = NOW + 6 * HOUR
    load = await lately.load((daily, due), (daily, due), (daily, None))
    assert (load.hours[6], load.hours[30], sum(load.hours)) == (2, 2, 14)
    assert (load.active, load.paused, load.total) == (2, 1, 3)


async def test_what_is_overdue_fires_now_and_once(lately: Lately) -> None:
    """After a downtime of hours."""
    load = await lately.load((parse_cron("0 * * * *", timezone="UTC"), NOW - 5 * HOUR))
    assert (load.hours[0], load.hours[1], load.minutes[0], load.minutes[48]) == (1, 1, 1, 1)


async def test_a_next_run_that_somebody_put_off_counts(lately: Lately) -> None:
    """What the trigger would do before it does not."""
    load = await lately.load((parse_cron("0 * * * *", timezone="UTC"), NOW + 10 * HOUR))
    assert (sum(load.hours[:10]), load.hours[10]) == (0, 1)


async def test_firings_fall_into_minutes_and_quarters(lately: Lately) -> None:
    """Older ones are left out; each replica's share is that of the hour."""
    ms = timedelta(milliseconds=1)
    await lately.fire("old", FiringState.SUCCEEDED, at=AT - timedelta(days=2), lag=ms)
    await lately.fire("yesterday", FiringState.DEAD, at=AT - 20 * HOUR, lag=ms)
    await lately.fire("a", FiringState.FAILED, at=AT - 10 * MINUTE, lag=80 * ms)
    await lately.fire("b", FiringState.SUCCEEDED, at=AT, lag=20 * ms)
    await lately.fire("c", FiringState.SUCCEEDED, at=AT, lag=300 * ms)
    found = await recent(lately.overview, AT)
    assert (len(found.hour), len(found.day)) == (60, 96)
    last = found.hour[-1]
    assert (last.begins_at, last.outcomes) == (AT.replace(second=0), {FiringState.SUCCEEDED: 2})
    assert (last.lag(0.5), last.lag(0.99)) == (0.025, 0.5)
    assert found.hour[-11].outcomes == {FiringState.FAILED: 1}
    assert sum(slot.total for slot in found.hour) == 3
    assert sum(slot.total for slot in found.day) == 4
    assert found.shares == {"one": 3}


async def test_retries_have_no_lag(lately: Lately) -> None:
    """When the first attempt was made is not kept."""
    await lately.fire("a", FiringState.WAITING, at=AT, lag=MINUTE, attempts=1, attempt_at=AT)
    entry = lately.ledger.entries[1]
    entry.record = replace(entry.record, attempts=2)
    found = await recent(lately.overview, AT)
    assert (found.hour[-1].total, found.hour[-1].lag(0.5)) == (1, None)


def test_a_lag_beyond_every_step_is_at_least_the_last() -> None:
    """It has no end that could be named."""
    slot = Slot(NOW)
    slot.lags[15] = 1
    assert slot.lag(0.5) == 3600.0
