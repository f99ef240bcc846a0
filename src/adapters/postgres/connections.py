"""Engines of SQLAlchemy's over psycopg2, set up for a service that outlives its database."""

import hashlib
import select
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import InvalidatePoolError

_CONNECT_ARGS: dict[str, Any] = {
    "application_name": "agpt-scheduler",
    "connect_timeout": 5,
    # A peer that vanished without a word is noticed within half a minute.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
# `writer` tells the trigger on the platform's table that the index is kept by the writer itself (migration 0001).
# Due times have microseconds, of which a server that was told to write short numbers tells five digits.
_COMMON = "SET TIME ZONE 'UTC'; SET extra_float_digits = 1; SET agpt_scheduler.writer = 'own'"
# Every statement here reads along an index. Left alone, the planner takes tables that have just grown for small
# ones, until they are analysed, and scans them for each batch: a tenth of the speed.
_SESSION = (
    _COMMON + "; SET statement_timeout = '30s'; SET lock_timeout = '5s';"
    " SET idle_in_transaction_session_timeout = '{idle_ms}ms';"
    " SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off; SET jit = off"
)
_UNLIMITED = f"{_COMMON}; SET lock_timeout = '60s'"


def new_engine(url: str, *, unlimited: bool = False, idle_secs: float = 15.0, **pool: Any) -> Engine:
    """Return an engine for a `postgresql+psycopg2://` URL; `pool` goes to SQLAlchemy.

    What the URL's query says about a connection counts more than the defaults here. Sessions are in UTC and
    bounded in time, but for `unlimited` ones, which migrations need; the server ends one that stands still in a
    transaction for `idle_secs`. Errors never carry parameters.
    """
    parsed = make_url(url)
    engine = create_engine(
        parsed,
        hide_parameters=True,
        use_native_hstore=False,  # looking for it costs a round trip on each connection
        connect_args={name: value for name, value in _CONNECT_ARGS.items() if name not in parsed.query},
        **pool,
    )
    settings = _UNLIMITED if unlimited else _SESSION.format(idle_ms=round(1000 * idle_secs))
    event.listen(engine, "connect", _session_starter(settings))
    event.listen(engine, "checkout", _refuse_dead)
    return engine


def _session_starter(settings: str) -> Callable[[Any, Any], None]:
    def start(connection: Any, record: Any) -> None:
        del record
        with connection.cursor() as cursor:
            cursor.execute(settings)
        connection.commit()

    return start


def _refuse_dead(connection: Any, record: Any, proxy: Any) -> None:
    """Have the pool open a new connection for one whose server has gone.

    A server has nothing to say to an idle connection but goodbye, so a socket with something to read is enough
    to know, and costs no round trip as SQLAlchemy's own check would. Connections of the same age go with it.
    """
    del record, proxy
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    if poller.poll(0):
        raise InvalidatePoolError


def channel(schema: str) -> str:
    """Return the name of the LISTEN/NOTIFY channel that replicas on one schema share."""
    return f"agpt_scheduler_{hashlib.sha256(schema.encode()).hexdigest()[:16]}"
