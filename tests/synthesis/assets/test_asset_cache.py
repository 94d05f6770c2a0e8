"""Cache of decoded assets: same samples, and no outdated entries."""

from __future__ import annotations

import json
import logging
import os
import pickle
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import write_image
from cleanplate.synthesis import Composer
from cleanplate.synthesis.assets import asset_cache
from cleanplate.synthesis.assets.asset_cache import AssetCache, default_cache, with_cache
from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder
from cleanplate.synthesis.procedural.procedural_files import write_assets
from tests.synthesis.compositor.test_composer import digest

SIZES = ((48, 64), (72, 96))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plates with camera, with depth alone and without; cutouts in every form."""
    home = tmp_path_factory.mktemp("assets")
    plates, cutouts = home / "plates", home / "cutouts"
    list(write_assets("plates", plates, 2, seed=1))
    rng = np.random.default_rng(0)
    photo = cv2.resize(rng.integers(0, 255, (9, 12, 3), np.uint8), (120, 90))
    write_image(plates / "photo.png", photo)
    write_image(plates / "deep.png", photo[::-1].copy())
    depth = np.full((90, 120), 3000, np.uint16)
    depth[:20] = 0
    cv2.imwrite(str(plates / "deep_depth.png"), depth)
    list(write_assets("cutouts", cutouts, 4, seed=1))
    rgba = np.zeros((600, 300, 4), np.uint8)
    rgba[20:, 60:240] = (200, 40, 90, 255)
    write_image(cutouts / "plain.png", rgba)
    write_image(cutouts / "half.jpg", rgba[..., :3])
    write_image(cutouts / "half_alpha.png", rgba[..., 3])
    metadata = {"kind": "person", "framing": "half", "cut": {"bottom": True}, "height_m": 0.9}
    (cutouts / "half.json").write_text(
        json.dumps({**metadata, "license": ["CC0-1.0", "MIT"]}), "utf-8"
    )
    return home


def composer(home: Path, cache: Path | None) -> Composer:
    return Composer.from_folders(home / "plates", home / "cutouts", seed=4, cache=cache)


def samples(made_by: Composer, count: int = 24) -> list[str]:
    return [digest(made_by.sample(i, SIZES[i % 2])) for i in range(count)]


def copied(made: Path, to: Path) -> Path:
    for file in made.rglob("*"):
        if file.is_file():
            target = to / file.relative_to(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    return to


def test_samples_are_the_same_to_the_byte(made: Path, tmp_path: Path):
    plain, cached = composer(made, None), composer(made, tmp_path)
    assert samples(cached) == samples(plain)
    assert all(isinstance(one.cache, AssetCache) for one in (cached.plates[0], cached.cutouts[0]))
    again = composer(made, tmp_path)  # from the file that is there
    assert samples(again) == samples(plain)
    for folder in (again.plates[0], again.cutouts[0]):
        assert not folder._loaded, "nothing was read but from the cache"
        assert all(folder.cache.get(path) is not None for path in folder.files)


def test_assets_are_those_that_are_read(made: Path, tmp_path: Path):
    for one in with_cache(PlateFolder.open(made / "plates"), tmp_path):
        read = PlateFolder([made / "plates" / f"{one.name}.jpg"])
        read = (
            read if read.files[0].exists() else PlateFolder([made / "plates" / f"{one.name}.png"])
        )
        assert repr(one.camera) == repr(read[0].camera)
        assert (one.points is None) == (read[0].points is None)
        for mine, theirs in zip(one.points or (), read[0].points or (), strict=True):
            assert np.array_equal(mine, theirs)
    read = CutoutFolder.open(made / "cutouts")
    cached = with_cache(CutoutFolder.open(made / "cutouts"), tmp_path)
    for number in range(len(read)):
        one, other = cached[number], read[number]
        for name in ("name", "kind", "foot", "pixels_per_metre", "size", "view_angle", "cut"):
            assert repr(getattr(one, name)) == repr(getattr(other, name))
        assert (one.half, one.credit) == (other.half, other.credit)
        for mine, theirs in zip(one.footprint, other.footprint, strict=True):
            assert np.array_equal(mine, theirs)
        assert len(one.levels) == len(other.levels)


def test_another_process_maps_the_file_by_itself(made: Path, tmp_path: Path):
    cached = composer(made, tmp_path)
    text = pickle.dumps(cached)
    assert len(text) < 20_000, "no asset travels with it"
    assert samples(pickle.loads(text), 6) == samples(composer(made, None), 6)


@pytest.mark.parametrize("what", ["picture", "depth", "facts", "new depth"])
def test_what_has_changed_is_decoded_again(made: Path, tmp_path: Path, what: str):
    home, cache = copied(made, tmp_path / "copy"), tmp_path / "cache"
    plates = home / "plates"
    before = samples(composer(home, cache))
    if what == "picture":
        write_image(plates / "000000.jpg", np.full((288, 384, 3), 90, np.uint8))
    elif what == "depth":
        cv2.imwrite(str(plates / "000000_depth.png"), np.full((288, 384), 2500, np.uint16))
    elif what == "facts":
        metadata = json.loads((plates / "000000.json").read_text("utf-8"))
        (plates / "000000.json").write_text(
            json.dumps({**metadata, "camera_height": 0.31}), "utf-8"
        )
    else:
        cv2.imwrite(str(plates / "photo_depth.png"), np.full((90, 120), 2500, np.uint16))
    after = samples(composer(home, cache))
    assert after == samples(composer(home, None))
    assert after != before


def test_a_change_while_it_is_in_use_is_noticed_at_first_use(made: Path, tmp_path: Path):
    home = copied(made, tmp_path / "copy")
    cached = composer(home, tmp_path / "cache")
    write_image(home / "plates" / "photo.png", np.full((90, 120, 3), 7, np.uint8))
    number = [file.stem for file in cached.plates[0].files].index("photo")
    assert (cached.plates[0][number].picture == 7).all()


def test_only_what_is_new_is_decoded(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home, cache = copied(made, tmp_path / "copy"), tmp_path / "cache"
    composer(home, cache)
    write_image(home / "plates" / "new.png", np.full((90, 120, 3), 7, np.uint8))
    read: list[str] = []
    plain = PlateFolder.read

    def reading(self: PlateFolder, path: Path):
        read.append(path.name)
        return plain(self, path)

    monkeypatch.setattr(PlateFolder, "read", reading)
    composer(home, cache)
    assert read == ["new.png"]
    composer(home, cache)
    assert read == ["new.png"]


@pytest.mark.parametrize("damage", ["short", "empty", "foreign", "older"])
def test_a_damaged_or_older_file_is_made_anew(
    made: Path, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
):
    if damage == "older":
        with monkeypatch.context() as other:
            other.setattr(asset_cache, "decoder_version", lambda: "another version")
            composer(made, tmp_path)
    else:
        composer(made, tmp_path)
    [file] = tmp_path.glob("plates-*")
    data = file.read_bytes()
    if damage != "older":
        file.write_bytes({"short": data[:-9], "empty": b"", "foreign": b"x" * 999}[damage])
    cached = composer(made, tmp_path)
    assert samples(cached, 6) == samples(composer(made, None), 6)
    assert not cached.plates[0]._loaded
    assert file.read_bytes() == data or damage == "older"


def test_a_faulty_asset_is_told_when_it_is_used_and_looked_at_once(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    home = copied(made, tmp_path / "copy")
    (home / "plates" / "photo.png").write_bytes(b"no picture")
    cached = composer(home, tmp_path / "cache").plates[0]
    number = [file.stem for file in cached.files].index("photo")
    with pytest.raises(CleanplateError) as told:
        cached[number]
    assert told.value.file.name == "photo.png"
    monkeypatch.setattr(PlateFolder, "read", None)  # would raise
    composer(home, tmp_path / "cache")


def test_a_full_cache_leaves_the_rest_to_be_read(made: Path, tmp_path: Path):
    folder = with_cache(PlateFolder.open(made / "plates"), tmp_path, limit=1_000_000)
    there = [folder.cache.get(path) is not None for path in folder.files]
    assert any(there)
    assert not all(there)
    plain = PlateFolder.open(made / "plates")
    for number in range(len(folder)):
        assert np.array_equal(folder[number].picture, plain[number].picture)
    [file] = tmp_path.glob("*.assets")
    assert file.stat().st_size < 1_100_000
    stamp = file.stat().st_ino
    with_cache(PlateFolder.open(made / "plates"), tmp_path, limit=1_000_000)
    assert file.stat().st_ino == stamp, "what is left out is not tried again at each start"


def test_the_least_recently_used_files_are_deleted(made: Path, tmp_path: Path):
    for age, name in ((10, "older"), (20, "newer")):
        path = tmp_path / f"{name}.assets"
        path.write_bytes(bytes(2_500_000))
        os.utime(path, (age, age))
    (tmp_path / ".half-12ab.assets").write_bytes(b"left by a killed process")
    with_cache(PlateFolder.open(made / "plates"), tmp_path, limit=1_000_000)
    there = {path.name for path in tmp_path.glob("*.assets")}
    assert "older.assets" not in there
    assert "newer.assets" in there
    assert not any(name.startswith(".") for name in there)
    assert len(there) == 2


def test_without_a_place_for_it_everything_works_all_the_same(
    made: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "file").write_text("no folder", "utf-8")
    with caplog.at_level(logging.WARNING, "cleanplate"):
        cached = composer(made, tmp_path / "file" / "cache")
    assert "without a cache" in caplog.text
    assert samples(cached, 4) == samples(composer(made, None), 4)


START = """
import sys
from pathlib import Path
from tests.synthesis.assets.test_asset_cache import composer, samples
cached = composer(Path(sys.argv[1]), Path(sys.argv[2]))
assert cached.plates[0].cache is not None
print(*samples(cached, 4))
"""


def test_two_that_start_at_once_get_the_same(made: Path, tmp_path: Path):
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", START, str(made), str(tmp_path)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        for _ in range(2)
    ]
    told = [process.communicate()[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert told[0] == told[1] == samples(composer(made, None), 4)
    assert len(list(tmp_path.glob("*.assets"))) == 2


def test_the_usual_place_is_the_systems_for_caches(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_cache() == Path("/somewhere/cleanplate/assets")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache() == Path.home() / ".cache/cleanplate/assets"
