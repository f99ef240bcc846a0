"""Jitter as the engine has it: a fixed delay after each time of the trigger."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.cron import parse_cron
from domain.fire_times import latest_fire_time, next_fire_time, on_phase, phase_of
from domain.firing.plan import firing_plan
from domain.timing import bounded
from ports.triggers import CronTrigger

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ZONES = st.sampled_from(["UTC", "Europe/Warsaw", "America/New_York"])
CRONS = st.sampled_from(["*/5 * * * *", "0 9 * * *", "30 2 * * *", "0 9 13 * 5", "0 0 1 * *"])
JITTERS = st.integers(1, 86_400)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def spread(cron: str, jitter_secs: int, *, timezone: str = "UTC", schedule_id: str = "s") -> CronTrigger:
    """Return a trigger with jitter."""
    trigger = parse_cron(cron, timezone=timezone)
    return bounded(trigger, schedule_id=schedule_id, start_at=None, end_at=None, jitter_secs=jitter_secs)


@given(cron=CRONS, timezone=ZONES, jitter=JITTERS, after=MOMENTS, schedule_id=st.text(min_size=1, max_size=9))
def test_runs_are_those_without_jitter_each_later_by_the_same(
    cron: str, timezone: str, jitter: int, after: datetime, schedule_id: str
) -> None:
    """Whatever the window, the zone and the clock's changes."""
    plain = parse_cron(cron, timezone=timezone)
    schedule_id = schedule_id.encode(errors="replace").decode()
    trigger = spread(cron, jitter, timezone=timezone, schedule_id=schedule_id)
    phase = phase_of(trigger)
    assert timedelta(0) < phase < timedelta(seconds=jitter)
    expected = next_fire_time(plain, after - phase)
    found = next_fire_time(trigger, after)
    assert expected is not None
    assert found is not None
    assert found.astimezone(UTC) == expected.astimezone(UTC) + phase
    assert found > after
    assert found.tzinfo == expected.tzinfo


@given(
    cron=CRONS, timezone=ZONES, jitter=JITTERS, begin=MOMENTS, downtime=st.timedeltas(timedelta(0), timedelta(9))
)
def test_a_claim_after_a_downtime_folds_as_many_as_without_jitter(
    cron: str, timezone: str, jitter: int, begin: datetime, downtime: timedelta
) -> None:
    """The latest fires, the earlier ones count, and the next comes after now."""
    plain, trigger = parse_cron(cron, timezone=timezone), spread(cron, jitter, timezone=timezone)
    phase = phase_of(trigger)
    due = next_fire_time(trigger, begin)
    assert due is not None
    now = due + downtime
    latest, folded = latest_fire_time(trigger, due, now)
    nominal = due.astimezone(UTC) - phase
    expected, expected_folded = latest_fire_time(plain, nominal, now.astimezone(UTC) - phase)
    assert (latest.astimezone(UTC), folded) == (expected.astimezone(UTC) + phase, expected_folded)
    advance = firing_plan(None)(trigger, due, now)
    assert advance.next_run_at is not None
    assert advance.next_run_at > now
    assert advance.next_run_at == next_fire_time(trigger, now)


@given(cron=CRONS, jitter=st.integers(1, 299), share=st.integers(0, 999_999), begin=MOMENTS)
def test_what_stock_apscheduler_drew_by_lot_fires_once_and_the_next_is_ours(
    cron: str, jitter: int, share: int, begin: datetime
) -> None:
    """Coming back from it, no due time fires twice and none is lost."""
    plain, trigger = parse_cron(cron, timezone="UTC"), spread(cron, jitter)
    nominal = next_fire_time(plain, begin)
    assert nominal is not None
    drawn = nominal + timedelta(microseconds=jitter * share)
    advance = firing_plan(None)(trigger, drawn, drawn)
    following = next_fire_time(plain, nominal)
    assert following is not None
    assert (advance.scheduled_at, advance.coalesced) == (drawn, 0)
    assert advance.next_run_at == following + phase_of(trigger)


def test_a_due_time_of_nobodys_making_stays_as_it_is() -> None:
    """An operator may have set it; the next is the trigger's again."""
    trigger = spread("0 9 * * *", 60)
    assert on_phase(trigger, NOON) == NOON
    assert on_phase(CronTrigger("UTC"), NOON) == NOON
    advance = firing_plan(None)(trigger, NOON, NOON + MINUTE)
    assert advance.scheduled_at == NOON
    assert advance.next_run_at == datetime(2026, 11, 25, 9, tzinfo=UTC) + phase_of(trigger)


def test_schedules_spread_over_the_window() -> None:
    """A hundred of them are early and late alike."""
    phases = [phase_of(spread("0 9 * * *", 100, schedule_id=f"{n}")) for n in range(100)]
    tenths = {phase // timedelta(seconds=10) for phase in phases}
    assert tenths == set(range(10))
    assert len(set(phases)) == 100
