"""What may be wrong with an installation, looked at one thing after the other: nothing is changed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime

from dependency_injector import providers

from entrypoints.container import Container
from entrypoints.database_url import DatabaseUrl
from entrypoints.doctor.configuration import look_at_settings
from entrypoints.doctor.database import look_at_clock, look_at_database
from entrypoints.doctor.findings import Finding, Level, well
from entrypoints.doctor.firing import look_at_firing
from entrypoints.doctor.neighbours import Look, look_at_neighbours, look_at_service
from entrypoints.doctor.rows import look_at_rows, look_at_triggers
from entrypoints.settings import Settings
from ports.errors import StoreUnavailable

__all__ = ["Finding", "Level", "examine"]


async def examine(
    settings: Settings,
    database_url: DatabaseUrl,
    *,
    service_url: str,
    quick: bool,
    looked_at: Callable[[], None],
) -> AsyncIterator[Finding]:
    """Yield what is found. `quick` leaves out what reads every row; `looked_at` is called for each schedule."""
    for finding in look_at_settings(settings):
        yield finding
    service = await look_at_service(service_url)
    for look in service:
        yield _finding(look, Level.WRONG if look.reached else Level.NOTE)
    for look in await look_at_neighbours(settings):
        # Who tries the service out has no platform around it, but means the receiver that they chose.
        yield _finding(look, Level.NOTE if settings.embedded and not look.receiver else Level.WRONG)
    container = Container(settings=providers.Object(settings))
    container.database_url.override(providers.Object(database_url))
    try:
        service_runs = any(look.reached for look in service)
        async for finding in _inside(
            container, database_url, service_runs=service_runs, quick=quick, looked_at=looked_at
        ):
            yield finding
    except StoreUnavailable as error:
        advice = "See that PostgreSQL runs and DIRECT_URL names it; the service goes on by itself when it is back."
        yield Finding("database", Level.WRONG, str(error), advice)
    finally:
        await _close(container)


async def _inside(
    container: Container,
    database_url: DatabaseUrl,
    *,
    service_runs: bool,
    quick: bool,
    looked_at: Callable[[], None],
) -> AsyncIterator[Finding]:
    """Look at what is in the database."""
    asked = datetime.now(UTC)
    seen = await container.tables().inspect()
    yield look_at_clock(seen.now, asked, datetime.now(UTC))
    for finding in look_at_database(database_url, seen):
        yield finding
    if seen.missing_tables:
        return
    if not quick:
        schedules = container.executions_store()
        for finding in await look_at_rows([schedules, container.batches_store()]):
            yield finding
        dialect = container.settings().scheduler_cron_dialect
        async for finding in look_at_triggers(schedules, dialect=dialect, looked_at=looked_at):
            yield finding
    if seen.migrated:
        for finding in await look_at_firing(container, seen, service_runs=service_runs):
            yield finding


def _finding(look: Look, level: Level) -> Finding:
    if look.well:
        return well(look.what, look.says)
    return Finding(look.what, level, look.says, look.advice)


async def _close(container: Container) -> None:
    for part in (container.dispatch, container.database_manager, container.notification_manager):
        with suppress(Exception):  # a setting that keeps a part from being made has been told
            await getattr(part(), "aclose", _nothing)()
    await container.database().aclose()


async def _nothing() -> None:
    await asyncio.sleep(0)
