"""Cutouts: subjects, poses, cameras, and trimming."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace

import numpy as np
import numpy.testing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate import CleanplateError
from cleanplate.render import cutout_trimming, rendered_items
from cleanplate.render.cameras.framing import frame_subject
from cleanplate.render.scenes.asset_library import AssetLibrary
from cleanplate.render.subjects.cutout_views import (
    VIEWS_PER_SUBJECT,
    CutoutViewSampler,
    bounding_box_of,
    credit_of_view,
)
from cleanplate.synthesis.assets.catalogue import CutoutFolder

COLUMNS = ("path", "kind", "name", "height_m", "rigged", "animations", "source_repo")
COLUMNS += ("source_path", "license", "attribution", "notes")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("assets")
    (folder / "subjects").mkdir()
    subjects = [(f"people/p{i}", "person", "0.6x0.3x1.8", "MIT") for i in range(5)]
    subjects += [(f"objects/o{i}", "object", "0.1x0.08x0.12", "CC-BY-4.0") for i in range(3)]
    subjects += [("objects/aws_retail_Chair", "object", "0.5x0.5x0.9", "MIT-0")]
    subjects += [("objects/box", "object", "0.3x0.25x0.3", "CC0-1.0")]
    subjects += [("animals/lion", "animal", "0.1x0.2x0.1", "CC-BY-4.0")]
    subjects += [("vehicles/bus", "vehicle", "2.5x12x3.5", "CC-BY-3.0")]
    subjects += [("hands/hand_left", "hand", "0.08x0.14x0.2", "MIT")]
    with (folder / "subjects" / "CATALOG.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(COLUMNS)
        for path, kind, box, licence in subjects:
            name, height = path.split("/")[1], box.split("x")[2]
            start = (path + ".glb", kind, name, height, "", "", "repo", path)
            rows.writerow((*start, licence, f"maker of {name}", f"metres; bbox(m) {box}"))
    return AssetLibrary(folder)


@pytest.fixture(scope="module")
def cast(library):
    return CutoutViewSampler(library, seed=3)


def test_a_group_shares_its_subject_and_kinds_get_their_shares(cast):
    kinds = [cast.subject(group).kind for group in range(100)]
    counts = {kind: kinds.count(kind) for kind in set(kinds)}
    assert counts == {"person": 65, "object": 18, "animal": 7, "vehicle": 5, "hand": 5}
    assert {cast.view(VIEWS_PER_SUBJECT + i).asset for i in range(VIEWS_PER_SUBJECT)} == {
        cast.subject(1)
    }
    people = [cast.subject(g).name for g in range(30) if cast.subject(g).kind == "person"]
    assert len(set(people[:5])) == 5  # all are on before one comes again
    assert people[5:10] == people[:5]


def test_an_item_is_the_same_whatever_was_drawn_before(cast, library):
    assert CutoutViewSampler(library, seed=3).view(17) == cast.view(17)
    assert cast.view(17, attempt=1) != cast.view(17)
    assert CutoutViewSampler(library, seed=4).view(17) != cast.view(17)


def test_identities_of_the_validation_are_never_shown_or_held(cast):
    views = [cast.view(item) for item in range(400)]
    assert not any("retail" in v.asset.path for v in views)
    assert not any(v.held and "retail" in v.held.path for v in views)
    held = [v for v in views if v.held]
    assert held
    for view in held:  # what is large takes both hands
        assert (view.held.name == "box") == (view.pose.holding == "both")


def test_people_are_cut_at_the_waist_in_three_of_ten(cast):
    people = [v for i in range(900) if (v := cast.view(i)).asset.kind == "person"]
    half = sum(v.framing == "half" for v in people) / len(people)
    assert 0.25 < half < 0.35
    assert all(0.94 <= v.scale <= 1.06 for v in people)
    down = np.array([v.camera_height / v.distance for v in people if v.framing == "full"])
    assert (down > 0.6).mean() > 0.1  # from above
    assert (down < 0.3).mean() > 0.15  # from low


def test_a_credit_names_all_that_is_seen_one_by_one(cast):
    views = [cast.view(item) for item in range(400)]
    held = next(v for v in views if v.held)
    alone = next(v for v in views if not v.held)
    assert credit_of_view(alone)["license"] == alone.asset.license
    both = credit_of_view(held)
    assert both["license"] == [held.asset.license, held.held.license]
    assert both["source"] == [held.asset.source, held.held.source]
    assert both["attribution"] == [held.asset.attribution, held.held.attribution]


def test_a_box_is_read_from_notes(cast, library):
    assert bounding_box_of(library.assets["subjects/vehicles/bus.glb"]) == (2.5, 12.0, 3.5)
    assert (
        bounding_box_of(replace(library.assets["subjects/vehicles/bus.glb"], notes="large")) is None
    )


def test_a_folder_without_subjects_says_so(tmp_path):
    (tmp_path / "scenes").mkdir()
    row = "scenes/a.exr,hdri,a,1x1,repo,path,CC0-1.0,someone,indoor"
    header = "path,kind,name,size_m or scale,source_repo,source_path,license,attribution,notes"
    (tmp_path / "scenes" / "CATALOG.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    with pytest.raises(CleanplateError, match="no subject"):
        CutoutViewSampler(AssetLibrary(tmp_path), 1)


def figure(seed: int, height: float = 1.8) -> np.ndarray:
    """A cloud of points as large as a person, its lowest on the floor."""
    points = np.random.default_rng(seed).uniform((-0.3, -0.2, 0), (0.3, 0.2, height), (400, 3))
    points[0, 2] = 0
    return points


def seen_by(frame, points):
    """Project by rotation matrices, apart from the code's own way."""
    c, s = math.cos(frame.heading - math.pi / 2), math.sin(frame.heading - math.pi / 2)
    level = (points - np.array(frame.position)) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    c, s = math.cos(frame.pitch), math.sin(frame.pitch)
    x, y, z = level.T  # right, ahead, up of a level camera
    ahead, up = c * y + s * z, c * z - s * y
    height, width = frame.size
    return width / 2 + frame.focal * x / ahead, height / 2 - frame.focal * up / ahead, ahead


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), item=st.integers(0, 500))
def test_the_camera_sees_the_whole_subject_and_fills_its_picture(cast, seed, item):
    view = replace(cast.view(item), framing="full", distance=3.0, camera_height=item % 5 * 0.8)
    points = figure(seed)
    frame = frame_subject(points, view)
    x, y, z = seen_by(frame, points)
    height, width = frame.size
    assert x.min() > 2
    assert y.min() > 2
    assert x.max() < width - 2
    assert y.max() < height - 2
    assert max(np.ptp(x), np.ptp(y)) == pytest.approx(view.pixels, rel=0.02)
    for ours, reference in zip(frame.project(points), (x, y, z), strict=True):
        npt.assert_allclose(ours, reference, rtol=1e-6)
    assert frame.foot == (0, 0, 0)
    assert frame.foot_depth == pytest.approx(seen_by(frame, np.zeros((1, 3)))[2][0])


def test_half_a_person_fills_the_picture_down_to_the_waist(cast):
    view = replace(cast.view(0), framing="half", distance=1.5, camera_height=1.5, waist=0.6)
    points = figure(1)
    frame = frame_subject(points, view)
    _, y, _ = seen_by(frame, points)
    assert (y[points[:, 2] > 0.6 * 1.8] < frame.size[0]).all()
    assert y.max() > 1.4 * frame.size[0]
    assert y.min() > 2


def test_the_foot_of_a_long_subject_goes_back_until_its_depth_can_be_stored(cast):
    view = replace(cast.view(0), framing="full", distance=12.0, camera_height=1.6)
    bus = figure(2, 3.0) * (4, 15, 1)  # six metres deep
    frame = frame_subject(bus, view)
    behind = seen_by(frame, bus)[2] - frame.foot_depth
    assert 1.4 < behind.max() < 1.55
    assert behind.min() > -4.9
    assert frame.foot[1] > 1
    assert frame.foot[2] == 0


def test_a_camera_inside_a_subject_is_refused(cast):
    view = replace(cast.view(0), framing="full", distance=0.1, camera_height=1.0)
    assert frame_subject(figure(3), view) is None


def test_the_open_end_of_a_wrist_stays_outside(cast):
    view = replace(cast.view(0), framing="reach", distance=0.5, camera_height=0.4)
    hand = figure(4) * (0.15, 0.5, 0.03)
    wrist = hand[hand[:, 1] < hand[:, 1].min() + 0.03]
    frame = frame_subject(hand, view, wrist)
    top, bottom, left, right = frame.window
    _, y, _ = seen_by(frame, wrist)
    assert (top, left, right) == (0, 0, frame.size[1])
    assert y.min() > bottom
    assert bottom > 0.5 * frame.size[0]


def disc(size: int = 96, radius: float = 30.0) -> np.ndarray:
    """Coverage of pixels by a disc."""
    fine = (np.indices((size * 8, size * 8)) + 0.5) / 8 - size / 2
    return (np.hypot(*fine) < radius).reshape(size, 8, size, 8).mean((1, 3)).astype(np.float32)


def test_straight_colour_has_no_fringe_even_where_alphas_disagree():
    alpha = disc()
    noise = np.random.default_rng(0).normal(0, 0.05, alpha.shape)
    own = np.where((alpha > 0) & (alpha < 1), np.clip(alpha + noise, 0.01, 1), alpha)
    colour = np.array([0.5, 0.2, 0.05], np.float32) * alpha[..., None]
    light = cutout_trimming.unpremultiply(colour, own.astype(np.float32), alpha)
    npt.assert_allclose(light[alpha < 0.4], [[0.5, 0.2, 0.05]] * (alpha < 0.4).sum(), rtol=0.07)
    npt.assert_allclose(light[alpha == 1], [[0.5, 0.2, 0.05]] * (alpha == 1).sum(), rtol=1e-5)


def made(*, size: int = 96, radius: float = 30.0, shift: int = 0) -> cutout_trimming.TrimmedCutout:
    """A cutout of a textured disc, 0.3 m behind its foot point."""
    alpha = np.roll(disc(size, radius), shift, axis=0)
    if shift > 0:
        alpha[: shift // 2] = 0
    colour = np.random.default_rng(1).uniform(0.2, 0.7, (size, size, 3)).astype(np.float32)
    depth = np.where(alpha > 0.5, 0.3, np.inf).astype(np.float32)
    return cutout_trimming.trim(colour, alpha, depth)


def test_a_cut_is_trimmed_and_knows_its_borders():
    whole = made()
    assert whole.rgba.shape == (60, 60, 4)
    assert whole.corner == (18, 18)
    assert not any(whole.sides.values())
    low = made(shift=40)
    assert [side for side, there in low.sides.items() if there] == ["bottom"]


def test_faults_are_named():
    good = made()
    assert cutout_trimming.rejection_reason(good, "full") is None
    assert cutout_trimming.rejection_reason(made(radius=12), "full") == "too small"
    assert cutout_trimming.rejection_reason(made(shift=40), "full") == "cut by mistake"
    assert cutout_trimming.rejection_reason(made(shift=40), "half") is None
    assert cutout_trimming.rejection_reason(good, "half") == "not cut at the waist"
    assert cutout_trimming.rejection_reason(good, "reach") == "wrist in the picture"

    def changed(factor: float = 1.0, **other: np.ndarray) -> cutout_trimming.TrimmedCutout:
        rgba = good.rgba * np.array([factor, factor, factor, 1], np.float32)
        return replace(good, rgba=np.clip(rgba, 0, 1), **other)

    assert cutout_trimming.rejection_reason(changed(0.1), "full") == "too dark"
    assert cutout_trimming.rejection_reason(changed(9.0), "full") == "too bright"
    assert cutout_trimming.rejection_reason(changed(depth=good.depth + 1.4), "full") == "too deep"
    unlit = good.rgba.copy()
    unlit[:15, :, :3] = 0
    assert cutout_trimming.rejection_reason(replace(good, rgba=unlit), "full") == "too dark"
    plain = good.rgba.copy()
    plain[..., :3] = 0.4
    assert cutout_trimming.rejection_reason(replace(good, rgba=plain), "full") == "plain"
    parts = good.rgba.copy()
    parts[25:35, :, 3] = 0
    assert cutout_trimming.rejection_reason(replace(good, rgba=parts), "full") == "in pieces"


def test_exposure_lies_between_the_light_and_what_returns_it_and_burns_nothing():
    alpha = np.ones((20, 20), np.float32)
    grey = np.full((20, 20, 3), 0.18, np.float32)
    assert cutout_trimming.exposure_gain(grey, alpha, 1.0, 0.0) == pytest.approx(0.97, abs=0.02)
    # Twice the light, half the gain; a dark coat is lifted, but not to grey.
    assert cutout_trimming.exposure_gain(grey * 2, alpha, 2.0, 0.0) == pytest.approx(
        0.97 / 2, abs=0.01
    )
    coat = cutout_trimming.exposure_gain(grey / 8, alpha, 1.0, 0.0)
    assert 0.97 * 2 < coat < 0.97 * 8
    spot = grey.copy()
    spot[:2] = 40.0
    assert cutout_trimming.exposure_gain(spot, alpha, 1.0, 0.0) * 40 <= 1.3 + 1e-5


def test_the_compositor_reads_what_is_written(tmp_path):
    cut = made()
    metadata = {"kind": "object", "license": "MIT", "foot_xy": [30.0, 60.0], "size_m": [1, 1, 1]}
    metadata |= {"focal_px": 300.0, "distance_m": 3.0, "camera_height_m": 1.5, "cut": cut.sides}
    rendered_items.write_item(
        tmp_path, "00000", rendered_items.RenderedItem(metadata, cutout_trimming.encode_files(cut))
    )
    read = CutoutFolder.open(tmp_path)[0]
    npt.assert_array_equal(read.alpha, np.rint(cut.rgba[..., 3] * 255))
    solid = cut.rgba[..., 3] > 0.95
    npt.assert_allclose(read.depth[solid], 0.3, atol=6e-5)
    npt.assert_allclose(read.colour[solid] / 255, cut.rgba[..., :3][solid], atol=0.5 / 255 + 1e-6)
    assert read.pixels_per_metre == pytest.approx(100)
    assert json.loads((tmp_path / "00000.json").read_text(encoding="utf-8"))["license"] == "MIT"
