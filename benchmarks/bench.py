"""What every scenario is given, and what it hands back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console

from benchmarks.contenders import EVERYBODY, OURS, Contender
from benchmarks.measured import Measured, median
from benchmarks.server import Server

COLUMNS = (
    "contender",
    "fired/s",
    "times the best stock",
    "lost",
    "doubled",
    "p50 lag ms",
    "p99 lag ms",
    "max lag ms",
    "all recorded s",
    "CPU s",
    "PostgreSQL CPU s",
    "peak MiB",
    "PostgreSQL MiB",
)


@dataclass(frozen=True)
class Section:
    """A table of results, with what has to be said about it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass
class Bench:
    """One run of the benchmarks. `kept` holds runs that the picture shows, by panel and contender."""

    server: Server
    console: Console
    sizes: Sequence[int]
    runs: int
    quick: bool
    ours_only: bool
    kept: dict[str, dict[str, Measured]] = field(default_factory=dict)

    @property
    def contenders(self) -> Sequence[Contender]:
        """Return who takes part."""
        return (OURS,) if self.ours_only else EVERYBODY

    def repeat(self, title: str, once: Callable[[], Measured], *, runs: int | None = None) -> list[Measured]:
        """Run something several times, saying so."""
        runs = self.runs if runs is None else runs
        found = []
        for number in range(1, runs + 1):
            with self.step(f"{title} ({number} of {runs})"):
                found.append(once())
        return found

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show what is going on."""
        with self.console.status(text):
            yield

    def keep(self, panel: str, found: Sequence[Measured]) -> None:
        """Keep the run with the median rate for the picture."""
        middle = sorted(found, key=lambda run: run.per_second)[len(found) // 2]
        self.kept.setdefault(panel, {})[middle.contender] = middle


def compared(title: str, groups: Sequence[Sequence[Measured]], *, note: str = "") -> Section:
    """Return the table of medians of several contenders' runs; the first group is ours."""
    rates = [median(group, lambda run: run.per_second) for group in groups]
    best = max((rate for group, rate in zip(groups, rates, strict=True) if _is_stock(group)), default=0.0)
    rows = []
    for group, rate in zip(groups, rates, strict=True):
        lags = [_of(group, lambda run, share=share: 1000 * run.lag(share)) for share in (0.5, 0.99, 1.0)]  # type: ignore[misc]
        settled = [run.settled_secs for run in group if run.settled_secs is not None]
        rows.append(
            [
                group[0].contender,
                f"{rate:,.0f}",
                f"{rate / best:.1f}" if best else "",
                _of(group, lambda run: run.lost),
                _of(group, lambda run: run.doubled),
                *(lags if group[0].lags else [""] * 3),
                f"{sorted(settled)[len(settled) // 2]:.2f}" if settled else "",
                _of(group, lambda run: run.usage.cpu_secs, digits=2),
                _of(group, lambda run: run.usage.postgres_cpu_secs, digits=2),
                _of(group, lambda run: run.usage.peak_mib),
                _of(group, lambda run: run.usage.postgres_peak_mib),
            ]
        )
    return Section(title, COLUMNS, rows, note)


def _is_stock(group: Sequence[Measured]) -> bool:
    return group[0].contender.startswith("APScheduler")


def _of(group: Sequence[Measured], value: Callable[[Measured], float], *, digits: int = 0) -> str:
    return f"{median(group, value):,.{digits}f}"
