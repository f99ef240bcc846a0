"""Whether the service is well, in a line each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One part of the service: `good` is None while it is not known yet."""

    name: str
    good: bool | None
    said: str


class Wellness:
    """Puts what probes are told into words."""

    def __init__(
        self, *, health: Callable[[], str | None], ready: Callable[[], Awaitable[Mapping[str, Any]]]
    ) -> None:
        self._health = health
        self._ready = ready

    async def lines(self) -> list[Line]:
        """Return the lines."""
        trouble, state = self._health(), await self._ready()
        there = state.get("database") in {"ok", "up"}
        engine = Line("Engine", trouble is None, trouble or "the claim loop goes round")
        if trouble is None and not state["ready"]:
            engine = Line("Engine", None, "starting, or waiting for the database")
        database = "answers, tables current" if there else "does not answer"
        if there and state.get("migrations") == "pending":
            there, database = False, "answers, but its tables are not ready"
        if state.get("backfill") == "running":
            database += "; the index of schedules is being built"
        return [engine, Line("Database", there, database), _receiver(state)]


def _receiver(state: Mapping[str, Any]) -> Line:
    kind, trouble = state.get("dispatch", ""), state.get("receiver", "ok")
    if trouble != "ok":
        return Line("Receiver", good=False, said=f"{kind}: {trouble}")
    said = "none: firings are only recorded" if kind == "record" else f"{kind}, no complaints"
    return Line("Receiver", good=True, said=said)
