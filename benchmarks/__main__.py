"""`python -m benchmarks`: measure the service beside stock APScheduler, in one run on one server."""

import argparse

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import EVERYBODY
from benchmarks.measured import Measured, median
from benchmarks.rush import rush
from benchmarks.server import postgres


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--ours-only", action="store_true", help="leave stock APScheduler out")
    options = parser.parse_args()
    console = Console()
    with postgres() as server:
        for size in options.sizes:
            table = Table(
                "contender",
                "fired/s",
                "lost",
                "doubled",
                "p50",
                "p99",
                "max",
                "settled",
                "cpu",
                "pg cpu",
                "MiB",
                title=f"rush {size}",
            )
            for contender in EVERYBODY[: 1 if options.ours_only else None]:
                found: list[Measured] = []
                for _ in range(options.runs):
                    with console.status(f"{contender.name}, {size}"):
                        found.append(rush(server, contender, size))
                table.add_row(
                    contender.name,
                    *(
                        f"{median(found, v):.2f}"
                        for v in (
                            lambda m: m.per_second,
                            lambda m: m.lost,
                            lambda m: m.doubled,
                            lambda m: m.lag(0.5),
                            lambda m: m.lag(0.99),
                            lambda m: m.lag(1),
                            lambda m: m.settled_secs or 0,
                            lambda m: m.usage.cpu_secs,
                            lambda m: m.usage.postgres_cpu_secs,
                            lambda m: m.usage.peak_mib,
                        )
                    ),
                )
            console.print(table)


if __name__ == "__main__":
    main()
