"""Receivers for `python:`: they note the call and do nothing else."""

import functools
import os
from pathlib import Path
from typing import Any

from benchmarks.arrivals import FOLDER_VARIABLE, Notebook


@functools.cache
def notebook() -> Notebook:
    """Return this process's notebook, opened at the first call."""
    return Notebook(Path(os.environ[FOLDER_VARIABLE]))


async def no_op(**kwargs: Any) -> dict[str, str]:
    """Take the execution."""
    graph_id = kwargs["graph_id"]
    notebook().note(graph_id)
    return {"id": graph_id}
