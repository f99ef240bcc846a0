"""Results for the terminal and for RESULTS.md."""

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.bench import Section
from benchmarks.server import Server, query

FOLDER = Path(__file__).parent
PICTURE = "lag.svg"


def show(console: Console, section: Section) -> None:
    """Print a section."""
    table = Table(*section.columns, title=section.title, title_justify="left")
    for row in section.rows:
        table.add_row(*row)
    console.print(table)
    if section.note:
        console.print(section.note, style="dim")


def machine(server: Server) -> str:
    """Describe what everything ran on, without its name."""
    found = re.search(r"model name\s*: (.*)", _read("/proc/cpuinfo"))
    memory = psutil.virtual_memory().total / 2**30
    (server_version,) = query(server.url, "SHOW server_version")[0]
    return (
        f"{os.cpu_count()} cores ({found[1] if found else platform.machine()}), {memory:.0f} GiB,"
        f" {platform.system()} {platform.release().partition('-')[0]}; Python {platform.python_version()}"
        f" (built {platform.python_build()[1]} by {platform.python_compiler()}),"
        f" PostgreSQL {server_version} as it comes, on the same machine; APScheduler {version('apscheduler')},"
        f" psycopg2 {version('psycopg2-binary')}"
    )


def write(sections: Sequence[Section], *, about: str, runs: int) -> None:
    """Write RESULTS.md."""
    lines = [
        "# Results",
        "",
        f"Written by `python -m benchmarks --write` on {datetime.now(UTC):%Y-%m-%d}; medians of {runs} where a",
        "scenario was repeated.",
        "",
        f"Machine: {about}.",
        "",
        f"![Lag]({PICTURE})",
    ]
    for section in sections:
        lines += ["", f"## {section.title}", ""]
        lines += [_line(section.columns), _line(["---"] * len(section.columns))]
        lines += [_line(row) for row in section.rows]
        if section.note:
            lines += ["", section.note]
    (FOLDER / "RESULTS.md").write_text("\n".join(lines) + "\n")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
