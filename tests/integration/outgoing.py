"""The calls that the original was recorded to make (compat/outgoing.jsonl)."""

import json
from dataclasses import dataclass
from typing import Any

from tests.shared import SHARED


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a neighbour's method, with the very text of its body."""

    service: str
    method: str
    body: str

    @property
    def arguments(self) -> dict[str, Any]:
        """What the body says."""
        arguments: dict[str, Any] = json.loads(self.body)
        return arguments


def recorded_calls(service: str) -> list[Call]:
    """Return the calls of a service, health checks left out: we make none (compat/outgoing.md)."""
    rows = map(json.loads, (SHARED / "compat/outgoing.jsonl").read_text().splitlines())
    calls = [Call(row["service"], row["path"].removeprefix("/"), row["body"]) for row in rows]
    return [call for call in calls if call.service == service and call.method != "health_check"]
