"""Archives of assets: size, exactness, the same bytes each time."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cleanplate.cli import main
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import write_alpha, write_image
from cleanplate.synthesis.assets.asset_card import write_asset_card
from cleanplate.synthesis.assets.asset_compression import CompressionSettings, round_depth
from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder
from cleanplate.synthesis.assets.packing import pack_cutouts, pack_pairs, pack_plates
from cleanplate.synthesis.procedural.procedural_files import write_plates
from cleanplate.training.data.shard_reader import Shards


def unpacked(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder


def write_disc(folder: Path, stem: str) -> npt.NDArray[np.float32]:
    """A soft red disc as a cutout; gives its alpha."""
    rows, columns = np.mgrid[:60, :50]
    distance = np.hypot(rows - 30, columns - 25)
    alpha = np.clip((22 - distance) / 4, 0, 1).astype(np.float32)
    picture = np.zeros((60, 50, 4), np.float32)
    picture[..., 0] = 0.2 + rows / 100
    picture[..., 3] = alpha
    folder.mkdir(exist_ok=True)
    write_image(folder / f"{stem}.png", picture)
    thickness = np.where(alpha > 0, (5 - 0.3 + 0.001 * rows) * 10000, 0).astype(np.uint16)
    write_image(folder / f"{stem}_depth.png", thickness)
    metadata = {"kind": "object", "license": "CC0-1.0", "height_m": 0.4}
    (folder / f"{stem}.json").write_text(json.dumps(metadata), encoding="utf-8")
    return alpha


@settings(deadline=None, max_examples=50)
@given(
    arrays(np.uint16, (5, 7), elements=st.integers(0, 65535)),
    st.sampled_from([0.0, 0.002, 0.005, 0.02]),
)
def test_depth_moves_by_half_a_step_and_half_a_millimetre_at_most(
    depth: npt.NDArray[np.uint16], step: float
) -> None:
    rounded = round_depth(depth, step)
    assert ((rounded == 0) == (depth == 0)).all()
    error = np.abs(rounded.astype(float) - depth)
    assert (error <= depth * step / 2 * (1 + step) + 0.5).all()
    assert len(np.unique(rounded)) <= len(np.unique(depth))


def test_plates_come_back_with_their_depth_and_camera(tmp_path: Path) -> None:
    write_plates(tmp_path / "rooms", 2, seed=3)
    assert pack_plates(tmp_path / "rooms", tmp_path / "rooms.tar.gz") == 2
    back = PlateFolder.open(unpacked(tmp_path / "rooms.tar.gz", tmp_path / "there") / "rooms")
    for first, second in zip(PlateFolder.open(tmp_path / "rooms"), back, strict=False):
        assert first.camera == second.camera
        assert first.disparity is not None
        assert second.disparity is not None
        np.testing.assert_allclose(second.disparity, first.disparity, rtol=0.004, atol=1e-4)
        assert np.abs(first.picture.astype(float) - second.picture).mean() < 4


def test_cutouts_come_back_with_the_very_same_alpha(tmp_path: Path) -> None:
    write_disc(tmp_path / "things", "disc")
    assert pack_cutouts(tmp_path / "things", tmp_path / "things.tar.gz") == 1
    folder = unpacked(tmp_path / "things.tar.gz", tmp_path / "there") / "things"
    assert sorted(file.name for file in folder.iterdir()) == [
        "disc.jpg",
        "disc.json",
        "disc_alpha.png",
        "disc_depth.png",
    ]
    first = CutoutFolder.open(tmp_path / "things")[0]
    second = CutoutFolder.open(folder)[0]
    np.testing.assert_array_equal(second.alpha, first.alpha)
    seen = first.alpha > 60
    assert np.abs(first.colour[seen].astype(float) - second.colour[seen]).mean() < 4
    np.testing.assert_allclose(second.depth[seen], first.depth[seen], atol=0.002)
    assert (first.kind, first.foot, first.size) == (second.kind, second.foot, second.size)


def test_names_with_dots_stay_themselves(tmp_path: Path) -> None:
    write_plates(tmp_path / "made", 2, seed=3)
    rooms = tmp_path / "rooms"
    rooms.mkdir()
    for old, new in (("000000", "room"), ("000001", "room.001")):
        for file in (tmp_path / "made").glob(f"{old}*"):
            file.rename(rooms / file.name.replace(old, new, 1))
    assert len(list(rooms.glob("*.jpg"))) == 2
    pack_plates(rooms, tmp_path / "rooms.tar.gz", CompressionSettings(100, 0))
    there = PlateFolder.open(unpacked(tmp_path / "rooms.tar.gz", tmp_path / "there") / "rooms")
    assert [file.name for file in there.files] == ["room.001.jpg", "room.jpg"]
    for packed, plate in zip(there, PlateFolder.open(rooms), strict=True):
        assert packed.name == plate.name
        assert np.abs(packed.picture.astype(float) - plate.picture).mean() < 2
        np.testing.assert_allclose(packed.disparity, plate.disparity, rtol=0.004, atol=1e-4)
    write_disc(tmp_path / "things", "disc.001")
    pack_cutouts(tmp_path / "things", tmp_path / "things.tar.gz")
    there = CutoutFolder.open(unpacked(tmp_path / "things.tar.gz", tmp_path / "there") / "things")
    assert [cutout.name for cutout in there] == ["disc.001"]


def test_pairs_whose_names_have_dots_are_all_in_the_shard(tmp_path: Path) -> None:
    write_pair(tmp_path / "pairs", "room")
    write_pair(tmp_path / "pairs", "room.001")
    (tmp_path / "set").mkdir()
    assert pack_pairs(tmp_path / "pairs", tmp_path / "set" / "0.tar") == 2
    shards = Shards(tmp_path / "set")
    assert [shards.name(number) for number in range(len(shards))] == ["room", "room_001"]
    write_pair(tmp_path / "pairs", "room_001")
    with pytest.raises(CleanplateError, match=r"room_001\.json: would have the same name"):
        pack_pairs(tmp_path / "pairs", tmp_path / "set" / "0.tar")


def test_hidden_files_are_no_items(tmp_path: Path) -> None:
    write_disc(tmp_path / "things", "disc")
    (tmp_path / "things" / "._disc.json").write_bytes(b"\x00\x05\x16\x07")
    assert pack_cutouts(tmp_path / "things", tmp_path / "things.tar.gz") == 1


def write_pair(folder: Path, name: str = "00007", **metadata: object) -> npt.NDArray[np.float32]:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    for part in ("plate", "frame", "foreground"):
        smooth = np.kron(rng.random((6, 8, 3)), np.ones((8, 8, 1))).astype(np.float32)
        write_image(folder / f"{name}_{part}.png", smooth)
    alpha = np.zeros((48, 64), np.float32)
    alpha[10:30, 20:40] = 1
    write_alpha(folder / f"{name}_alpha.png", alpha)
    write_alpha(folder / f"{name}_shadow.png", np.full((48, 64), 0.8, np.float32), bits=16)
    for part, metres in (("plate_depth", 4.0), ("depth", 2.0)):
        write_image(folder / f"{name}_{part}.png", np.full((48, 64), metres * 1000, np.uint16))
    (folder / f"{name}.json").write_text(
        json.dumps({"world": "test", **metadata}), encoding="utf-8"
    )
    return alpha


def test_pairs_become_a_shard_that_training_reads(tmp_path: Path) -> None:
    alpha = write_pair(tmp_path / "pairs")
    (tmp_path / "set").mkdir()
    assert pack_pairs(tmp_path / "pairs", tmp_path / "set" / "000000.tar") == 1
    sample = Shards(tmp_path / "set").read(0)
    np.testing.assert_array_equal(sample["alpha"], alpha)
    np.testing.assert_allclose(sample["shadow"], 0.8, atol=0.003)
    np.testing.assert_allclose(sample["plate_disparity"], 0.25, rtol=0.003)
    np.testing.assert_allclose(sample["disparity"], 0.5, rtol=0.003)


def test_what_a_catalogue_says_of_pairs_goes_into_each(tmp_path: Path) -> None:
    write_pair(tmp_path / "pairs", attribution="by me")
    told = {"licence": "CC-BY-4.0", "source": "us", "attribution": "by us", "title": "Pairs"}
    (tmp_path / "pairs" / "catalogue.json").write_text(json.dumps(told), encoding="utf-8")
    pack_pairs(tmp_path / "pairs", tmp_path / "0.tar")
    unpacked(tmp_path / "0.tar", tmp_path / "out")
    metadata = json.loads((tmp_path / "out" / "00007.json").read_text(encoding="utf-8"))
    assert metadata == {
        "world": "test", "license": "CC-BY-4.0", "source": "us", "attribution": "by me"
    }  # fmt: skip


def test_a_rendering_is_packed_as_it_lies(tmp_path: Path) -> None:
    """Its plan is no item."""
    write_pair(tmp_path / "pairs", license="CC0-1.0", source="drawn by a test")
    (tmp_path / "pairs" / "render.json").write_text('{"count": 2}', encoding="utf-8")
    assert pack_pairs(tmp_path / "pairs", tmp_path / "pairs.tar") == 1
    write_asset_card(tmp_path / "pairs", tmp_path / "card.md", "pairs")
    assert (tmp_path / "card.md").read_text(encoding="utf-8").startswith("# 1 pairs")


def test_pairs_are_packed_smaller_with_the_lens_of_their_size(tmp_path: Path) -> None:
    lens = {"width": 64, "height": 48, "fx": 60.0, "fy": 60.0, "cx": 32.0, "cy": 24.0}
    alpha = write_pair(tmp_path / "pairs", **lens)
    (tmp_path / "set").mkdir()
    pack_pairs(
        tmp_path / "pairs", tmp_path / "set" / "000000.tar", CompressionSettings(long_side=32)
    )
    sample = Shards(tmp_path / "set").read(0)
    np.testing.assert_allclose(sample["alpha"], alpha.reshape(24, 2, 32, 2).mean((1, 3)))
    np.testing.assert_allclose(sample["disparity"], np.full((24, 32), 0.5), rtol=0.003)
    assert sample["frame"].shape == (24, 32, 3)
    unpacked(tmp_path / "set" / "000000.tar", tmp_path / "out")
    told = json.loads((tmp_path / "out" / "00007.json").read_text(encoding="utf-8"))
    assert {key: told[key] for key in lens} == {key: value / 2 for key, value in lens.items()}


def test_the_same_items_are_the_same_bytes(tmp_path: Path) -> None:
    write_disc(tmp_path / "things", "disc")
    write_pair(tmp_path / "pairs")
    for name in ("one", "two"):
        pack_cutouts(tmp_path / "things", tmp_path / f"{name}.tar.gz")
        pack_pairs(tmp_path / "pairs", tmp_path / f"{name}.tar")
    for ending in (".tar.gz", ".tar"):
        assert (tmp_path / f"one{ending}").read_bytes() == (tmp_path / f"two{ending}").read_bytes()


def test_depth_is_kept_when_asked(tmp_path: Path) -> None:
    write_pair(tmp_path / "pairs")
    depth = np.arange(1, 48 * 64 + 1, dtype=np.uint16).reshape(48, 64)
    write_image(tmp_path / "pairs" / "00007_depth.png", depth)
    (tmp_path / "set").mkdir()
    pack_pairs(tmp_path / "pairs", tmp_path / "set" / "0.tar", CompressionSettings(depth_step=0))
    read = Shards(tmp_path / "set").read(0)["disparity"]
    np.testing.assert_allclose(1000 / read, depth, rtol=1e-5)


def test_an_empty_folder_is_refused_and_leaves_the_old_archive(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(b"old")
    with pytest.raises(CleanplateError, match="none"):
        pack_plates(tmp_path / "none", archive)
    assert archive.read_bytes() == b"old"


def test_the_command_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_disc(tmp_path / "things", "disc")
    target = tmp_path / "things.tar.gz"
    card = tmp_path / "card.md"
    command = ["synth", "pack", "cutouts", str(tmp_path / "things"), str(target)]
    assert main([*command, "--card", str(card)]) == 0
    assert capsys.readouterr().out.startswith("1 cutouts, ")
    assert "- kind: object 1" in card.read_text(encoding="utf-8")
    assert "CC0-1.0" in card.read_text(encoding="utf-8")


def test_a_card_is_refused_where_a_licence_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_disc(tmp_path / "things", "disc")
    (tmp_path / "things" / "disc.json").write_text(json.dumps({"kind": "object"}), encoding="utf-8")
    target = tmp_path / "things.tar.gz"
    command = ["synth", "pack", "cutouts", str(tmp_path / "things"), str(target)]
    assert main([*command, "--card", str(tmp_path / "card.md")]) == 2
    assert "disc" in capsys.readouterr().err
    assert not target.exists()


def test_rounding_keeps_the_codes_that_are_no_distances() -> None:
    depth = np.array([[0, 65535, 65534, 65300, 30000]], np.uint16)
    rounded = round_depth(depth, 0.005)
    assert rounded[0, :2].tolist() == [0, 65535]
    assert (rounded[0, 2:] < 65535).all()
