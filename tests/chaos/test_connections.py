"""The pool of connections when the server cuts them, at the worst moments."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection

from adapters.postgres.database import Database, Lane
from ports.errors import StoreUnavailable
from tests.chaos.ledger import cursor_on, eventually
from tests.postgres import SCHEMA

_POOL_SIZE = 3


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Database]:
    """Return a pool; a call that has to wait for a connection fails soon."""
    found = Database(database, schema=SCHEMA, pool_size=_POOL_SIZE, wait_secs=1.0)
    yield found
    assert found.in_use == 0
    await found.aclose()


def cut_after_statement(connection: Connection) -> None:
    """Do a statement's work, and have the server gone when the connection is given back."""
    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    url = connection.engine.url.render_as_string(hide_password=False)
    with cursor_on(url) as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))

    def gone() -> bool:
        with cursor_on(url) as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", (pid,))
            return bool(cursor.fetchone() == (0,))

    eventually(gone)


def ask(connection: Connection) -> int:
    """Ask something."""
    return int(connection.exec_driver_sql("SELECT 1").scalar_one())


@pytest.mark.parametrize("as_statement", [True, False])
async def test_a_connection_cut_while_in_use_leaves_its_place(pool: Database, *, as_statement: bool) -> None:
    """However often it happens, the pool is none the smaller."""
    run = pool.run_statement if as_statement else pool.run
    for _ in range(2 * _POOL_SIZE):
        for _ in range(2):
            await run(Lane.ENGINE, ask)  # a connection that has been used is not like a fresh one
        try:
            await run(Lane.ENGINE, cut_after_statement)
        except StoreUnavailable:
            assert not as_statement, "a statement that was answered has been done"
        assert pool.in_use == 0
    assert await run(Lane.ENGINE, ask) == 1


async def test_a_statement_alone_leaves_no_trace_on_its_connection(pool: Database) -> None:
    """What runs on the same connection next is a transaction again."""

    def write_and_fail(connection: Connection) -> None:
        connection.exec_driver_sql(f"INSERT INTO {SCHEMA}.scheduler_replicas VALUES ('r', 0, now(), 1)")
        raise KeyError

    await pool.run_statement(Lane.ENGINE, ask)
    with pytest.raises(KeyError):
        await pool.run(Lane.ENGINE, write_and_fail)
    count = f"SELECT count(*) FROM {SCHEMA}.scheduler_replicas"
    assert await pool.run(Lane.ENGINE, lambda connection: connection.exec_driver_sql(count).scalar_one()) == 0
