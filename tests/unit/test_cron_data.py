"""Every row of recordings/cron: the right fire times, and the strings to refuse."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from domain.cron import parse_cron
from domain.errors import InvalidScheduleError
from domain.fire_times import fire_times
from tests.shared import SHARED


def rows(name: str) -> Iterator[dict[str, Any]]:
    """Yield a file's rows."""
    for line in (SHARED / "cron" / name).read_text().splitlines():
        yield json.loads(line)


def fires(row: dict[str, Any], count: int) -> list[datetime]:
    """Return when a row's expression fires after its start."""
    trigger = parse_cron(row["expr"], timezone=row["tz"])
    return fire_times(trigger, datetime.fromisoformat(row["start"]), count)


@pytest.mark.parametrize(("name", "key"), [("standard.jsonl", "next"), ("disputed.jsonl", "debian")])
def test_next_fire_times_are_debians(name: str, key: str) -> None:
    """The five times after each start are what real cron does."""
    wrong = [row for row in rows(name) if [at.isoformat() for at in fires(row, len(row[key]))] != row[key]]
    assert wrong == []


def test_fire_times_around_daylight_saving_are_debians() -> None:
    """Nothing is lost or doubled from 40 hours before a transition to 60 hours after."""
    wrong = []
    for row in rows("dst_windows.jsonl"):
        end = datetime.fromisoformat(row["end"])
        found = [at.isoformat() for at in fires(row, len(row["debian"]) + 1) if at < end]
        if found != row["debian"]:
            wrong.append((row, found))
    assert wrong == []


@pytest.mark.parametrize("row", list(rows("bad.jsonl")), ids=lambda row: str(row["class"]))
def test_bad_expressions_are_refused(row: dict[str, Any]) -> None:
    """What no cron would run is refused with a clear error."""
    build = row.get("build")
    text = row["expr"] if build is None else build["prefix"] + build["unit"] * build["count"] + build["suffix"]
    with pytest.raises(InvalidScheduleError):
        parse_cron(text, timezone="UTC")
