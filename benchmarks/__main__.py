"""`python -m benchmarks`: measure the service beside stock APScheduler, in one run on one server."""

import argparse

from rich.console import Console

from benchmarks import picture, profiling, report
from benchmarks.bench import Bench
from benchmarks.scenarios import SCENARIOS
from benchmarks.server import postgres

_WIDE = 190  # what the tables need where there is no terminal to ask


def main() -> None:
    """Run what was asked for."""
    options = _options()
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    if options.names == ["profile"]:
        with postgres() as server:
            profiling.rush(server, console, options.sizes[0])
        return
    sections = []
    with postgres() as server:
        about = report.machine(server)
        console.print(about)
        bench = Bench(
            server=server,
            console=console,
            sizes=options.sizes,
            runs=options.runs,
            quick=options.quick,
            ours_only=options.ours_only,
        )
        for name in options.names or SCENARIOS:
            for section in SCENARIOS[name](bench):
                report.show(console, section)
                sections.append(section)
    if options.write:
        report.write(sections, about=about, runs=options.runs)
        picture.draw(bench.kept, report.FOLDER / report.PICTURE)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SCENARIOS, "profile", []], help="scenarios; default all")
    parser.add_argument("--sizes", type=int, nargs="+", help="how many schedules come due at once")
    parser.add_argument("--runs", type=int, help="how often each is run; medians are shown")
    parser.add_argument("--quick", action="store_true", help="10,000 schedules, one run, short waits")
    parser.add_argument("--ours-only", action="store_true", help="leave stock APScheduler out")
    parser.add_argument("--write", action="store_true", help="write RESULTS.md and the picture beside it")
    options = parser.parse_args()
    options.sizes = options.sizes or ([10_000] if options.quick else [1_000, 10_000, 100_000])
    options.runs = options.runs or (1 if options.quick else 3)
    return options


if __name__ == "__main__":
    main()
