"""What commands print: tables for people, JSON for scripts, progress on the side."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

T = TypeVar("T")

_UNLIMITED = 1_000_000
_GAP = 2
_NARROW = 6
_FOLDED = 10
_STYLES = {
    "succeeded": "green",
    "ok": "green",
    "note": "yellow",
    "leased": "cyan",
    "waiting": "yellow",
    "held": "yellow",
    "paused": "yellow",
    "failed": "red",
    "dead": "red",
    "wrong": "red",
    "dropped": "red",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column. One that may be `cut` ends in an ellipsis where the terminal is narrow; others fold."""

    title: str
    cut: bool = False
    align: Literal["left", "right"] = "left"


def print_json(value: Any) -> None:
    """Print a value as JSON, schedules and the like as their fields."""
    typer.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))


def print_json_line(value: Any) -> None:
    """Print a value as one line of JSON, at once."""
    typer.echo(json.dumps(plain(value), ensure_ascii=False))
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """Return what JSON can hold."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, header: bool = True) -> None:
    """Print rows under their titles: within a terminal's width, or as wide as it takes where nobody looks."""
    console = _console()
    cells = [[_styled(cell) for cell in row] for row in rows]
    table = Table(box=None, pad_edge=False, show_header=header, header_style="bold", padding=(0, _GAP, 0, 0))
    for column, width in zip(columns, _widths(columns, cells, console.width), strict=True):
        overflow: Literal["ellipsis", "fold"] = "ellipsis" if column.cut else "fold"
        table.add_column(column.title, overflow=overflow, no_wrap=column.cut, justify=column.align, width=width)
    for row in cells:
        table.add_row(*row)
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        typer.echo(line.rstrip())


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]], room: int) -> list[int | None]:
    """Return the columns' widths: whole ones first, what is left to those that may be cut, narrow ones first.

    Where not even the whole ones fit, the first, an id, still is whole if it can, and rich folds the others.
    """
    natural = [
        max([len(column.title), *(row[number].cell_len for row in rows)]) for number, column in enumerate(columns)
    ]
    left = (
        room
        - _GAP * len(columns)
        - sum(width for column, width in zip(columns, natural, strict=True) if not column.cut)
    )
    cut = sorted(
        (number for number, column in enumerate(columns) if column.cut), key=lambda number: natural[number]
    )
    if left < _NARROW * len(cut):
        widths: list[int | None] = [
            min(width, _NARROW) if column.cut else None for column, width in zip(columns, natural, strict=True)
        ]
        folding = len(columns) - len(cut) - 1
        rest = room - _GAP * len(columns) - sum(width or 0 for width in widths)
        if natural[0] + _FOLDED * folding <= rest:
            widths[0] = natural[0]
        return widths
    widths = [*natural]
    for done, number in enumerate(cut):
        share = min(natural[number], left // (len(cut) - done))
        widths[number] = share
        left -= share
    return widths


def print_facts(facts: Iterable[tuple[str, str | None]]) -> None:
    """Print names and values, a line each; those without a value are left out."""
    print_table([Column(""), Column("")], [(name, value) for name, value in facts if value], header=False)


def say(line: str, *, style: str = "") -> None:
    """Print a line as it is."""
    _console().print(Text(shown(line), style=style), soft_wrap=True)


def complain(line: str) -> None:
    """Print a line to standard error."""
    typer.echo(f"agpt-scheduler: {' '.join(line.split())}", err=True)


def when(moment: str | datetime | None) -> str:
    """Return a time for people: weekday, date, time with its seconds if it has any, and offset."""
    if not moment:
        return ""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    offset = f"{at:%z}"
    time = f"{at:%H:%M:%S}" if at.second or at.microsecond else f"{at:%H:%M}"
    return f"{at:%a %Y-%m-%d} {time}" + ("Z" if offset in ("", "+0000") else f"{offset[:3]}:{offset[3:5]}")


def shown(text: str) -> str:
    """Return text of outside origin without what a terminal would act upon."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


@contextmanager
def progress(what: str, total: int | None) -> Iterator["Advance"]:
    """Show how far something is, on a terminal's standard error; nowhere else."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=total)
        yield Advance(lambda steps: bar.advance(task, steps))


@dataclass(frozen=True, slots=True)
class Advance:
    """Moves a progress bar on."""

    _move: Any

    def __call__(self, steps: int = 1) -> None:
        """Move it on by so many."""
        self._move(steps)


def each(items: Sequence[T], what: str) -> Iterator[T]:
    """Yield the items, with a bar where there are several."""
    if len(items) < 2:  # noqa: PLR2004
        yield from items
        return
    with progress(what, len(items)) as advance:
        for item in items:
            yield item
            advance()


def _console() -> Console:
    """Return standard output as it is now; rich leaves colours out unless it is a terminal, or NO_COLOR is set."""
    return Console(width=None if sys.stdout.isatty() else _UNLIMITED, highlight=False)


def _styled(cell: str) -> Text:
    text = shown(cell)
    return Text(text, style=_STYLES.get(text.partition(" ")[0], ""))
