"""What is asked of a Google Cloud Storage bucket, in blocking calls of Google's own library."""

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core.exceptions import GoogleAPIError, NotFound, PreconditionFailed
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY

from ports.files import StorageUnavailable, StoredFile

_PREFIX = "uploads/"
_FIELDS = "items(name,metadata,generation),nextPageToken"
_TIMEOUT_SECS = (5.0, 20.0)  # to connect, to answer
# Both calls are harmless twice. Short, since a thread that still tries keeps the process from ending.
_RETRY = DEFAULT_RETRY.with_timeout(15.0)


class GcsBucket:
    """One bucket. Opening it looks for credentials and asks the bucket nothing.

    The library asks for the bucket's own description once, in the background, to label traces; whether that works
    does not matter here, and DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA=true keeps it from doing so.
    Every method may raise StorageUnavailable, and may be called from several threads at once.
    """

    def __init__(self, name: str, *, client: storage.Client | None = None) -> None:
        with _translated():
            # Without a project, which only calls about buckets themselves need.
            self._client = client or storage.Client(project=None)
            self._bucket = self._client.bucket(name)

    def pages(self) -> Iterator[list[StoredFile]]:
        """Yield pages of files; each is asked for when it is wanted."""
        pages = self._client.list_blobs(
            self._bucket, prefix=_PREFIX, fields=_FIELDS, timeout=_TIMEOUT_SECS, retry=_RETRY
        ).pages
        while True:
            with _translated():
                page = next(pages, None)
            if page is None:
                return
            yield [_stored_file(blob) for blob in page]

    def delete(self, file: StoredFile) -> bool:
        """Delete the listed version; False when another is there, or none."""
        with _translated():
            try:
                self._bucket.delete_blob(
                    file.name, if_generation_match=file.generation, timeout=_TIMEOUT_SECS, retry=_RETRY
                )
            except (NotFound, PreconditionFailed):
                return False
        return True

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _stored_file(blob: storage.Blob) -> StoredFile:
    metadata = blob.metadata or {}
    return StoredFile(name=blob.name, expires_at=metadata.get("expires_at"), generation=blob.generation)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn errors of the library into the port's.

    It lets those of requests through, which are OSErrors, and raises ValueError for names that no bucket has.
    """
    try:
        yield
    except (GoogleAPIError, GoogleAuthError, OSError, ValueError) as error:
        raise StorageUnavailable(f"Google Cloud Storage: {type(error).__name__}: {error}") from error
