"""LocalExpiringFiles over a real directory: sidecars, links, and what is none of its business."""

import json
import os
from pathlib import Path

import pytest

from adapters.storage.local import LocalExpiringFiles
from ports.files import StorageUnavailable, StoredFile

EXPIRY = "2026-11-24T12:00:00+00:00"


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """The directory of uploads, in a storage of its own."""
    uploads = tmp_path / "storage" / "uploads"
    uploads.mkdir(parents=True)
    return uploads


@pytest.fixture
def files(uploads: Path) -> LocalExpiringFiles:
    """The adapter over that storage."""
    return LocalExpiringFiles(uploads.parent)


def _upload(path: Path, sidecar: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("content")
    if sidecar is not None:
        path.with_name(path.name + ".metadata.json").write_text(sidecar)


async def _listed(files: LocalExpiringFiles) -> list[StoredFile]:
    return sorted([file async for file in files.list()], key=lambda file: file.name)


async def test_file_is_listed_with_its_sidecars_expiry_and_its_time(
    uploads: Path, files: LocalExpiringFiles
) -> None:
    """The sidecar itself is not listed; other metadata in it do no harm."""
    _upload(uploads / "u1/a.png", json.dumps({"expires_at": EXPIRY, "user": "u1"}))
    os.utime(uploads / "u1/a.png", ns=(1, 1_795_000_000_123_456_789))
    assert await _listed(files) == [StoredFile("uploads/u1/a.png", EXPIRY, 1_795_000_000_123_456_789)]


@pytest.mark.parametrize(
    "sidecar",
    ["", "{", "[]", "null", '"x"', "{}", '{"expires_at": 5}', '{"expires_at": null}', "[" * 50_000, " " * 70_000],
)
async def test_unreadable_sidecar_says_nothing(uploads: Path, files: LocalExpiringFiles, sidecar: str) -> None:
    """The file is listed without an expiry, and so is kept."""
    _upload(uploads / "a", sidecar)
    [file] = await _listed(files)
    assert (file.name, file.expires_at) == ("uploads/a", None)


async def test_sidecar_that_is_no_file_says_nothing(uploads: Path, files: LocalExpiringFiles) -> None:
    """Reading a pipe would wait for ever."""
    _upload(uploads / "a")
    os.mkfifo(uploads / "a.metadata.json")
    [file] = await _listed(files)
    assert (file.name, file.expires_at) == ("uploads/a", None)


async def test_sidecar_that_lost_its_file_goes_when_the_file_would_have(
    uploads: Path, files: LocalExpiringFiles
) -> None:
    """A crash between the two deletions leaves one, which must not stay for ever."""
    _upload(uploads / "a", json.dumps({"expires_at": EXPIRY}))
    (uploads / "a").unlink()
    [file] = await _listed(files)
    assert (file.name, file.expires_at) == ("uploads/a.metadata.json", EXPIRY)
    assert await files.delete(file)
    assert await _listed(files) == []


async def test_file_whose_expiry_was_put_off_is_not_deleted(uploads: Path, files: LocalExpiringFiles) -> None:
    """The sidecar counts as part of what was listed."""
    _upload(uploads / "a", json.dumps({"expires_at": EXPIRY}))
    [file] = await _listed(files)
    (uploads / "a.metadata.json").write_text(json.dumps({"expires_at": "2027-11-24T12:00:00+00:00"}))
    assert not await files.delete(file)
    assert (uploads / "a").exists()


async def test_symbolic_links_are_neither_followed_nor_listed(
    uploads: Path, files: LocalExpiringFiles, tmp_path: Path
) -> None:
    """Links in the uploads can't reach files elsewhere."""
    _upload(tmp_path / "elsewhere/secret", json.dumps({"expires_at": EXPIRY}))
    (uploads / "folder").symlink_to(tmp_path / "elsewhere")
    (uploads / "file").symlink_to(tmp_path / "elsewhere/secret")
    (uploads / "file.metadata.json").symlink_to(tmp_path / "elsewhere/secret.metadata.json")
    (uploads / "dangling").symlink_to(uploads / "nowhere")
    assert await _listed(files) == []


async def test_uploads_that_are_a_link_themselves_are_not_listed(tmp_path: Path) -> None:
    """The directory that is configured may be a link, what stands in it may not."""
    _upload(tmp_path / "elsewhere/a")
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage/uploads").symlink_to(tmp_path / "elsewhere")
    assert await _listed(LocalExpiringFiles(tmp_path / "storage")) == []


async def test_folder_replaced_by_a_link_protects_what_it_points_to(
    uploads: Path, files: LocalExpiringFiles, tmp_path: Path
) -> None:
    """Even if the file there looks just like the one that was listed."""
    _upload(uploads / "folder/a", json.dumps({"expires_at": EXPIRY}))
    [file] = await _listed(files)
    (uploads / "folder").rename(tmp_path / "elsewhere")
    (uploads / "folder").symlink_to(tmp_path / "elsewhere")
    assert not await files.delete(file)
    assert (tmp_path / "elsewhere/a").exists()


@pytest.mark.parametrize(
    "name", ["uploads/../keep", "keep", "{root}/keep", "uploads/../../storage/keep", "", "uploads"]
)
async def test_name_that_leaves_uploads_deletes_nothing(
    uploads: Path, files: LocalExpiringFiles, name: str
) -> None:
    """Names come from a listing; nobody should be able to make others work."""
    keep = uploads.parent / "keep"
    _upload(keep)
    name = name.format(root=uploads.parent)
    assert not await files.delete(StoredFile(name, None, keep.stat().st_mtime_ns))
    assert keep.exists()


async def test_pipes_and_empty_folders_are_not_listed(uploads: Path, files: LocalExpiringFiles) -> None:
    """Only regular files are uploads."""
    os.mkfifo(uploads / "pipe")
    (uploads / "empty").mkdir()
    assert await _listed(files) == []


async def test_files_outside_uploads_are_not_listed(uploads: Path, files: LocalExpiringFiles) -> None:
    """The directory may hold other things, as a bucket does."""
    _upload(uploads / "a")
    _upload(uploads.parent / "b")
    _upload(uploads.parent / "uploads-old/c")
    assert [file.name for file in await _listed(files)] == ["uploads/a"]


async def test_directory_without_uploads_lists_nothing(tmp_path: Path) -> None:
    """Nothing has been uploaded yet."""
    assert await _listed(LocalExpiringFiles(tmp_path)) == []


@pytest.mark.parametrize("name", ["nowhere", "file"])
async def test_missing_directory_is_unavailable_storage(tmp_path: Path, name: str) -> None:
    """A disk that is not mounted is no empty storage."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable, match=name):
        await _listed(LocalExpiringFiles(tmp_path / name))
