"""Extraction of cutouts: shapes with known place, size and colour."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.formats.pictures import read_rgba
from cleanplate.matte import over
from cleanplate.synthesis.assets.catalogue import CutoutFolder
from cleanplate.synthesis.ingest.cutout_extraction import (
    ExtractedCutout,
    ExtractionSettings,
    MattedPicture,
    Refused,
    extract_cutout,
)
from cleanplate.synthesis.ingest.cutout_writer import CutoutFolderWriter
from cleanplate.synthesis.ingest.decontamination import decontaminate, unmix_background
from cleanplate.synthesis.ingest.matte_geometry import cut_sides, foot_of, remove_specks
from cleanplate.synthesis.ingest.near_duplicates import cutout_thumbnail, thumbnail_distance


def disc(size: tuple[int, int], centre: tuple[float, float], radius: float, soft: float = 3.0):
    """Alpha of a disc (centre in x, y) with a rim `soft` pixels wide."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    distance = np.hypot(x - centre[0], y - centre[1])
    return np.clip((radius - distance) / soft + 0.5, 0, 1).astype(np.float32)


def stripes(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """A bright, varied picture."""
    noise = np.random.default_rng(seed).uniform(60, 230, (*size, 3)).astype(np.float32)
    return np.rint(cv2.GaussianBlur(noise, (0, 0), 6) * 1.0).astype(np.uint8)


def figure(height: int = 120, width: int = 60) -> np.ndarray:
    """A body on two legs, the left one longer: alpha of 0 and 1."""
    alpha = np.zeros((height, width), np.float32)
    alpha[10:80, 20:40] = 1
    alpha[80:110, 20:26] = 1
    alpha[80:104, 34:40] = 1
    return alpha


# Rims


def mixed(colour: np.ndarray, alpha: np.ndarray, ground: float) -> np.ndarray:
    a = alpha[..., None]
    return np.rint(colour * a + (1 - a) * ground).astype(np.uint8)


@pytest.mark.parametrize(("ground", "name"), [(0, "black"), (255, "white")])
def test_mixed_colour_is_found_and_undone(ground: float, name: str):
    colour, alpha = stripes((120, 120)), disc((120, 120), (60, 60), 40, soft=8)
    found = unmix_background(mixed(colour, alpha, ground), alpha)
    assert found.background == name
    trusted = alpha > 0.3
    wrong = np.abs(found.colour.astype(int) - colour)[trusted]
    assert wrong.max() <= 2, "the rounding of 8 bits, divided by alpha"
    faint = (alpha > 0.02) & ~trusted
    assert np.abs(found.colour.astype(int) - colour)[faint].mean() < 25


@given(seed=st.integers(0, 99), shade=st.floats(0.15, 1), soft=st.floats(2, 12))
@settings(deadline=None, max_examples=25)
def test_straight_colour_is_left_alone(seed: int, shade: float, soft: float):
    colour = (stripes((90, 90), seed) * shade).astype(np.uint8)
    alpha = disc((90, 90), (45, 45), 30, soft)
    found = unmix_background(colour, alpha)
    assert found.background is None
    assert np.array_equal(found.colour, colour)


def test_black_subjects_and_hard_edges_tell_nothing():
    alpha = disc((90, 90), (45, 45), 30, soft=6)
    black = np.full((90, 90, 3), 3, np.uint8)
    assert unmix_background(black, alpha).background is None
    hard = (alpha > 0.5).astype(np.float32)
    assert unmix_background(mixed(stripes((90, 90)), hard, 0), hard).background is None


def test_the_background_is_removed_from_the_edge_of_a_masked_photograph():
    """A red disc before a green wall: rims are yellowish in the photograph, red in the cutout."""
    alpha = disc((100, 100), (50, 50), 30, soft=8)
    red, green = (np.full((100, 100, 3), c, np.uint8) for c in ((200, 30, 20), (20, 180, 40)))
    photo = np.rint(over(red, alpha, green) * 255).astype(np.uint8)
    rim = (alpha > 0.35) & (alpha < 0.95)
    assert np.abs(photo.astype(int) - red)[rim].mean() > 25
    freed = decontaminate(photo, alpha)
    assert np.abs(freed.astype(int) - red)[rim].mean() < 3
    assert np.array_equal(freed[alpha == 1], photo[alpha == 1])


@pytest.mark.shared
def test_rendered_cutouts_mixed_on_purpose(shared: Path):
    for path in sorted((shared / "data" / "cutouts").glob("?????.png"))[::12]:
        colour, alpha = read_rgba(path)
        assert unmix_background(colour, alpha).background is None, path.name
        for name, ground in (("black", 0), ("white", 255)):
            assert unmix_background(mixed(colour, alpha, ground), alpha).background == name, (
                path.name
            )


# Mattes


def test_specks_and_noise_are_removed_and_faint_edges_kept():
    alpha = disc((100, 100), (40, 50), 25, soft=10)
    dirty = alpha.copy()
    dirty[5:8, 90:93] = 1.0
    dirty[:, 80:85] = np.maximum(dirty[:, 80:85], 0.015)
    clean, parts = remove_specks(dirty, 0.02)
    assert parts == 1
    assert (clean[:, 75:] == 0).all()
    rim = (alpha >= 0.05) & (alpha < 1)
    assert np.array_equal(clean[rim], alpha[rim])
    both, parts = remove_specks(dirty, 0.001)
    assert parts == 2
    assert (both[5:8, 90:93] == 1).all()
    dirty[60:95, 82:98] = 0.3
    clean, parts = remove_specks(dirty, 0.02)
    assert parts == 1, "a patch that is nowhere half opaque is haze, however large"
    assert (clean[:, 75:] == 0).all()
    assert remove_specks(np.zeros((9, 9), np.float32), 0.1)[1] == 0


@pytest.mark.parametrize("side", ["left", "right", "bottom", "top"])
def test_a_border_that_the_subject_runs_into(side: str):
    centre = {"left": (0, 60), "right": (120, 60), "bottom": (60, 120), "top": (60, 0)}[side]
    assert cut_sides(disc((120, 120), centre, 40)) == {side}


def test_a_picture_trimmed_to_its_subject():
    """A round subject only grazes the borders; one cut at the waist meets them at full width."""
    round_one = disc((80, 80), (40, 40), 40, soft=1)
    assert cut_sides(round_one) == frozenset()
    assert cut_sides(round_one[:40]) == {"bottom"}
    assert cut_sides(round_one[:, 20:]) == {"left"}
    assert cut_sides(np.ones((50, 50), np.float32)) == {"left", "right", "top", "bottom"}


@pytest.mark.shared
def test_cut_borders_of_rendered_cutouts(shared: Path):
    right = total = 0
    for path in sorted((shared / "data" / "cutouts").glob("?????.png"))[::4]:
        told = json.loads(path.with_suffix(".json").read_text("utf-8"))["cut"]
        alpha = read_rgba(path)[1]
        solid = alpha > 0.5
        rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
        tight = alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        found = cut_sides(tight)
        right += sum((side in found) == bool(there) for side, there in told.items())
        total += len(told)
    assert right >= 0.95 * total


def test_the_foot_is_the_lowest_contact():
    assert foot_of(figure()) == (23.0, 110.0)


# Cutouts


def test_trimmed_and_measured():
    alpha = figure()
    colour = np.full((120, 60, 3), (200, 100, 50), np.uint8)
    colour[alpha == 0] = 77
    made = extract_cutout(
        MattedPicture(colour, alpha), ExtractionSettings(height=1.8, kind="person", margin=4)
    )
    assert made.rgba.shape == (108, 28, 4)
    assert (made.rgba[4:-4, 4:-4, 3] > 0).any(1).all()
    assert (made.rgba[:4, :, 3] == 0).all()
    assert (made.rgba[made.rgba[..., 3] == 255][:, :3] == (200, 100, 50)).all()
    assert (made.rgba[made.rgba[..., 3] == 0] == 0).all(), "what is clear is empty"
    assert made.depth is None
    assert made.metadata["foot_xy"] == [7, 104]
    assert made.metadata["framing"] == "full"
    assert made.metadata["size_m"] == [pytest.approx(0.36), 0.2, 1.8]
    assert made.metadata["kind"] == "person"
    assert not any(made.metadata["cut"].values())


def test_a_subject_without_its_feet_has_no_known_size():
    made = extract_cutout(
        MattedPicture(stripes((80, 60)), figure()[:80]), ExtractionSettings(height=1.8)
    )
    assert made.metadata["cut"]["bottom"]
    assert made.metadata["framing"] == "half"
    assert "size_m" not in made.metadata
    assert made.rgba[-1, :, 3].max() == 255, "it ends where the picture ends"


def test_a_person_knows_better_what_cuts():
    padded = np.pad(figure()[:80], ((0, 30), (0, 0)))
    made = extract_cutout(
        MattedPicture(stripes((110, 60)), padded), ExtractionSettings(cut=frozenset({"bottom"}))
    )
    assert made.metadata["cut"]["bottom"]
    assert made.rgba.shape[0] == 73, "no clear rows where it is cut"


def test_smaller_copies_keep_their_colour():
    colour = np.full((240, 120, 3), (200, 100, 50), np.uint8)
    alpha = np.kron(figure(), np.ones((2, 2), np.float32))
    colour[alpha == 0] = 0
    made = extract_cutout(MattedPicture(colour, alpha), ExtractionSettings(long_side=103, margin=3))
    assert made.rgba.shape[0] == 103
    seen = made.rgba[made.rgba[..., 3] > 60][:, :3].astype(int)
    assert np.abs(seen - (200, 100, 50)).max() <= 1, "no black from outside"


def spatial(scale: float = 1.0) -> MattedPicture:
    """A board 100 px tall under a focal length of 200 px, its foot at 4 m, leaning back by 0.5."""
    depth = np.full((120, 60), 9.0, np.float32)
    depth[10:110] = np.linspace(4.5, 4.0, 100, dtype=np.float32)[:, None]
    camera = {"camera_height_m": 1.4, "pitch": -0.1}
    return MattedPicture(stripes((120, 60)), figure(), depth * np.float32(scale), 200.0, camera)


@pytest.mark.parametrize("given_height", [None, 2.0])
@pytest.mark.parametrize("scale", [1.0, 1.7])
def test_distance_and_size_from_depth(given_height, scale):
    made = extract_cutout(spatial(scale), ExtractionSettings(relief=True, height=given_height))
    factor = scale if given_height is None else 1.0
    assert made.metadata["distance_m"] == pytest.approx(4.01 * factor, rel=3e-3)
    assert made.metadata["size_m"][2] == pytest.approx(2.0 * factor, rel=4e-3)
    assert made.metadata["size_m"][0] == pytest.approx(0.4 * factor, rel=4e-3)
    assert made.metadata["focal_px"] == 200
    assert made.metadata["camera_height_m"] == 1.4
    top, bottom = made.depth[4, 10], made.depth[100, 6]
    assert top == pytest.approx(0.49 * factor, abs=0.02)
    assert bottom == pytest.approx(0, abs=0.02)


def test_without_relief_a_subject_is_flat():
    made = extract_cutout(spatial(), ExtractionSettings())
    assert made.depth is None
    assert made.metadata["distance_m"] == pytest.approx(4.01, rel=3e-3)
    assert made.metadata["size_m"][1] == 0.2


REFUSED = {
    "clear everywhere": np.zeros((90, 90), np.float32),
    "clear everywhere: there": np.full((90, 90), 0.4, np.float32),
    "10 pixels long, less than 48": np.pad(np.ones((10, 8), np.float32), 40),
    "opaque: that is a picture": np.ones((90, 90), np.float32),
    "half-transparent": disc((200, 200), (100, 100), 60, soft=100),
    "on all sides": (disc((90, 90), (45, 45), 20) < 1).astype(np.float32),
    "upper border": disc((120, 120), (60, 0), 50),
}


@pytest.mark.parametrize(("reason", "alpha"), REFUSED.items())
def test_what_makes_no_cutout(reason: str, alpha: np.ndarray):
    with pytest.raises(Refused, match=reason):
        extract_cutout(MattedPicture(stripes(alpha.shape), alpha), ExtractionSettings())


@given(
    x=st.integers(-30, 130), y=st.integers(-30, 130), radius=st.floats(4, 90),
    soft=st.floats(0.5, 40), margin=st.integers(0, 9),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_any_disc_is_a_good_cutout_or_refused(x, y, radius, soft, margin):
    alpha = disc((100, 100), (x, y), radius, soft)
    try:
        made = extract_cutout(
            MattedPicture(stripes((100, 100)), alpha),
            ExtractionSettings(margin=margin, smallest=16),
        )
    except Refused:
        return
    height, width = made.rgba.shape[:2]
    assert max(height, width) <= 100
    assert (made.rgba[..., 3] > 127).any()
    foot = made.metadata["foot_xy"]
    assert 0 <= foot[0] <= width
    assert 0 < foot[1] <= height
    kept = made.rgba[..., 3].astype(int).sum() / 255
    assert kept == pytest.approx(np.where(alpha < 0.02, 0, alpha).sum(), rel=0.05, abs=3)


# Likeness


def test_neighbouring_frames_are_alike_and_postures_are_not():
    one = extract_cutout(MattedPicture(stripes((120, 60)), figure()), ExtractionSettings()).rgba
    noisy = one.copy()
    noise = np.random.default_rng(1).normal(0, 3, (*one.shape[:2], 3))
    noisy[..., :3] = (one[..., :3] + noise).clip(0, 255)
    bent = figure()
    bent[30:40, 40:58] = 1
    other = extract_cutout(MattedPicture(stripes((120, 60)), bent), ExtractionSettings()).rgba
    assert thumbnail_distance(cutout_thumbnail(one), cutout_thumbnail(one)) == 0
    assert thumbnail_distance(cutout_thumbnail(one), cutout_thumbnail(noisy)) < 0.02
    assert thumbnail_distance(cutout_thumbnail(one), cutout_thumbnail(other)) > 0.1


# Files


def a_cut(depth: bool = False) -> ExtractedCutout:
    return extract_cutout(spatial(), ExtractionSettings(relief=depth))


def test_what_is_written_is_what_the_catalogue_reads(tmp_path: Path):
    shelf = CutoutFolderWriter(tmp_path / "c")
    made = a_cut(depth=True)
    name = shelf.write(
        made, "board", "ab", {"license": "CC0-1.0", "source": "me", "kind": "object"}
    )
    assert name == "board"
    one = CutoutFolder.open(tmp_path / "c")[0]
    assert np.array_equal(one.alpha, made.rgba[..., 3])
    solid = one.alpha == 255
    assert np.allclose(one.depth[solid], made.depth[solid], atol=1e-3)
    assert one.pixels_per_metre == pytest.approx(50, rel=3e-3)
    assert one.foot == tuple(made.metadata["foot_xy"])
    assert one.kind == "object"
    assert one.credit == {"license": "CC0-1.0", "source": "me"}
    assert one.view_angle == pytest.approx(np.arctan2(1.4, 4.01), rel=1e-2)


def test_nothing_is_written_over(tmp_path: Path):
    """Names of others are left alone; ours are known by what they were made of."""
    (tmp_path / "a.png").write_bytes(b"a person's own")
    (tmp_path / "B_depth.png").write_bytes(b"a person's own")
    (tmp_path / "catalogue.json").write_text("{}", encoding="utf-8")
    shelf = CutoutFolderWriter(tmp_path)
    assert shelf.write(a_cut(), "a", "one", {}) == "a-2"
    assert shelf.write(a_cut(), "a", "two", {}) == "a-3"
    assert shelf.write(a_cut(), "b", "three", {}) == "b-2"
    assert shelf.write(a_cut(), "x_depth", "four", {}) == "x"
    assert shelf.write(a_cut(), "catalogue", "five", {}) == "catalogue-2"
    again = CutoutFolderWriter(tmp_path)
    assert again.find("two") == "a-3"
    assert again.find("six") is None
    assert CutoutFolderWriter(tmp_path, rebuild=True).find("two") is None
    assert (
        CutoutFolderWriter(tmp_path, rebuild=True).write(a_cut(depth=True), "a", "two", {}) == "a-3"
    )
    assert (tmp_path / "a-3_depth.png").exists()
    assert CutoutFolderWriter(tmp_path, rebuild=True).write(a_cut(), "a", "two", {}) == "a-3"
    assert not (tmp_path / "a-3_depth.png").exists(), "of the earlier making"
    assert (tmp_path / "a.png").read_bytes() == b"a person's own"
    assert (tmp_path / "B_depth.png").read_bytes() == b"a person's own"
    assert (tmp_path / "catalogue.json").read_text(encoding="utf-8") == "{}"


def test_what_a_killed_run_left_is_made_again(tmp_path: Path):
    shelf = CutoutFolderWriter(tmp_path)
    shelf.write(a_cut(depth=True), "a", "one", {})
    (tmp_path / "a.png").unlink()  # the picture comes last
    again = CutoutFolderWriter(tmp_path)
    assert again.find("one") is None
    assert again.write(a_cut(), "a", "one", {}) == "a"
    assert CutoutFolder.open(tmp_path)[0].alpha.any()
