"""Creating, checking and removing tables: run by hand or at start, never on the way of a request."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from sqlalchemy import Connection, NullPool, inspect, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.schema import CreateSchema

from adapters.postgres.connections import new_engine
from adapters.postgres.database import Database, Lane
from adapters.postgres.failures import DATABASE_ERRORS, may_be_shown, unavailable
from adapters.postgres.names import JOB_INDEX_STATE, MARKER, STOCK_TABLES, VERSION_TABLE, qualified
from ports.errors import StoreUnavailable
from ports.jobs import StoreName

logger = logging.getLogger(__name__)

_MIGRATIONS = str(Path(__file__).parent / "migrations")


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """What readiness asks. `migrated` is False while the database is away, too."""

    reachable: bool
    migrated: bool


def migrate(url: str, *, schema: str) -> None:
    """Bring the schema up to date: the platform's tables where they are missing, and our own.

    Replicas that start together take turns. One transaction: it happens as a whole or not at all.
    Raises StoreUnavailable. Blocks.
    """
    with _alone(url, schema) as connection:
        if not inspect(connection).has_schema(schema):
            connection.execute(CreateSchema(schema))
        for table in STOCK_TABLES.values():
            # The library's own definition, with the index names that come of it (compat/ddl.sql).
            store = SQLAlchemyJobStore(engine=connection.engine, tablename=table, tableschema=schema)
            store.jobs_t.create(connection, checkfirst=True)
        command.upgrade(_config(connection, schema), "head")
        _watch_writers(connection, schema)


def _watch_writers(connection: Connection, schema: str) -> None:
    """Have rows that others write marked, for the index (`index_keeper.py`); again where the table was made anew.

    The trigger first: making it waits for writers that are under way. What they wrote, and whatever is there
    already, is looked at by the backfill.
    """
    jobs = qualified(schema, STOCK_TABLES[StoreName.EXECUTION])
    names = {"jobs": jobs, "function": qualified(schema, MARKER), "state": qualified(schema, JOB_INDEX_STATE)}
    found = connection.exec_driver_sql(_HAS_TRIGGER, {"jobs": jobs.replace("%%", "%"), "name": MARKER}).first()
    if found is None:
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(_TRIGGER.format_map(names))
        except ProgrammingError:
            # The table is somebody else's and we may not. Rows of others are then found by the hourly sweep.
            logger.warning("no right to put a trigger on %s: rows of others are noticed late", jobs)
        connection.exec_driver_sql(_BACKFILL_ANEW.format_map(names))


_HAS_TRIGGER = "SELECT FROM pg_trigger WHERE tgrelid = %(jobs)s::regclass AND tgname = %(name)s"
# For this service's own writes, which keep the index themselves, it is one comparison.
_TRIGGER = """
    CREATE TRIGGER scheduler_mark_job AFTER INSERT OR UPDATE ON {jobs} FOR EACH ROW
    WHEN (coalesce(current_setting('agpt_scheduler.writer', true), '') <> 'own') EXECUTE FUNCTION {function}()
"""
_BACKFILL_ANEW = "UPDATE {state} SET position = '', complete = NOT EXISTS (SELECT FROM {jobs})"


def uninstall(url: str, *, schema: str) -> None:
    """Remove every trace of this service but the schedules themselves, which stay as APScheduler has them.

    Stop every replica first. Repeating it does nothing. Raises StoreUnavailable. Blocks.
    """
    with _alone(url, schema) as connection:
        if inspect(connection).has_table(VERSION_TABLE, schema=schema):
            command.downgrade(_config(connection, schema), "base")
            connection.exec_driver_sql(f"DROP TABLE {qualified(schema, VERSION_TABLE)}")


async def status(database: Database) -> DatabaseStatus:
    """Return whether the database answers and has our tables in this version's shape."""

    def look(connection: Connection) -> bool:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "version_table_schema": database.schema}
        )
        return set(context.get_current_heads()) == set(_scripts(database.schema).get_heads())

    try:
        return DatabaseStatus(reachable=True, migrated=await database.run(Lane.RPC, look))
    except StoreUnavailable as error:
        return DatabaseStatus(reachable=error.overloaded, migrated=error.overloaded)


@contextmanager
def _alone(url: str, schema: str) -> Iterator[Connection]:
    """Yield a connection in a transaction of which there is one at a time for this schema."""
    engine = new_engine(url, unlimited=True, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
                {"name": f"agpt-scheduler {schema}"},
            )
            yield connection
    except DATABASE_ERRORS as error:
        translated = unavailable(error)
        if translated is None:
            raise
        raise translated from (error if may_be_shown(error) else None)
    finally:
        engine.dispose()


def _config(connection: Connection | None, schema: str) -> Config:
    config = Config()
    config.set_main_option("script_location", _MIGRATIONS.replace("%", "%%"))
    config.attributes.update(connection=connection, schema=schema)
    return config


def _scripts(schema: str) -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(None, schema))
