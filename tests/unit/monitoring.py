"""What the tests of the monitors share: the recorded alerts."""

import json

from tests.shared import SHARED


def recorded_bodies(path: str) -> list[dict[str, object]]:
    """Return, in order, the bodies that the original sent to a neighbour's method."""
    lines = (SHARED / "compat" / "outgoing.jsonl").read_bytes().splitlines()
    calls = [json.loads(line) for line in lines]
    return [json.loads(call["body"]) for call in calls if call["path"] == f"/{path}"]


def recorded_alerts(beginning: str) -> list[str]:
    """Return, in order, the recorded alerts that begin so."""
    contents = [str(body["content"]) for body in recorded_bodies("discord_system_alert")]
    return [content for content in contents if content.startswith(beginning)]
