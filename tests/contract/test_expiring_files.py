"""What every storage of expiring files keeps to."""

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from adapters.memory.files import MemoryExpiringFiles
from adapters.storage.gcs import GcsExpiringFiles
from adapters.storage.local import LocalExpiringFiles
from ports.files import ExpiringFiles, StorageUnavailable, StoredFile
from tests.integration.bucket import NAME, Bucket, bucket_on_loopback, refusal

EXPIRY = "2026-11-24T12:00:00+00:00"


class Subject(Protocol):
    """A storage, and the other side of it."""

    files: ExpiringFiles

    def put(self, name: str, expires_at: str | None) -> None:
        """Upload a file, over the one of that name."""
        ...

    def names(self) -> set[str]:
        """Return the names of the files that are there."""
        ...

    def take_away(self) -> None:
        """Make the storage unavailable."""
        ...


class _Memory:
    def __init__(self) -> None:
        self._storage = MemoryExpiringFiles()
        self.files: ExpiringFiles = self._storage
        self._generations = 0

    def put(self, name: str, expires_at: str | None) -> None:
        self._generations += 1
        self._storage.files[name] = StoredFile(name, expires_at, self._generations)

    def names(self) -> set[str]:
        return set(self._storage.files)

    def take_away(self) -> None:
        self._storage.fail_next(StorageUnavailable("away"))


class _Local:
    def __init__(self, directory: Path) -> None:
        self.files: ExpiringFiles = LocalExpiringFiles(directory)
        self._directory = directory
        self._times = 1_795_000_000

    def put(self, name: str, expires_at: str | None) -> None:
        self._times += 1
        path = self._directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("content")
        os.utime(path, (self._times, self._times))
        if expires_at is not None:
            path.with_name(path.name + ".metadata.json").write_text(json.dumps({"expires_at": expires_at}))

    def names(self) -> set[str]:
        found = (path.relative_to(self._directory) for path in self._directory.rglob("*") if path.is_file())
        return {path.as_posix() for path in found}  # sidecars included: they go with their files

    def take_away(self) -> None:
        self._directory.rename(self._directory.with_name("elsewhere"))


class _Gcs:
    def __init__(self, bucket: Bucket, files: ExpiringFiles) -> None:
        self.files = files
        self._bucket = bucket

    def put(self, name: str, expires_at: str | None) -> None:
        self._bucket.put(name, None if expires_at is None else {"expires_at": expires_at})

    def names(self) -> set[str]:
        return set(self._bucket.objects)

    def take_away(self) -> None:
        self._bucket.refusals.append(refusal(403, "no right"))


@asynccontextmanager
async def _memory(_directory: Path) -> AsyncIterator[Subject]:
    yield _Memory()


@asynccontextmanager
async def _local(directory: Path) -> AsyncIterator[Subject]:
    yield _Local(directory)


@asynccontextmanager
async def _gcs(_directory: Path) -> AsyncIterator[Subject]:
    async with bucket_on_loopback() as bucket:
        files = GcsExpiringFiles(NAME, client=bucket.client())
        yield _Gcs(bucket, files)
        await files.aclose()


_STORAGES: dict[str, Callable[[Path], AbstractAsyncContextManager[Subject]]] = {
    "memory": _memory,
    "local": _local,
    "gcs": _gcs,
}


@pytest.fixture(params=list(_STORAGES))
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    """Yield an empty storage."""
    directory = tmp_path / "storage"
    directory.mkdir()
    async with _STORAGES[request.param](directory) as subject:
        yield subject


async def _listed(subject: Subject) -> dict[str, StoredFile]:
    return {file.name: file async for file in subject.files.list()}


async def test_empty_storage_lists_nothing(subject: Subject) -> None:
    """No file is no error."""
    assert await _listed(subject) == {}


async def test_listing_tells_each_files_expiry_as_found(subject: Subject) -> None:
    """Readable or not, and None where there is none."""
    subject.put("uploads/plain.png", EXPIRY)
    subject.put("uploads/user-1/deep down/ü%2F.png", "soon")
    subject.put("uploads/for ever", None)
    listed = await _listed(subject)
    assert {name: file.expires_at for name, file in listed.items()} == {
        "uploads/plain.png": EXPIRY,
        "uploads/user-1/deep down/ü%2F.png": "soon",
        "uploads/for ever": None,
    }


async def test_more_files_than_a_page_holds_are_all_listed_once(subject: Subject) -> None:
    """The original stops after the first page."""
    names = [f"uploads/{number % 7}/{number}" for number in range(1250)]
    for name in names:
        subject.put(name, None)
    assert sorted([file.name async for file in subject.files.list()]) == sorted(names)


async def test_file_is_deleted_once(subject: Subject) -> None:
    """The second deletion finds it gone; nothing else goes with it, and nothing of it stays."""
    subject.put("uploads/a b/ü%2F?#.png", EXPIRY)
    subject.put("uploads/other", None)
    file = (await _listed(subject))["uploads/a b/ü%2F?#.png"]
    assert await subject.files.delete(file)
    assert not await subject.files.delete(file)
    assert subject.names() == {"uploads/other"}


async def test_newer_upload_of_the_same_name_is_not_deleted(subject: Subject) -> None:
    """Only the version that was listed may go."""
    subject.put("uploads/a", EXPIRY)
    file = (await _listed(subject))["uploads/a"]
    subject.put("uploads/a", EXPIRY)
    assert not await subject.files.delete(file)
    assert "uploads/a" in subject.names()


async def test_files_may_be_deleted_while_they_are_listed(subject: Subject) -> None:
    """As a cleanup does: each is seen, and all are gone."""
    for number in range(250):
        subject.put(f"uploads/{number}", EXPIRY)
    deleted = [await subject.files.delete(file) async for file in subject.files.list()]
    assert deleted == [True] * 250
    assert subject.names() == set()


async def test_listing_may_be_left_and_begun_anew(subject: Subject) -> None:
    """A cleanup that ends early does no harm to the next."""
    for number in range(250):
        subject.put(f"uploads/{number}", None)
    async for _ in subject.files.list():
        break
    assert len(await _listed(subject)) == 250


async def test_storage_that_is_away_says_so(subject: Subject) -> None:
    """By the port's error, whatever the library's is."""
    subject.take_away()
    with pytest.raises(StorageUnavailable):
        await _listed(subject)
