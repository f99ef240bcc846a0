"""Stored files in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterable

from adapters.memory.faults import FailsOnDemand
from ports.files import StoredFile


class MemoryExpiringFiles(FailsOnDemand):
    """Files in a dict, `files` by name.

    `fail_next` makes listings fail, `undeletable` (errors by name) the deletion of single files, and a listing
    breaks off with `broken_after` (how many it yields, and the error). `most_at_once` tells how many deletions
    have been under way together.
    """

    def __init__(self, files: Iterable[StoredFile] = ()) -> None:
        super().__init__()
        self.files = {file.name: file for file in files}
        self.undeletable: dict[str, Exception] = {}
        self.broken_after: tuple[int, Exception] | None = None
        self.most_at_once = 0
        self._under_way = 0

    async def list(self) -> AsyncIterator[StoredFile]:
        """Yield the files that there are when it begins."""
        self._raise_if_failing()
        for number, file in enumerate(tuple(self.files.values())):
            if self.broken_after is not None and number == self.broken_after[0]:
                raise self.broken_after[1]
            yield file

    async def delete(self, file: StoredFile) -> bool:
        """Delete the version that was listed."""
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        await asyncio.sleep(0)  # lets the others begin
        self._under_way -= 1
        if file.name in self.undeletable:
            raise self.undeletable[file.name]
        if self.files.get(file.name) != file:
            return False
        del self.files[file.name]
        return True
