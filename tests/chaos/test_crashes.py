"""Replicas that die or stand still in mid-rush."""

import signal
import time

from tests.chaos.conftest import Start, together
from tests.chaos.ledger import add_up, await_settled, cursor_on, eventually, execute, firings
from tests.chaos.receiver import ChaosReceiver
from tests.chaos.schedules import rush, ticking
from tests.postgres import SCHEMA

LEASE_SECS = 2.0
PER_KILL = 200
"""Dispatches that a kill may repeat: 100 in flight, and what was answered but not recorded (design.md 6)."""


def test_a_kill_in_mid_rush_loses_nothing(start: Start, database: str, receiver: ChaosReceiver) -> None:
    """Kill -9 of the only replica, three times over; each restart goes on where the last one died."""
    service = start(database)
    receiver.delay_secs = 0.02
    planned = rush(database, 1200)
    for round_number in (1, 2, 3):
        receiver.wait_for_calls(250 * round_number)
        service.kill()
        service = start(database)
    await_settled(database)
    add_up(database, planned, receiver, unrecorded=3 * PER_KILL)
    assert service.stop() == 0


def test_the_other_replica_takes_over_within_the_lease(
    start: Start, database: str, receiver: ChaosReceiver
) -> None:
    """Kill -9 of one of two replicas in mid-rush: the other does its share too, within a lease."""
    victim, other = together(start, 2, database)
    receiver.delay_secs = 0.05
    planned = rush(database, 1200) | ticking(database, 20, ticks=4)
    receiver.wait_for_calls(300)
    victim.kill()
    killed_at = time.monotonic()
    eventually(lambda: any("stopped beating" in line["event"] for line in other.lines()), LEASE_SECS + 3)
    await_settled(database)
    add_up(database, planned, receiver, unrecorded=PER_KILL)
    # What was the victim's is freed a lease after its last beat, and the rest has gone on meanwhile.
    assert time.monotonic() - killed_at < 4 + LEASE_SECS + 5
    assert other.stop() == 0


def test_a_replica_that_was_paused_past_its_lease_overwrites_nothing(
    start: Start, database: str, receiver: ChaosReceiver
) -> None:
    """SIGSTOP past the lease, then SIGCONT: what the other replica recorded stays, and both go on."""
    paused = start(database)
    receiver.delay_secs = 0.5
    planned = rush(database, 300)
    receiver.wait_for_calls(60)
    paused.process.send_signal(signal.SIGSTOP)
    receiver.delay_secs = 0.01
    other = start(database)
    await_settled(database)
    before = firings(database)
    # The answers to what was in flight wait in the paused replica's sockets: it will want to record them.
    paused.process.send_signal(signal.SIGCONT)
    eventually(lambda: any("lease lost" in line["event"] for line in paused.lines()), about=paused.log.read_text)
    more = rush(database, 300)
    await_settled(database)
    assert [row for row in firings(database) if row.job_id in planned.due_times] == before
    add_up(database, planned | more, receiver, unrecorded=PER_KILL)
    assert paused.stop() == 0
    assert other.stop() == 0


def test_a_replica_that_was_paused_in_mid_claim_holds_nothing_up(
    start: Start, database: str, receiver: ChaosReceiver
) -> None:
    """SIGSTOP inside the claim's transaction: its rows are locked, but not for longer than its lease."""
    execute(database, _SLEEP_IN_FIRST_CLAIM)
    paused = start(database)
    planned = rush(database, 300)
    eventually(lambda: asleep(database))
    paused.process.send_signal(signal.SIGSTOP)
    other = start(database)
    await_settled(database)
    assert add_up(database, planned, receiver).unrecorded == 0
    paused.process.send_signal(signal.SIGCONT)
    more = rush(database, 300)
    await_settled(database)
    add_up(database, planned | more, receiver)
    assert paused.stop() == 0
    assert other.stop() == 0


_SLEEP_IN_FIRST_CLAIM = f"""
    CREATE SEQUENCE {SCHEMA}.claims_of_a_test;
    CREATE FUNCTION {SCHEMA}.sleep_for_a_test() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('{SCHEMA}.claims_of_a_test') = 1 THEN PERFORM pg_sleep(0.5); END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER sleep_for_a_test AFTER INSERT ON {SCHEMA}.scheduler_firings
        FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.sleep_for_a_test()
"""


def asleep(url: str) -> bool:
    """Whether a claim sleeps, as `_SLEEP_IN_FIRST_CLAIM` has it."""
    with cursor_on(url) as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])


def test_a_graceful_stop_in_mid_rush_repeats_nothing(start: Start, database: str, receiver: ChaosReceiver) -> None:
    """A deployment that stops one replica and starts the next costs no firing and doubles none."""
    old = start(database)
    receiver.delay_secs = 0.05
    planned = rush(database, 1000)
    receiver.wait_for_calls(300)
    new = start(database)
    assert old.stop() == 0
    await_settled(database)
    add_up(database, planned, receiver)
    assert new.stop() == 0
