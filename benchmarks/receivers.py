"""Receivers for `python:`: they note the call and do nothing else."""

import atexit
import cProfile
import functools
import os
from pathlib import Path
from typing import Any

from benchmarks.arrivals import FOLDER_VARIABLE, Notebook

PROFILE_VARIABLE = "BENCH_PROFILE"


@functools.cache
def notebook() -> Notebook:
    """Return this process's notebook, opened at the first call, which must not be made by two threads at once."""
    if PROFILE_VARIABLE in os.environ:
        _profile_from_here(os.environ[PROFILE_VARIABLE])
    return Notebook(Path(os.environ[FOLDER_VARIABLE]))


def _profile_from_here(path: str) -> None:
    """Profile this thread, the event loop's, from the first firing until the process ends."""
    profile = cProfile.Profile()
    profile.enable()
    atexit.register(profile.dump_stats, path)


async def no_op(**kwargs: Any) -> dict[str, str]:
    """Take the execution."""
    graph_id = kwargs["graph_id"]
    notebook().note(graph_id)
    return {"id": graph_id}
