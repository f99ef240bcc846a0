"""Expiring files in a local directory."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from os import scandir
from pathlib import Path, PurePosixPath

from ports.files import StorageUnavailable, StoredFile

_ROOT = "uploads"
_SIDECAR = ".metadata.json"
_LONGEST_SIDECAR = 64 * 1024
_AT_ONCE = 500
"""Files that one turn of a thread looks at."""


class LocalExpiringFiles:
    """The regular files under `uploads/` in `directory`, at any depth, named as a bucket would name them.

    What a bucket keeps as custom metadata stands in a file beside each, its sidecar: `uploads/a/photo.png` has
    `uploads/a/photo.png.metadata.json`, a JSON object such as `{"expires_at": "2026-11-24T12:00:00+00:00"}`. A
    file's generation is its time of modification in nanoseconds. Uploads that replace a file by renaming never
    show a half-written one; the sidecar is best written first.

    Sidecars are not listed, and go with their file. One that has lost its file is listed as a file of its own
    that expires when the file would have. Symbolic links are neither followed nor listed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def list(self) -> AsyncIterator[StoredFile]:
        """Yield what is found on the way; files that come or go meanwhile may be among it or not."""
        found = self._walk()  # never closed by hand: after a cancellation a thread may still be in it
        while files := await asyncio.to_thread(lambda: [*islice(found, _AT_ONCE)]):
            for file in files:
                yield file

    async def delete(self, file: StoredFile) -> bool:
        """Delete the file if it still is what was listed, expiry included, then its sidecar.

        Looking and deleting are two steps, between which a new upload of the same name may slip in.
        """
        return await asyncio.to_thread(self._delete, file)

    def _walk(self) -> Iterator[StoredFile]:
        with _translated():
            if not self._directory.is_dir():
                raise StorageUnavailable(f"there is no directory {self._directory}")
            waiting = [_ROOT] if _is_directory(self._directory / _ROOT) else []
            while waiting:
                folder = waiting.pop()
                with suppress(FileNotFoundError), scandir(self._directory / folder) as entries:
                    for entry in entries:
                        name = f"{folder}/{entry.name}"
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(name)
                        elif file := self._found(name):
                            yield file

    def _delete(self, file: StoredFile) -> bool:
        with _translated():
            if not self._is_inside(file.name) or self._found(file.name) != file:
                return False
            try:
                (self._directory / file.name).unlink()
            except FileNotFoundError:
                return False
            # In this order: a crash in between leaves a sidecar, which is found again, and not a file for ever.
            (self._directory / (file.name + _SIDECAR)).unlink(missing_ok=True)
        return True

    def _is_inside(self, name: str) -> bool:
        """Whether `name` lies under `uploads/` and is reached through directories only."""
        path = PurePosixPath(name)
        folders = [folder for folder in path.parents if folder.parts]
        return (
            path.parts[:1] == (_ROOT,)
            and ".." not in path.parts
            and all(_is_directory(self._directory / folder) for folder in folders)
        )

    def _found(self, name: str) -> StoredFile | None:
        """Return what stands under `name` now; None for a sidecar, and for what is no regular file."""
        path = self._directory / name
        try:
            status = path.lstat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        sidecar = path.with_name(path.name + _SIDECAR)
        if path.name.endswith(_SIDECAR):
            if path.with_name(path.name.removesuffix(_SIDECAR)).is_file():
                return None
            sidecar = path
        return StoredFile(name=name, expires_at=_expires_at(sidecar), generation=status.st_mtime_ns)


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _expires_at(sidecar: Path) -> str | None:
    """Return `expires_at` from a sidecar, None where it can't be read."""
    try:
        status = sidecar.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LONGEST_SIDECAR:
            return None
        metadata = json.loads(sidecar.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    expires_at = metadata.get("expires_at") if isinstance(metadata, dict) else None
    return expires_at if isinstance(expires_at, str) else None


@contextmanager
def _translated() -> Iterator[None]:
    """Turn errors of the file system into the port's."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(f"the directory of uploads: {error}") from error
