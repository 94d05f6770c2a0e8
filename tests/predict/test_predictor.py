"""Predictor, Scene and Result end to end, on a model whose answers are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleanplate import CleanplateError, adjust, preview
from cleanplate.formats.pictures import read_image, resize, write_image
from cleanplate.matte import darken, over
from cleanplate.predict.plate_disparity import SCALES
from cleanplate.predict.predictor import Predictor
from cleanplate.predict.session import PairSession
from cleanplate.predict.upsample import Matte
from tests.predict.alignment.test_exposure import in_other_light
from tests.predict.conftest import Pair, make_pair, textured, to_eight
from tests.predict.tiny_model import SHADOW, SUBJECT


def test_the_whole_way(predictor: Predictor, pair: Pair) -> None:
    result = predictor.scene(pair.plate).predict(pair.frame)
    size = pair.alpha.shape
    assert result.alpha.shape == size
    assert result.alpha.dtype == np.float32
    assert np.abs(result.alpha - pair.alpha).mean() < 0.02
    inside = pair.alpha == 1
    np.testing.assert_allclose(result.foreground[inside], pair.foreground[inside], atol=0.01)
    np.testing.assert_allclose(result.shadow[result.alpha < 0.9], SHADOW, atol=1e-5)
    np.testing.assert_array_equal(result.shadow[result.alpha > 0.98], 1)
    assert not result.metric
    np.testing.assert_allclose(result.disparity[inside], SUBJECT, rtol=1e-5)
    rows = (np.arange(size[0]) + 0.5) / size[0] * 2 - 1
    outside = result.alpha < 0.5
    expected = np.broadcast_to(rows[:, None], size)
    np.testing.assert_allclose(result.disparity[outside], expected[outside], atol=2e-3)


def test_an_identical_pair_gives_an_empty_matte(predictor: Predictor, pair: Pair) -> None:
    result = predictor.scene(pair.plate).predict(pair.plate)
    assert result.alpha.max() == 0
    assert np.isfinite(result.disparity).all()
    assert np.isfinite(result.foreground).all()


def test_all_dtypes_and_files_give_the_same(
    predictor: Predictor, pair: Pair, tmp_path: Path
) -> None:
    plate, frame = to_eight(pair.plate), to_eight(pair.frame)
    write_image(tmp_path / "plate.png", plate)
    write_image(tmp_path / "frame.png", frame)
    expected = predictor.scene(plate).predict(frame)
    inputs: list[tuple[Any, Any]] = [
        (tmp_path / "plate.png", str(tmp_path / "frame.png")),
        (plate.astype(np.uint16) * 257, frame.astype(np.uint16) * 257),
        (plate / np.float32(255), frame / 255.0),
        (plate, frame.astype(np.uint16) * 257),
    ]
    for one, other in inputs:
        result = predictor.scene(one).predict(other)
        np.testing.assert_allclose(result.alpha, expected.alpha, atol=2e-3)
        np.testing.assert_allclose(result.foreground, expected.foreground, atol=5e-3)
    assert predictor.scene(plate).predict(tmp_path / "frame.png").name == "frame"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((4, 4), np.uint8), "shape"),
        (np.zeros((4, 4, 4), np.uint8), "shape"),
        (np.zeros((0, 4, 3), np.uint8), "shape"),
        (np.zeros((4, 4, 3), np.int32), "int32"),
        (np.full((4, 4, 3), 200.0, np.float32), "outside"),
        (np.full((4, 4, 3), np.nan, np.float32), "outside"),
        (None, "NoneType"),
        ("/no/such/file.png", "file.png"),
    ],
)
def test_what_is_no_picture_is_refused(predictor: Predictor, wrong: Any, message: str) -> None:
    with pytest.raises(CleanplateError, match=message):
        predictor.scene(wrong)


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 33), (31, 200), (7, 90)])
def test_small_pictures(tiny: Path, size: tuple[int, int]) -> None:
    pair = make_pair(*size)
    result = Predictor(tiny, threads=1, force=True).scene(pair.plate).predict(pair.frame)
    for plane in (result.alpha, result.shadow, result.disparity):
        assert plane.shape == size
        assert np.isfinite(plane).all()
    assert result.foreground.shape == (*size, 3)
    assert preview(result).pixels.ndim == 3


@pytest.mark.parametrize("size", [(301, 203), (97, 640)])
def test_beyond_the_working_size(tiny: Path, size: tuple[int, int]) -> None:
    pair = make_pair(*size)
    result = Predictor(tiny, threads=1, working_size=64).scene(pair.plate).predict(pair.frame)
    assert result.alpha.shape == size
    assert max(result.report["working_size"].values()) == 64
    assert np.abs(result.alpha - pair.alpha).mean() < 0.06


def test_exposure_is_matched_before_the_network(predictor: Predictor, pair: Pair) -> None:
    darker = in_other_light(pair.frame, (0.7, 0.7, 0.75))
    result = predictor.scene(pair.plate).predict(darker)
    assert result.alpha[pair.alpha == 0].mean() < 0.01
    assert result.report["exposure"]["gain"] == pytest.approx((0.7, 0.7, 0.75), rel=0.02)
    background = pair.alpha == 0
    assert np.abs(result.plate - darker)[background].mean() < 0.005


def test_the_plates_features_are_computed_once(
    predictor: Predictor, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    encode = PairSession.encode_plate

    def counted(self: PairSession, *arguments: Any) -> Any:
        calls.append(1)
        return encode(self, *arguments)

    monkeypatch.setattr(PairSession, "encode_plate", counted)
    scene = predictor.scene(pair.plate)
    first = scene.predict(pair.frame)
    estimates = len(calls)
    scene.predict(pair.plate)
    again = scene.predict(pair.frame)
    assert estimates == 1 + 2 * len(SCALES)  # depth at several scales, plain and mirrored
    assert len(calls) == estimates
    np.testing.assert_array_equal(first.alpha, again.alpha)
    scene.predict(in_other_light(pair.frame, (0.8, 0.8, 0.8)))
    assert len(calls) == estimates + 1


def test_another_scene_is_refused_unless_forced(tiny: Path, pair: Pair) -> None:
    other = textured(120, 160, 77)
    with pytest.raises(CleanplateError, match="not the frame's plate"):
        Predictor(tiny, threads=1).scene(other).predict(pair.frame)
    result = Predictor(tiny, threads=1, force=True).scene(other).predict(pair.frame)
    assert result.report["health"]["verdict"] == "wrong"
    assert result.report["health"]["refusal"]


def test_another_size_is_refused_unless_fitted(tiny: Path, pair: Pair) -> None:
    half = resize(pair.plate, (60, 80))
    with pytest.raises(CleanplateError, match="--fit"):
        Predictor(tiny, threads=1).scene(half).predict(pair.frame)
    depth = np.full((60, 80), 3.0, np.float32)
    scene = Predictor(tiny, threads=1, fit=True).scene(half, depth)
    result = scene.predict(pair.frame)
    assert result.alpha.shape == (120, 160)
    assert result.report["plate_resampled"] is True
    np.testing.assert_allclose(result.depth[result.alpha < 0.5], 3.0, rtol=1e-6)
    assert scene.predict(resize(pair.frame, (60, 80))).report["plate_resampled"] is False


def moved_pair() -> tuple[Pair, np.ndarray]:
    """A pair, and its plate taken 9 pixels to the left and 5 above."""
    height, width = 240, 320
    wide = textured(height + 40, width + 40, 4)
    base = make_pair(height, width)
    plate = wide[20:-20, 20:-20]
    frame = over(base.foreground, base.alpha, plate)
    return Pair(plate, frame, base.foreground, base.alpha), wide[15:-25, 11:-29]


def test_a_moved_plate_is_registered(tiny: Path) -> None:
    pair, moved = moved_pair()
    plain = Predictor(tiny, threads=1, align="off").scene(moved).predict(pair.frame)
    aligned = Predictor(tiny, threads=1, align=True).scene(moved).predict(pair.frame)
    assert aligned.report["alignment"]["trusted"]
    assert aligned.report["alignment"]["moved_px"] == pytest.approx(np.hypot(9, 5), abs=0.5)
    assert not any("--align" in warning for warning in aligned.report["health"]["warnings"])
    assert any("--align" in warning for warning in plain.report["health"]["warnings"])
    error = np.abs(aligned.alpha - pair.alpha).mean()
    assert error < 0.03
    assert error < np.abs(plain.alpha - pair.alpha).mean() / 3
    # The plate moved left and up, so columns at the right and rows at the bottom are not covered;
    # the matte is carried over them and they do not become the subject.
    assert 0 < aligned.report["not_covered"] < 0.1
    assert aligned.alpha[:, -9:].max() < 0.05
    assert aligned.alpha[-5:].max() < 0.05


def test_a_steady_camera_costs_no_resampling(tiny: Path, pair: Pair) -> None:
    result = Predictor(tiny, threads=1, align=True).scene(pair.plate).predict(pair.frame)
    assert result.report["alignment"]["kind"] == "none"
    np.testing.assert_array_equal(result.plate, pair.plate)


def test_registration_that_cannot_be_trusted_keeps_the_plate(tiny: Path) -> None:
    plain = np.full((120, 160, 3), 0.4, np.float32)
    plain[:, :, 0] += np.linspace(0, 0.1, 160, dtype=np.float32)
    base = make_pair(120, 160)
    frame = over(base.foreground, base.alpha, plain)
    result = Predictor(tiny, threads=1, align=True).scene(plain).predict(frame)
    assert result.report["alignment"]["trusted"] is False
    assert result.report["alignment"]["why_not"]
    np.testing.assert_array_equal(result.plate, plain)
    assert np.abs(result.alpha - base.alpha).mean() < 0.03


def test_the_shadow_is_taken_out_of_the_foreground(predictor: Predictor, pair: Pair) -> None:
    """Soft pixels mix with the darkened plate; solving with the shadow brings the colour back."""
    shadow = np.ones_like(pair.alpha)
    shadow[40:, 90:] = 0.5
    frame = over(pair.foreground, pair.alpha, darken(pair.plate, shadow))
    found = predictor.scene(pair.plate).predict(frame)
    # The true ones, so that only the solving is tested.
    true = replace(found.sources, matte=Matte(pair.alpha, pair.alpha), shadow=shadow)
    result = adjust(replace(found, sources=true))
    soft = (pair.alpha > 0.4) & (pair.alpha < 0.9)
    # Under the subject the shadow is carried in, so its own hard edge is not met to the pixel.
    soft[:, 86:94] = False
    soft[36:44, 86:] = False
    assert soft.sum() > 50
    assert np.abs(result.foreground - pair.foreground)[soft].max() < 0.05


def test_the_report_says_what_was_done(predictor: Predictor, pair: Pair) -> None:
    report = predictor.scene(pair.plate).predict(pair.frame).report
    assert report["model"] == {"name": "tiny", "sha256": predictor.model.hash}
    assert report["size"] == {"width": 160, "height": 120}
    assert report["working_size"] == {"width": 160, "height": 120}
    assert report["alignment"] is None
    assert report["health"]["verdict"] in ("good", "usable")
    assert report["alpha_mean"] == pytest.approx(float(pair.alpha.mean()), abs=0.02)
    stages = list(report["seconds"])
    assert stages[:4] == ["read", "size", "health", "register"]
    assert {"plate network", "network", "upsample"} <= set(stages)
    assert all(value >= 0 for value in report["seconds"].values())
    assert json.loads(json.dumps(report)) == report


def test_working_size_must_be_possible(tiny: Path) -> None:
    with pytest.raises(CleanplateError, match="working size"):
        Predictor(tiny, working_size=8)


def test_the_shadow_is_1_on_the_subject_and_carried_under_its_edge(
    predictor: Predictor, pair: Pair
) -> None:
    """Whatever the network says where the subject is opaque: no light of it is the scene's."""
    found = predictor.scene(pair.plate).predict(pair.frame)
    inside = found.alpha > 0.98
    assert inside.sum() > 1000
    spoilt = np.where(found.sources.matte.small >= 0.9, np.float32(0.02), np.float32(SHADOW))
    result = adjust(replace(found, sources=replace(found.sources, shadow=spoilt)))
    np.testing.assert_array_equal(result.shadow[inside], 1)
    np.testing.assert_allclose(result.shadow[result.alpha < 0.9], SHADOW, atol=1e-4)
    assert ((result.shadow >= SHADOW - 1e-4) & (result.shadow <= 1)).all()
    # The foreground is solved with what is around the subject, on its whole edge.
    np.testing.assert_allclose(result.foreground, found.foreground, atol=1e-3)


def depth_with_holes(size: tuple[int, int]) -> np.ndarray:
    depth = np.full(size, 4.0, np.float32)
    depth[:, : size[1] // 3] = np.nan
    depth[:5] = np.inf
    return depth


def test_holes_of_the_plates_depth_can_be_kept(tiny: Path, pair: Pair, tmp_path: Path) -> None:
    depth = depth_with_holes(pair.alpha.shape)
    keeper = Predictor(tiny, threads=1, depth_holes="keep")
    result = keeper.scene(pair.plate, depth).predict(pair.frame)
    subject = result.alpha >= 0.5
    holes = np.isnan(depth) & ~subject
    assert holes.any()
    assert (np.isnan(depth) & subject).any()
    np.testing.assert_array_equal(np.isnan(result.depth), holes)  # the subject is estimated always
    result.save(tmp_path, stem="a")
    np.testing.assert_array_equal(np.isnan(np.load(tmp_path / "a.depth.npy")), holes)
    stored = read_image(tmp_path / "a.depth.png")[..., 0]
    np.testing.assert_array_equal(stored == 0, holes | np.isinf(result.depth))
    assert (
        json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["depth_convention"]
        == "exchange"
    )
    with pytest.raises(CleanplateError, match="depth_holes"):
        Predictor(tiny, threads=1, depth_holes="some")  # type: ignore[arg-type]
