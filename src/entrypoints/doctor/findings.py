"""What looking for trouble comes to."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found, what to do about it, and which rows or firings are meant."""

    check: str
    level: Level
    says: str
    advice: str | None = None
    items: tuple[str, ...] = ()


def well(check: str, says: str) -> Finding:
    """Return that nothing is wrong there."""
    return Finding(check, Level.OK, says)
