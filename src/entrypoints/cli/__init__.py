"""The command line: `agpt-scheduler ...`, a module for each group of commands."""

from entrypoints.cli import backfill, changes, doctor, previews, runs, schedules, serving, weekdays
from entrypoints.cli.root import app

for _group in (serving, previews, schedules, changes, runs, backfill, doctor, weekdays):
    _group.register(app)

__all__ = ["app"]
