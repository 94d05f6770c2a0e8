"""Reading sets: built ones, those of other programs, and damaged ones."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from cleanplate.depth.depth_codec import FARTHEST
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import read_image, write_image
from cleanplate.synthesis.building.build import build
from cleanplate.synthesis.building.local_engine import run_here
from cleanplate.synthesis.inspection.stored_part import StoredPart, as_millimetres
from cleanplate.synthesis.inspection.stored_set import StoredSample, StoredSet, open_set
from tests.synthesis.small_sets import small_request, write_assets_folder


@pytest.fixture(scope="module")
def asset_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_assets_folder(tmp_path_factory.mktemp("asset_folder"))


@pytest.fixture(scope="module")
def shards(asset_folder: Path) -> Path:
    build(small_request(asset_folder, asset_folder / "shards"), run_here)
    return asset_folder / "shards"


@pytest.fixture(scope="module")
def folders(asset_folder: Path) -> Path:
    build(small_request(asset_folder, asset_folder / "folders", "assignment"), run_here)
    return asset_folder / "folders"


def every(stored: StoredSet) -> list[StoredSample]:
    return [sample for portion in stored.chunks for sample in stored.samples(portion)]


def write_tar(file: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(file, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def png(tmp_path: Path, array: np.ndarray) -> bytes:
    write_image(tmp_path / "part.png", array)
    return (tmp_path / "part.png").read_bytes()


def test_built_shards(shards: Path) -> None:
    stored = open_set(shards)
    assert (stored.form, stored.count) == ("shards", 12)
    samples = every(stored)
    assert [sample.name for sample in samples] == [f"{index:09}" for index in range(12)]
    for index, sample in enumerate(samples):
        assert set(sample.parts) == {
            *("plate", "frame", "foreground", "alpha", "shadow", "plate_depth", "depth", "json")
        }
        assert sample.parts["json"].read_metadata()["index"] == index
        assert sample.parts["alpha"].decode().shape == (48, 64)
        assert sample.parts["depth"].decode().dtype == np.uint16
        assert sample.parts["frame"].place == f"{index // 5:06}.tar:{index:09}.frame.jpg"


def test_built_folders_share_their_plates(folders: Path) -> None:
    stored = open_set(folders)
    assert (stored.form, stored.count) == ("folders", 24)
    samples = every(stored)
    assert [sample.name for sample in samples] == [f"{index:06}" for index in range(24)]
    first, second = samples[0].parts["bg"], samples[1].parts["bg"]
    assert first.link is not None
    assert second is first  # read once
    for sample in samples:
        for kind, part in sample.parts.items():
            assert part.data == (folders / kind / f"{sample.name}.jpg").read_bytes()
            assert part.link is None or kind == "bg"


def test_colours_are_red_green_blue(tmp_path: Path) -> None:
    red = np.zeros((4, 5, 3), np.uint8)
    red[..., 0] = 200
    for array in (red, red.astype(np.uint16) * 257, np.dstack([red, red[..., 0]])):
        part = StoredPart("red", "png", png(tmp_path, array), 0)
        np.testing.assert_array_equal(part.decode(), array)


def test_a_plain_webdataset_from_elsewhere(tmp_path: Path) -> None:
    grey = png(tmp_path, np.full((4, 5), 9, np.uint8))
    depth = io.BytesIO()
    np.save(depth, np.full((4, 5), 2.5, np.float32))
    parts = {"plate.png": grey, "frame.png": grey, "alpha.png": grey, "depth.npy": depth.getvalue()}
    for shard in (2, 10):
        members = {f"./s/x{shard}.{k}": data for k, data in parts.items()}
        write_tar(tmp_path / f"part-{shard}.tar", members)
    stored = open_set(tmp_path)
    assert stored.plan is None
    assert stored.count is None
    samples = every(stored)
    assert [sample.name for sample in samples] == ["./s/x2", "./s/x10"]
    assert samples[0].parts["depth"].decode()[0, 0] == 2.5


def test_plates_shared_by_the_beginning_of_names(tmp_path: Path) -> None:
    for folder in ("bg", "fg_bg", "mask", "depth"):
        (tmp_path / folder).mkdir()
    for room in ("room", "room_a"):
        write_image(tmp_path / "bg" / f"{room}.png", np.full((4, 5, 3), len(room), np.uint8))
    for name in ("room_1", "room_a_7"):
        for folder in ("fg_bg", "mask", "depth"):
            write_image(tmp_path / folder / f"{name}.png", np.zeros((4, 5), np.uint8))
    first, second = every(open_set(tmp_path))
    assert (first.name, first.parts["bg"].place) == ("room_1", "bg/room.png")
    assert (second.name, second.parts["bg"].place) == ("room_a_7", "bg/room_a.png")


def test_a_sample_without_a_part_is_given_without_it(folders: Path, tmp_path: Path) -> None:
    shutil.copytree(folders, tmp_path / "set")
    (tmp_path / "set" / "mask" / "000007.jpg").unlink()
    sample = every(open_set(tmp_path / "set"))[7]
    assert (sample.name, sorted(sample.parts)) == ("000007", ["bg", "depth", "fg_bg"])


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12, 50])
@pytest.mark.parametrize("form", ["shards", "folders"])
def test_a_spread_is_even_and_without_repeats(
    form: str, count: int, request: pytest.FixtureRequest
) -> None:
    stored = open_set(request.getfixturevalue(form))
    numbers = [int(sample.name) for sample in stored.spaced_samples(count)]
    assert len(numbers) == min(count, stored.count)
    assert numbers == sorted(set(numbers))
    if 1 < count < stored.count:
        assert numbers[0] < stored.count / 3
        assert numbers[-1] >= stored.count * 2 / 3


def test_a_folder_without_a_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(CleanplateError, match="is no folder"):
        open_set(tmp_path / "none")
    with pytest.raises(CleanplateError, match="holds no set"):
        open_set(tmp_path)
    (tmp_path / "fg_bg").mkdir()
    with pytest.raises(CleanplateError, match="holds no samples yet"):
        open_set(tmp_path)


def test_a_truncated_shard_is_named(shards: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.tar"
    whole = (shards / "000000.tar").read_bytes()
    with tarfile.open(shards / "000000.tar") as tar:
        last = tar.getmembers()[-1]
    end = last.offset_data + last.size
    for length in (0, 100, 700, len(whole) // 2, last.offset + 100, end - 1, end):
        file.write_bytes(whole[:length])
        with pytest.raises(CleanplateError, match=r"cannot be read|cut short|no samples") as caught:
            every(open_set(tmp_path))
        assert caught.value.file == file


def test_salvage_leaps_over_a_broken_header(shards: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.tar"
    shutil.copyfile(shards / "000000.tar", file)
    with tarfile.open(file) as tar:
        members = [member for member in tar if member.name == "000000002.alpha.png"]
    with file.open("r+b") as raw:
        raw.seek(members[0].offset + 3)
        raw.write(b"?")
    stored = open_set(tmp_path)
    found = list(stored.samples(stored.chunks[0], salvage=True))
    assert [sample.name for sample in found] == [f"{index:09}" for index in range(5)]
    assert [name for name in found if "alpha" not in name.parts] == [found[2]]


@pytest.mark.parametrize(
    ("ending", "data", "complaint"),
    [
        ("png", b"", "is empty"),
        ("png", b"\x89PNG\r\n\x1a\n", "cannot be decoded"),
        ("jpg", b"nothing", "cannot be decoded"),
        ("npy", b"nothing", "cannot be decoded"),
    ],
)
def test_what_cannot_be_decoded_is_named(ending: str, data: bytes, complaint: str) -> None:
    with pytest.raises(CleanplateError, match=complaint) as caught:
        StoredPart("a.tar:7.part", ending, data, 0).decode()
    assert str(caught.value.file) == "a.tar:7.part"


def test_facts_that_are_none_are_named() -> None:
    for data, complaint in ((b"{", "cannot be read as JSON"), (b"[]", "no JSON object")):
        with pytest.raises(CleanplateError, match=complaint):
            StoredPart("7.json", "json", data, 0).read_metadata()
    assert StoredPart("7.json", "json", json.dumps({"a": 1}).encode(), 0).read_metadata() == {
        "a": 1
    }


def test_depth_in_millimetres() -> None:
    metres = np.array([[1.0004, 0, -1], [np.nan, np.inf, 70], [0.0011, 65.534, 65.535]], np.float64)
    held = as_millimetres(metres)
    expected = [[1000, 0, 0], [0, FARTHEST, FARTHEST], [1, 65534, FARTHEST]]
    np.testing.assert_array_equal(held, expected)
    np.testing.assert_array_equal(as_millimetres(held), held)
    with pytest.raises(ValueError, match="expected"):
        as_millimetres(np.zeros((2, 2), np.uint8))


def test_linked_files_take_their_place_once(folders: Path) -> None:
    part = every(open_set(folders))[0].parts["bg"]
    status = os.stat(folders / "bg" / "000000.jpg")
    assert part.link == (status.st_dev, status.st_ino)
    assert part.disk == status.st_blocks * 512
    assert read_image(folders / "bg" / "000000.jpg").shape == part.decode().shape
