"""The rush under cProfile: `python -m benchmarks profile --sizes N`."""

import pstats
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks import rush as measured
from benchmarks.contenders import OURS
from benchmarks.receivers import PROFILE_VARIABLE
from benchmarks.server import Server

_LINES = 45


def rush(server: Server, console: Console, count: int) -> None:
    """Print where the event loop's thread spends its time during a rush."""
    with tempfile.TemporaryDirectory(prefix="agpt-profile-") as folder:
        stats = Path(folder) / "stats"
        ours = replace(OURS, settings={PROFILE_VARIABLE: str(stats)})
        found = measured.rush(server, ours, count)
        console.print(f"{found.per_second:,.0f} fired/s under the profiler")
        pstats.Stats(str(stats)).sort_stats("tottime").print_stats(_LINES)
