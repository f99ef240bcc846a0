"""Expired uploads: which those are, and their removal (compat/outgoing.md, "cleanup_expired_files")."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime

from ports.clock import Clock
from ports.files import ExpiringFiles, StorageUnavailable, StoredFile

logger = logging.getLogger(__name__)

_AT_ONCE = 10
_MOST_WARNINGS = 3  # of a kind in a cleanup: there may be a million such files


@dataclass(slots=True)
class Cleaned:
    """What a cleanup did: files deleted, files whose deletion failed, and files that do not say when to go."""

    deleted: int = 0
    failed: int = 0
    undated: int = 0


async def delete_expired(files: ExpiringFiles, *, clock: Clock) -> Cleaned:
    """Delete the files that have expired, ten at a time, and count.

    A storage that does not answer is logged and ends the cleanup; the next one goes on where it stopped. A file
    that can't be deleted is logged and left for the next. Whatever else `files` raises comes out, as recorded
    ("execute cleanup raise ...").
    """
    now = clock.now()
    done = Cleaned()
    batch: list[StoredFile] = []
    try:
        async for file in files.list():
            expires_at = _read_expiry(file.expires_at)
            if expires_at is None:
                done.undated += 1
                if done.undated <= _MOST_WARNINGS:
                    logger.warning("%s does not say when it expires, and is kept", file.name)
            elif now > expires_at:
                batch.append(file)
                if len(batch) == _AT_ONCE:
                    await _delete(files, batch, done)
                    batch.clear()
    except StorageUnavailable as error:
        logger.error("the cleanup of expired files ended early: %s", error)  # noqa: TRY400  one line says it all
    await _delete(files, batch, done)
    logger.info(
        "expired files: %d deleted, %d not deleted; %d files don't say when",
        done.deleted,
        done.failed,
        done.undated,
    )
    return done


async def _delete(files: ExpiringFiles, batch: list[StoredFile], done: Cleaned) -> None:
    results = await asyncio.gather(*map(files.delete, batch), return_exceptions=True)
    for file, result in zip(batch, results, strict=True):
        if isinstance(result, StorageUnavailable):
            done.failed += 1
            if done.failed <= _MOST_WARNINGS:
                logger.warning("%s has expired and can't be deleted: %s", file.name, result)
        elif isinstance(result, BaseException):
            raise result
        else:
            done.deleted += result


def _read_expiry(text: str | None) -> datetime | None:
    """Return when a file expires, None when that is not said, or not so that it names one instant.

    A time without an offset could mean any zone; the original keeps such a file too.
    """
    try:
        expires_at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return None if expires_at.tzinfo is None else expires_at
