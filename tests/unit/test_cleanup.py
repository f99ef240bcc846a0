"""The cleanup of expired files, over files in memory."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from adapters.memory.clock import SettableClock
from adapters.memory.files import MemoryExpiringFiles
from domain.cleanup import Cleaned, delete_expired
from ports.files import StorageUnavailable, StoredFile

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
PAST = "2026-11-23T13:59:59.999999+00:00"


def stored(name: str, expires_at: str | None = PAST) -> StoredFile:
    """Return a file, expired unless said otherwise."""
    return StoredFile(name=name, expires_at=expires_at, generation=1)


async def cleaned(files: MemoryExpiringFiles) -> Cleaned:
    """Clean up now."""
    return await delete_expired(files, clock=SettableClock(NOW))


@pytest.mark.parametrize(
    ("expires_at", "goes"),
    [
        (PAST, True),
        ("2026-11-23T14:00:00+00:00", False),
        ("2026-11-23T14:00:01Z", False),
        ("2026-11-23T13:59:59Z", True),
        ("2026-11-23T15:59:59+02:00", True),
        ("2026-11-23T12:00:00-05:00", False),
        ("0001-01-01T00:00:00+23:00", True),
    ],
)
async def test_a_file_goes_once_its_time_has_passed(expires_at: str, goes: bool) -> None:  # noqa: FBT001
    """Expired means strictly before now, in whatever offset the time is written."""
    files = MemoryExpiringFiles([stored("uploads/a", expires_at)])
    assert await cleaned(files) == Cleaned(deleted=int(goes))
    assert ("uploads/a" in files.files) is not goes


@pytest.mark.parametrize("expires_at", [None, "", "soon", "1795444360", "2020-01-01T00:00:00", "2020-01-01"])
async def test_a_file_that_does_not_say_when_it_expires_is_kept(
    expires_at: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """No time, no date, or a time without an offset: the file stays, with a warning, and others still go."""
    files = MemoryExpiringFiles([stored("uploads/odd", expires_at), stored("uploads/old")])
    assert await cleaned(files) == Cleaned(deleted=1, undated=1)
    assert list(files.files) == ["uploads/odd"]
    assert "uploads/odd does not say when it expires" in caplog.text


async def test_warnings_are_few_however_many_files(caplog: pytest.LogCaptureFixture) -> None:
    """A million files without a time don't fill the log: the first are named, all are counted."""
    files = MemoryExpiringFiles(stored(f"uploads/{number}", None) for number in range(500))
    with caplog.at_level(logging.INFO):
        assert await cleaned(files) == Cleaned(undated=500)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3 + ["INFO"]
    assert "500 files don't say when" in caplog.text


async def test_ten_files_are_deleted_at_a_time() -> None:
    """However many have expired, ten deletions are under way, and all go."""
    files = MemoryExpiringFiles(stored(f"uploads/{number}") for number in range(2345))
    assert await cleaned(files) == Cleaned(deleted=2345)
    assert files.files == {}
    assert files.most_at_once == 10


async def test_a_file_that_was_replaced_meanwhile_is_not_counted() -> None:
    """The storage says that the listed version is gone: nothing was deleted."""

    class Replacing(MemoryExpiringFiles):
        async def delete(self, file: StoredFile) -> bool:
            self.files[file.name] = StoredFile(file.name, file.expires_at, 2)
            return await super().delete(file)

    files = Replacing([stored("uploads/a")])
    assert await cleaned(files) == Cleaned()
    assert files.files["uploads/a"].generation == 2


async def test_a_file_that_can_not_be_deleted_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """Its failure is logged and counted, and it is left for the next cleanup."""
    files = MemoryExpiringFiles(stored(f"uploads/{number}") for number in range(12))
    files.undeletable["uploads/3"] = StorageUnavailable("busy")
    assert await cleaned(files) == Cleaned(deleted=11, failed=1)
    assert "uploads/3 has expired and can't be deleted: busy" in caplog.text


async def test_a_storage_that_is_away_counts_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """No bucket, or none that answers: one line in the log, and no error for who asked."""
    files = MemoryExpiringFiles([stored("uploads/a")])
    files.fail_next(StorageUnavailable("no bucket is configured"))
    assert await cleaned(files) == Cleaned()
    assert "no bucket is configured" in caplog.text


async def test_what_was_listed_before_the_storage_went_away_is_deleted() -> None:
    """A listing that breaks off ends the cleanup after what it found."""
    files = MemoryExpiringFiles(stored(f"uploads/{number}") for number in range(20))
    files.broken_after = (13, StorageUnavailable("reset"))
    assert await cleaned(files) == Cleaned(deleted=13)


async def test_anything_else_that_listing_raises_comes_out() -> None:
    """Recorded as "execute cleanup raise 'ValueError:bad value'": the caller gets the error itself."""
    files = MemoryExpiringFiles()
    files.fail_next(ValueError("bad value"))
    with pytest.raises(ValueError, match="bad value"):
        await cleaned(files)


async def test_anything_else_that_deleting_raises_comes_out() -> None:
    """An unforeseen error of one deletion comes out once the others of its ten are done."""
    files = MemoryExpiringFiles(stored(f"uploads/{number}") for number in range(4))
    files.undeletable["uploads/0"] = RuntimeError("rt")
    with pytest.raises(RuntimeError, match="rt"):
        await cleaned(files)
    assert list(files.files) == ["uploads/0"]


async def test_the_clock_decides() -> None:
    """A file that is kept now goes when its time has come."""
    clock = SettableClock(NOW)
    files = MemoryExpiringFiles([stored("uploads/a", "2026-11-23T15:00:00+00:00")])
    assert await delete_expired(files, clock=clock) == Cleaned()
    clock.advance(timedelta(hours=1, microseconds=1))
    assert await delete_expired(files, clock=clock) == Cleaned(deleted=1)
