"""GcsExpiringFiles against a bucket on loopback: what it asks for, and what it makes of refusals."""

import asyncio
import sys
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.storage.gcs import GcsExpiringFiles
from ports.files import StorageUnavailable, StoredFile
from tests.integration.bucket import NAME, Bucket, bucket_on_loopback, refusal
from tests.integration.loopback import Reply, answer, raw

EXPIRY = "2026-11-24T12:00:00+00:00"


@pytest.fixture
async def bucket() -> AsyncIterator[Bucket]:
    """An empty bucket."""
    async with bucket_on_loopback() as bucket:
        yield bucket


@pytest.fixture
async def files(bucket: Bucket) -> AsyncIterator[GcsExpiringFiles]:
    """The adapter, pointed at the bucket."""
    files = GcsExpiringFiles(NAME, client=bucket.client())
    yield files
    await files.aclose()


async def _listed(files: GcsExpiringFiles) -> list[StoredFile]:
    return [file async for file in files.list()]


def _queries(bucket: Bucket) -> list[dict[str, str]]:
    targets = [urlsplit(request.target).query for request in bucket.receiver.received]
    return [{key: values[0] for key, values in parse_qs(query).items()} for query in targets]


async def test_listing_takes_one_request_a_page_and_reads_nothing_else(
    bucket: Bucket, files: GcsExpiringFiles
) -> None:
    """Expiry comes with the listing, whose fields are limited (the original reads every object again)."""
    for number in range(250):
        bucket.put(f"uploads/{number:03}", {"expires_at": EXPIRY, "user": "u1"})
    listed = await _listed(files)
    assert [file.name for file in listed] == sorted(bucket.objects)
    assert listed[7] == StoredFile("uploads/007", EXPIRY, bucket.objects["uploads/007"].generation)
    queries = _queries(bucket)
    assert [query.get("pageToken") for query in queries] == [None, "uploads/099", "uploads/199"]
    assert {(query["prefix"], query["fields"]) for query in queries} == {
        ("uploads/", "items(name,metadata,generation),nextPageToken")
    }


async def test_page_is_asked_for_only_when_wanted(bucket: Bucket, files: GcsExpiringFiles) -> None:
    """A million objects need not fit into memory."""
    for number in range(250):
        bucket.put(f"uploads/{number:03}")
    listing = files.list()
    for _ in range(100):
        await anext(listing)
    assert len(bucket.receiver.received) == 1
    await anext(listing)
    assert len(bucket.receiver.received) == 2


async def test_objects_outside_uploads_are_not_listed(bucket: Bucket, files: GcsExpiringFiles) -> None:
    """The bucket holds other things, which never expire."""
    for name in ("uploads/a", "uploads", "uploads-old/a", "media/uploads/a"):
        bucket.put(name, {"expires_at": EXPIRY})
    assert [file.name for file in await _listed(files)] == ["uploads/a"]


async def test_metadata_without_expiry_reads_as_none(bucket: Bucket, files: GcsExpiringFiles) -> None:
    """Other custom metadata say nothing about it."""
    bucket.put("uploads/a", {"user": "u1"})
    [file] = await _listed(files)
    assert file.expires_at is None


async def test_deletion_names_the_listed_generation(bucket: Bucket, files: GcsExpiringFiles) -> None:
    """So the service itself decides whether it still is that version."""
    bucket.put("uploads/a b", {"expires_at": EXPIRY})
    [file] = await _listed(files)
    assert await files.delete(file)
    request = bucket.receiver.received[-1]
    assert (request.method, urlsplit(request.target).path) == ("DELETE", f"/storage/v1/b/{NAME}/o/uploads%2Fa%20b")
    assert _queries(bucket)[-1]["ifGenerationMatch"] == str(file.generation)


async def test_ten_deletions_at_once_all_succeed(bucket: Bucket, files: GcsExpiringFiles) -> None:
    """As many as a cleanup has under way, from as many threads over one client."""
    for number in range(10):
        bucket.put(f"uploads/{number}")
    assert await asyncio.gather(*map(files.delete, await _listed(files))) == [True] * 10
    assert bucket.objects == {}


async def test_brief_refusal_is_tried_again(bucket: Bucket, files: GcsExpiringFiles) -> None:
    """Google asks clients to repeat what is harmless twice after a 503."""
    bucket.put("uploads/a")
    bucket.refusals.append(refusal(503, "try again"))
    assert len(await _listed(files)) == 1


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (refusal(401, "who are you"), "credentials"),
        (refusal(403, "no right"), "no right"),
        (refusal(404, "The specified bucket does not exist."), "does not exist"),
        (answer(200, b"<html>", kind="text/html"), "JSON"),
        (raw(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", keep=True), "NotFound"),
    ],
    ids=["401", "403", "404", "no JSON", "redirect"],
)
async def test_refused_listing_is_unavailable_storage(
    bucket: Bucket, files: GcsExpiringFiles, reply: Reply, told: str
) -> None:
    """The port's error repeats the service's reason."""
    bucket.refusals.append(reply)
    with pytest.raises(StorageUnavailable, match=told):
        await _listed(files)


async def test_refusal_on_a_later_page_ends_the_listing(bucket: Bucket, files: GcsExpiringFiles) -> None:
    """What was listed before stands."""
    for number in range(250):
        bucket.put(f"uploads/{number:03}")
    listing = files.list()
    for _ in range(100):
        await anext(listing)
    bucket.refusals.append(refusal(403, "no right any more"))
    with pytest.raises(StorageUnavailable, match="any more"):
        await anext(listing)


async def test_refused_deletion_is_unavailable_storage(bucket: Bucket, files: GcsExpiringFiles) -> None:
    """Unlike 404 and 412, which say that there is nothing to do."""
    bucket.put("uploads/a")
    [file] = await _listed(files)
    bucket.refusals.append(refusal(403, "no right"))
    with pytest.raises(StorageUnavailable, match="no right"):
        await files.delete(file)


async def test_no_bucket_name_is_unavailable_storage() -> None:
    """Nothing is asked of anybody."""
    with pytest.raises(StorageUnavailable, match="MEDIA_GCS_BUCKET_NAME"):
        await _listed(GcsExpiringFiles(""))


@pytest.mark.parametrize("name", ["-", "a/../b", "é"])
async def test_impossible_bucket_name_is_unavailable_storage(bucket: Bucket, name: str) -> None:
    """However the library or the service says so."""
    with pytest.raises(StorageUnavailable):
        await _listed(GcsExpiringFiles(name, client=bucket.client()))


async def test_deployment_without_the_library_is_told_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service runs without it; only the cleanup does not."""
    monkeypatch.delitem(sys.modules, "adapters.storage.gcs_bucket", raising=False)
    monkeypatch.setitem(sys.modules, "google.cloud", None)  # what Python takes for "not there"
    with pytest.raises(StorageUnavailable, match=r"agpt-scheduler\[gcs\]"):
        await _listed(GcsExpiringFiles(NAME))


async def test_missing_credentials_are_unavailable_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own words say which file it looked for."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    with pytest.raises(StorageUnavailable, match=r"/nowhere/key\.json"):
        await _listed(GcsExpiringFiles(NAME))


async def test_emulator_is_used_where_the_environment_names_one(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STORAGE_EMULATOR_HOST, which Google's library reads, needs no credentials."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.receiver.url)
    bucket.put("uploads/a")
    files = GcsExpiringFiles(NAME)
    assert [file.name for file in await _listed(files)] == ["uploads/a"]
    await files.aclose()


async def test_closed_adapter_opens_again_when_used(bucket: Bucket, files: GcsExpiringFiles) -> None:
    """Closing ends the connections, not the adapter."""
    bucket.put("uploads/a")
    await _listed(files)
    await files.aclose()
    assert len(await _listed(files)) == 1
