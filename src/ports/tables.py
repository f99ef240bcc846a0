"""What there is in the database, for operators: counted for metrics, looked at for a check-up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ports.jobs import UnreadableReason


@dataclass(frozen=True, slots=True)
class Census:
    """Rows of the execution store, system tasks included, due rows that are left alone, and living replicas.

    `overdue_secs` is for how long the first readable row has been due, 0.0 when none is.
    """

    scheduled: int
    paused: int
    unreadable: Mapping[UnreadableReason, int]
    replicas: int
    overdue_secs: float


@dataclass(frozen=True, slots=True)
class Inspection:
    """A server and a schema. `replicas` are names, and for how many seconds each has been silent.

    `missing_tables` are those of the platform; `migrated` is about this service's own.
    """

    version: str
    now: datetime
    read_only: bool
    connections_free: int
    missing_tables: tuple[str, ...]
    migrated: bool
    replicas: tuple[tuple[str, float], ...]


class Tables(Protocol):
    """The tables as a whole. Nothing is changed by looking. Both may raise StoreUnavailable."""

    async def census(self) -> Census:
        """Count, in milliseconds however long the tables are: beyond 10,000 rows their number is estimated."""
        ...

    async def inspect(self) -> Inspection:
        """Look at the server, and at which tables there are; none need be."""
        ...
