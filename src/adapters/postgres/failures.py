"""Database errors, told apart: what to repeat at once, what the port calls unavailable, what is a mistake."""

import psycopg2
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ports.errors import StoreUnavailable

_REPEAT = frozenset({"40001", "40P01"})  # serialization failure, deadlock
_BUSY = frozenset({"53300", "55P03", "57014"})  # too many connections, lock timeout, statement timeout
_CALLERS_CLASSES = frozenset({"22", "23"})  # data and constraint errors: a mistake here, not an outage


def is_conflict(error: Exception) -> bool:
    """Return whether the whole transaction is worth repeating at once."""
    return _sqlstate(error) in _REPEAT


def unavailable(error: Exception) -> StoreUnavailable | None:
    """Return what the port says of a database error; None for a mistake of the caller's own.

    Everything else counts as unavailable: a server that is away, full, read-only, without our tables or rights
    will be put right by somebody, and the service goes on then. The message holds the server's own sentence,
    never parameters, data or the URL.
    """
    if isinstance(error, PoolTimeoutError):
        return StoreUnavailable("no database connection became free in time", overloaded=True)
    sqlstate = _sqlstate(error)
    if sqlstate is not None and sqlstate[:2] in _CALLERS_CLASSES:
        return None
    suffix = f" ({sqlstate})" if sqlstate else ""
    return StoreUnavailable(f"database: {_sentence(error)}{suffix}", overloaded=sqlstate in _BUSY)


def may_be_shown(error: Exception) -> bool:
    """Return whether the error's own text is safe to chain: one with a position quotes the statement."""
    original = _original(error)
    return original is None or original.diag.statement_position is None


def _original(error: Exception) -> psycopg2.Error | None:
    found = error.orig if isinstance(error, DBAPIError) else error
    return found if isinstance(found, psycopg2.Error) else None


def _sqlstate(error: Exception) -> str | None:
    original = _original(error)
    return None if original is None else original.pgcode


def _sentence(error: Exception) -> str:
    original = _original(error)
    if original is None:
        return type(error).__name__
    text = original.diag.message_primary or str(original).strip()
    return text.splitlines()[0] if text else type(original).__name__


DATABASE_ERRORS = (SQLAlchemyError, psycopg2.Error)
"""What a piece of work in a connection may raise about the database."""
