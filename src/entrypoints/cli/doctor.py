"""`doctor`: what is wrong, and what to do about it."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.connection import AsJson, Url, client_settings
from entrypoints.cli.output import Column, print_json, print_table, progress, say
from entrypoints.cli.statuses import Status

if TYPE_CHECKING:
    from entrypoints.doctor import Finding

_SHOWN_ITEMS = 5


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what reads every row.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Look for what is wrong: settings, database, clock, neighbours, rows, triggers, firings. Nothing is changed.

    It works on the database of DIRECT_URL, or on the private one in SCHEDULER_DATA_DIR, with the settings that
    `serve` would have. Status 1 if something is wrong; what is only worth knowing is noted.

    **Examples**

    - `agpt-scheduler doctor`

    - `agpt-scheduler doctor --json | jq -r '.[] | select(.level == "wrong") | .says'`
    """
    from entrypoints.databases import opened  # noqa: PLC0415  keeps the other commands quick
    from entrypoints.doctor import Finding, Level, examine  # noqa: PLC0415
    from entrypoints.errors import StartError  # noqa: PLC0415
    from entrypoints.settings import Settings  # noqa: PLC0415

    async def look() -> list[Finding]:
        settings = Settings.load()
        where = client_settings(url, None).url
        if settings.embedded and not (settings.scheduler_data_dir / "postgres").exists():
            says = f"No DIRECT_URL is set, and there is no private database in {settings.scheduler_data_dir} yet"
            return [Finding("database", Level.WRONG, says, "Set DIRECT_URL, or stand where `serve` was started.")]
        with opened(settings) as database, progress("Reading schedules", None) as advance:
            return [
                finding
                async for finding in examine(settings, database, service_url=where, quick=quick, looked_at=advance)
            ]

    try:
        findings = asyncio.run(look())
    except StartError as error:
        findings = [
            Finding("settings", Level.WRONG, str(error), "Set it right: see `agpt-scheduler serve --help`.")
        ]
    wrong = sum(finding.level is Level.WRONG for finding in findings)
    if as_json:
        print_json(
            [
                {
                    "check": finding.check,
                    "level": finding.level,
                    "says": finding.says,
                    "advice": finding.advice,
                    "items": finding.items,
                }
                for finding in findings
            ]
        )
    else:
        _print(findings, wrong)
    if wrong:
        raise typer.Exit(Status.WRONG)


def _print(findings: "list[Finding]", wrong: int) -> None:
    rows: list[tuple[str, str, str]] = []
    for finding in findings:
        rows.append((str(finding.level), finding.check, finding.says))
        rows += [("", "", f"- {item}") for item in finding.items[:_SHOWN_ITEMS]]
        if len(finding.items) > _SHOWN_ITEMS:
            rows.append(("", "", f"- and {len(finding.items) - _SHOWN_ITEMS} more (--json shows them)"))
        if finding.advice:
            rows.append(("", "", f"-> {finding.advice}"))
    print_table([Column(""), Column(""), Column("")], rows, header=False)
    say(f"{wrong} wrong" if wrong else "Nothing is wrong", style="bold red" if wrong else "bold green")
