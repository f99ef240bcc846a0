"""PostgreSQL that crashes, cuts connections, and answers with errors, in mid-rush."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.conftest import Start, together
from tests.chaos.ledger import add_up, await_settled, cursor_on, execute
from tests.chaos.receiver import ChaosReceiver
from tests.chaos.schedules import rush, ticking
from tests.postgres import SCHEMA, Server

_CUT = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'agpt-scheduler'
"""
_TABLES = ("apscheduler_jobs", "scheduler_firings", "scheduler_replicas")


def test_postgres_killed_several_times_in_mid_rush(start: Start, server: Server, receiver: ChaosReceiver) -> None:
    """SIGKILL of the whole server, three times: the same process goes on, loses nothing and repeats nothing."""
    url = server.new_database()
    service = start(url)
    receiver.delay_secs = 0.02
    planned = rush(url, 1200) | ticking(url, 10, ticks=6)
    for round_number in (1, 2, 3):
        receiver.wait_for_calls(250 * round_number)
        server.crash()
        server.start()
    await_settled(url)
    add_up(url, planned, receiver)
    service.wait_until_ready()
    assert service.stop() == 0


def test_postgres_away_for_longer_than_the_lease(start: Start, server: Server, receiver: ChaosReceiver) -> None:
    """Two replicas cut off for longer than a lease: neither takes from the other what it still has in hand."""
    url = server.new_database()
    services = together(start, 2, url)
    receiver.delay_secs = 0.2
    planned = rush(url, 1000) | ticking(url, 10, ticks=4)
    receiver.wait_for_calls(200)
    server.stop()
    assert not threading.Event().wait(2.5)  # a lease is two seconds: this is what the test is about
    server.start()
    await_settled(url)
    add_up(url, planned, receiver)
    for service in services:
        assert service.stop() == 0


def test_connections_cut_over_and_over(start: Start, database: str, receiver: ChaosReceiver) -> None:
    """Every connection is terminated every few calls, LISTEN's included; nothing is lost or repeated."""
    service = start(database)
    receiver.delay_secs = 0.01
    planned = rush(database, 1200) | ticking(database, 10, ticks=5)
    cut = 0
    for calls in range(100, 1200, 100):
        receiver.wait_for_calls(calls)
        with cursor_on(database) as cursor:
            cursor.execute(_CUT)
            cut += cursor.fetchone()[0]
    await_settled(database)
    add_up(database, planned, receiver)
    assert cut >= 10
    assert service.stop() == 0


def test_a_full_disk_is_waited_for(start: Start, database: str, receiver: ChaosReceiver) -> None:
    """While every write fails with "disk full" nothing moves; afterwards the rest comes, each once."""
    service = start(database)
    receiver.delay_secs = 0.01
    planned = rush(database, 600)
    receiver.wait_for_calls(200)
    with writes_failing(database, "53100"):
        late = rush(database, 100)
        assert not threading.Event().wait(1.0)  # let it meet the error a few times
        assert service.client.get("/health_check").json() == "OK"
    await_settled(database)
    add_up(database, planned | late, receiver)
    assert service.stop() == 0


def test_serialization_failures_are_repeated(start: Start, database: str, receiver: ChaosReceiver) -> None:
    """A write in three fails with a serialization error, in claims, outcomes and leases alike."""
    service = start(database)
    with writes_failing(database, "40001", share=0.3):
        planned = rush(database, 600) | ticking(database, 5, ticks=3)
        receiver.wait_for_calls(300)
    await_settled(database)
    add_up(database, planned, receiver)
    assert service.stop() == 0


@contextmanager
def writes_failing(url: str, sqlstate: str, *, share: float = 1.0) -> Iterator[None]:
    """Have a share of the statements that write to the tables fail as the database would."""
    function = f"{SCHEMA}.fail_for_a_test"
    execute(
        url,
        f"""
        CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF current_setting('application_name') = 'agpt-scheduler' AND random() < {share} THEN
                RAISE EXCEPTION USING ERRCODE = '{sqlstate}', MESSAGE = 'a test wants it so';
            END IF;
            RETURN NULL;
        END $$
        """,
    )
    for table in _TABLES:
        execute(
            url,
            f"CREATE TRIGGER fail_for_a_test BEFORE INSERT OR UPDATE OR DELETE ON {SCHEMA}.{table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {function}()",
        )
    yield
    execute(url, f"DROP FUNCTION {function} CASCADE")
