"""Expiring files in a Google Cloud Storage bucket."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from ports.files import StorageUnavailable, StoredFile

if TYPE_CHECKING:
    from google.cloud import storage

    from adapters.storage.gcs_bucket import GcsBucket


class GcsExpiringFiles:
    """The objects under `uploads/` in `bucket`, with `expires_at` among their custom metadata.

    Needs the extra `gcs`, which is imported at the first use: a deployment without it can do everything else.
    Credentials are Google's application default ones, none with STORAGE_EMULATOR_HOST; `client` is for another
    endpoint or others.
    """

    def __init__(self, bucket: str, *, client: "storage.Client | None" = None) -> None:
        self._name = bucket
        self._client = client
        self._opening = asyncio.Lock()
        self._bucket: GcsBucket | None = None

    async def list(self) -> AsyncIterator[StoredFile]:
        """Yield the live version of every object; a page is asked for when the one before has been taken."""
        bucket = await self._opened()
        pages = bucket.pages()
        while (page := await asyncio.to_thread(next, pages, None)) is not None:
            for file in page:
                yield file

    async def delete(self, file: StoredFile) -> bool:
        """Delete the object if its live version is the one that was listed."""
        bucket = await self._opened()
        return await asyncio.to_thread(bucket.delete, file)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._bucket is not None:
            await asyncio.to_thread(self._bucket.close)
            self._bucket = None

    async def _opened(self) -> "GcsBucket":
        if not self._name:
            raise StorageUnavailable("no bucket is configured (MEDIA_GCS_BUCKET_NAME)")
        async with self._opening:
            if self._bucket is None:
                self._bucket = await asyncio.to_thread(_open, self._name, self._client)
            return self._bucket


def _open(name: str, client: "storage.Client | None") -> "GcsBucket":
    try:
        from adapters.storage.gcs_bucket import GcsBucket  # noqa: PLC0415  an extra that need not be there
    except ImportError as error:
        raise StorageUnavailable("a bucket needs the extra 'gcs': pip install 'agpt-scheduler[gcs]'") from error
    return GcsBucket(name, client=client)
