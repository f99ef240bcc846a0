"""Stored files that may have expired."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file under `uploads/`. `expires_at` is its metadata as found, None where it has none.

    `generation` names the version that was listed, so that a newer upload of the same name is never deleted.
    """

    name: str
    expires_at: str | None
    generation: int | None


class ExpiringFiles(Protocol):
    """The storage that cleanup runs over. Methods may raise StorageUnavailable."""

    def list(self) -> AsyncIterator[StoredFile]:
        """Yield every file under `uploads/`, however many pages that takes."""
        ...

    async def delete(self, file: StoredFile) -> bool:
        """Delete exactly the version that was listed; False when it is gone or was replaced meanwhile."""
        ...


class StorageUnavailable(Exception):  # noqa: N818
    """The storage is not configured or does not answer."""
