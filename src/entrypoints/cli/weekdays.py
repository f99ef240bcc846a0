"""`migrate-weekdays`: schedules of the original's whose numeric weekdays fire a day late."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.connection import AsJson
from entrypoints.cli.output import Column, complain, print_json, print_table, progress, say, when

if TYPE_CHECKING:
    from domain.weekdays import WeekdayChange


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("migrate-weekdays")(migrate_weekdays)


def migrate_weekdays(
    *,
    user: Annotated[str | None, typer.Option("--user", "-u", help="Whose; default everybody's.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Change them; otherwise they are only listed.")] = False,
    revert: Annotated[
        bool, typer.Option("--revert", help="Put back what --apply changed, unless its user changed it since.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List schedules that the original stored with numbers for weekdays, and so fires a day late; set them right.

    The original takes 0 for Monday, standard cron for Sunday, and stored schedules go on as they were stored. Where
    day-of-month is given as well, standard cron's rule comes too: either may match. What is changed is noted with
    the schedule and can be put back. Works on the database of DIRECT_URL; the service may run meanwhile.

    **Examples**

    - `agpt-scheduler migrate-weekdays`

    - `agpt-scheduler migrate-weekdays -u me --apply`

    - `agpt-scheduler migrate-weekdays --revert --apply`
    """
    from dependency_injector import providers  # noqa: PLC0415  keeps the other commands quick

    from domain.weekdays import WeekdayChange, WeekdayMigration  # noqa: PLC0415
    from entrypoints.container import Container  # noqa: PLC0415
    from entrypoints.databases import opened  # noqa: PLC0415
    from entrypoints.errors import StartError  # noqa: PLC0415
    from entrypoints.settings import Settings  # noqa: PLC0415

    async def migrate() -> tuple[list[WeekdayChange], set[str]]:
        settings = Settings.load()
        with opened(settings) as database_url:
            container = Container(settings=providers.Object(settings))
            container.database_url.override(providers.Object(database_url))
            migration = WeekdayMigration(jobs=container.executions_store(), clock=container.clock(), back=revert)
            try:
                if not (await container.tables().inspect()).migrated:
                    raise StartError(
                        f"{database_url.display} lacks this release's tables: start `serve` once, or see `doctor`"
                    )
                with progress("Reading schedules", None) as advance:
                    found = [change async for change in migration.find(user_id=user, looked_at=advance)]
                changed: set[str] = set()
                with progress("Changing schedules", len(found)) as advance:
                    for change in found if apply else ():
                        if await migration.apply(change.id):
                            changed.add(change.id)
                        advance()
            finally:
                await container.database().aclose()
        return found, changed

    found, changed = asyncio.run(migrate())
    if as_json:
        print_json([_as_json(change, changed=change.id in changed) for change in found])
        return
    if not found:
        complain(
            "no schedule was changed by --apply" if revert else "no schedule fires a day late for its weekdays"
        )
        return
    columns = [
        Column("ID"),
        *([] if user else [Column("USER", cut=True)]),
        Column("CRON"),
        Column("STORED: NEXT"),
        Column("AS IT WAS: NEXT" if revert else "INTENDED: NEXT"),
        Column("NOTE"),
    ]
    print_table(columns, [_cells(change, with_user=not user) for change in found])
    if apply:
        say(f"Put back: {len(changed)}" if revert else f"Changed: {len(changed)}; --revert --apply puts them back")
    else:
        say(f"Schedules: {len(found)}; --apply {'puts them back' if revert else 'changes them'}")


def _cells(change: "WeekdayChange", *, with_user: bool) -> list[str]:
    notes = [
        "paused" if change.paused else "",
        "both days given: either may match" if change.either_day else "",
    ]
    return [
        change.id,
        *([change.user_id] if with_user else []),
        change.cron,
        when(change.stored[0]) if change.stored else "never",
        when(change.intended[0]) if change.intended else "never",
        "; ".join(note for note in notes if note),
    ]


def _as_json(change: "WeekdayChange", *, changed: bool) -> dict[str, object]:
    return {
        "id": change.id,
        "user_id": change.user_id,
        "name": change.name,
        "cron": change.cron,
        "paused": change.paused,
        "stored_next_runs": [moment.isoformat() for moment in change.stored],
        "intended_next_runs": [moment.isoformat() for moment in change.intended],
        "either_day": change.either_day,
        "changed": changed,
    }
