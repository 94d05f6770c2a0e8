"""Where subjects stand, from geometry, on scenes whose answers can be worked out by hand."""

from __future__ import annotations

import json
import math
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cleanplate.arrays import Plane
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import write_image
from cleanplate.models import SUBJECT_DEPTH, find_model
from cleanplate.predict.geometry.focal_length import focal_of_file
from cleanplate.predict.geometry.subject_depth import Regressor, SubjectDepth, assumed_focal
from cleanplate.predict.geometry.subject_regions import connected, measure, names
from cleanplate.predict.predictor import Predictor
from tests.predict.conftest import Pair

HEIGHT, WIDTH = 144, 256


def floor(horizon: int = 40, camera: float = 1.5, far: float = 0.125) -> Plane:
    """A level floor seen from `camera` metres over it, before a wall at 8 m."""
    focal = assumed_focal(HEIGHT, WIDTH)
    rows = np.arange(HEIGHT)[:, None] + 0.5 - horizon
    plane = np.maximum(rows / (focal * camera), far)
    return np.broadcast_to(plane, (HEIGHT, WIDTH)).astype(np.float32).copy()


def box(top: int, left: int, bottom: int, right: int) -> Plane:
    alpha = np.zeros((HEIGHT, WIDTH), np.float32)
    alpha[top:bottom, left:right] = 1
    return alpha


def constant(ratio: float, *, metric: bool, scale: float = 0.1) -> Regressor:
    """Says the same of every subject."""
    count, hidden = len(names(metric=metric)), 4
    last = np.array([[math.log(math.expm1(ratio)), math.log(scale)]], np.float32)
    layers = (
        (np.zeros((1, count, hidden), np.float32), np.zeros((1, hidden), np.float32)),
        (np.zeros((1, hidden, hidden), np.float32), np.zeros((1, hidden), np.float32)),
        (np.zeros((1, hidden, 2), np.float32), last),
    )
    return Regressor(np.zeros(count, np.float32), np.ones(count, np.float32), layers)


def both(ratio: float) -> SubjectDepth:
    return SubjectDepth(constant(ratio, metric=True), constant(ratio, metric=False))


def quantities(alpha: Plane, disparity: Plane) -> dict[str, float]:
    (subject,), _ = connected(alpha)
    found = measure(subject, alpha, disparity, (assumed_focal(HEIGHT, WIDTH), False))
    assert found is not None
    return dict(zip(names(metric=True), found.quantities.tolist(), strict=True))


def test_the_bound_of_a_standing_subject_is_the_floor_under_its_feet() -> None:
    plate, alpha = floor(), box(50, 100, 110, 130)
    (subject,), _ = connected(alpha)
    found = measure(subject, alpha, plate, (assumed_focal(HEIGHT, WIDTH), False))
    assert found is not None
    assert found.bound == pytest.approx(plate[109, 0], rel=0.03)
    assert found.stands


def test_a_few_wrong_pixels_do_not_move_the_bound() -> None:
    plate, alpha = floor(), box(50, 100, 110, 130)
    plate[60:61, 110:114] = 9
    (subject,), _ = connected(alpha)
    found = measure(subject, alpha, plate, None)
    assert found is not None
    assert found.bound == pytest.approx(plate[109, 0], rel=0.03)


def test_apparent_sizes_are_metres_at_the_distance_of_the_bound() -> None:
    found = quantities(box(50, 100, 110, 130), floor())
    metres = 1 / floor()[109, 0]
    tall = 60 / assumed_focal(HEIGHT, WIDTH) * metres
    assert math.exp(found["metres_height"]) == pytest.approx(tall, rel=0.05)
    assert math.exp(found["metres_width"]) == pytest.approx(tall / 2, rel=0.05)
    assert found["focal"] == 0


def test_borders_that_cut_the_subject_are_told() -> None:
    free, cut = (
        quantities(box(50, 100, 110, 130), floor()),
        quantities(box(50, 0, 144, 60), floor()),
    )
    assert [free[f"cut_{side}"] for side in ("left", "right", "top", "bottom")] == [0, 0, 0, 0]
    assert [cut[f"cut_{side}"] for side in ("left", "right", "top", "bottom")] == [1, 0, 0, 1]


def test_furniture_before_the_subject_is_told_from_a_floor_that_goes_on() -> None:
    alpha, plate = box(50, 100, 110, 130), floor()
    free = quantities(alpha, plate)
    plate[110:, 80:150] = 1.2
    hidden = quantities(alpha, plate)
    assert (free["hidden_below"], hidden["hidden_below"]) == (0, 1)
    assert hidden["hidden_by"] > 0.3


def test_specks_belong_to_the_nearest_subject_and_every_pixel_has_one() -> None:
    alpha = np.maximum(box(50, 20, 110, 50), box(60, 200, 100, 220))
    alpha[55:57, 60:62] = 1
    subjects, own = connected(alpha)
    assert [one.box for one in subjects] == [(50, 20, 110, 50), (60, 200, 100, 220)]
    assert own[55, 60] == 0
    assert own[10, 250] == 1


def test_each_subject_has_one_disparity_and_none_of_the_plate_inside() -> None:
    alpha = np.maximum(box(50, 20, 110, 50), box(45, 200, 80, 215))
    plate = floor()
    placed = both(0.2).place(alpha, plate, metric=True)
    near, far = placed.subjects
    assert near.disparity == pytest.approx(plate[109, 0] * math.exp(0.2), rel=0.03)
    assert far.disparity == pytest.approx(plate[79, 0] * math.exp(0.2), rel=0.03)
    assert np.unique(placed.disparity[alpha > 0]).size == 2
    assert (placed.disparity[50:110, 20:50] == np.float32(near.disparity)).all()
    assert near.source == "size"
    assert near.uncertainty == pytest.approx(1.14 * 0.1, rel=1e-3)


def test_a_subject_that_stands_on_the_floor_is_placed_by_contact() -> None:
    placed = both(0.02).place(box(50, 100, 110, 130), floor(), metric=True)
    assert placed.subjects[0].source == "contact"
    cut = both(0.02).place(box(50, 100, 144, 130), floor(), metric=True)
    assert cut.subjects[0].source == "size"


def test_relative_answers_follow_the_scale_and_shift_of_the_plate() -> None:
    alpha, plate = box(50, 100, 110, 130), floor()
    one = both(0.3).place(alpha, plate, metric=False).subjects[0].disparity
    other = both(0.3).place(alpha, plate * 7 - 3, metric=False).subjects[0].disparity
    assert other == pytest.approx(one * 7 - 3, rel=1e-3)


def test_an_empty_matte_has_no_subjects_and_a_hidden_unknown_no_crash() -> None:
    plate = floor()
    assert both(0.2).place(np.zeros_like(plate), plate, metric=True).subjects == ()
    plate[40:120, 90:140] = np.nan
    (subject,) = both(0.2).place(box(50, 100, 110, 130), plate, metric=True).subjects
    assert subject.uncertainty > 0.5


def test_a_regressor_is_written_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / SUBJECT_DEPTH
    np.savez_compressed(file, **both(0.25).arrays())
    alpha, plate = box(50, 100, 110, 130), floor()
    want = both(0.25).place(alpha, plate, metric=True).subjects[0]
    got = SubjectDepth.read(file).place(alpha, plate, metric=True).subjects[0]
    assert got.disparity == pytest.approx(want.disparity, rel=2e-3)


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_damaged_or_other_regressor_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / SUBJECT_DEPTH
    if content is None:
        arrays = both(0.25).arrays()
        arrays["metric_names"] = arrays["metric_names"][:-1]
        np.savez_compressed(file, **arrays)
    else:
        file.write_bytes(content)
    with pytest.raises(CleanplateError, match="no regressor"):
        SubjectDepth.read(file)


@pytest.fixture
def with_regressor(tiny: Path, tmp_path: Path) -> Path:
    """The hand-built model with a regressor that says e^0.2."""
    folder = tmp_path / "with"
    shutil.copytree(tiny, folder)
    np.savez_compressed(folder / SUBJECT_DEPTH, **both(0.2).arrays())
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["sha256"][SUBJECT_DEPTH] = sha256((folder / SUBJECT_DEPTH).read_bytes()).hexdigest()
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def test_prediction_places_the_subject_by_the_models_regressor(
    with_regressor: Path, pair: Pair
) -> None:
    depth = np.full(pair.alpha.shape, 4, np.float32)
    predictor = Predictor(with_regressor, threads=1)
    result = predictor.scene(pair.plate, depth).predict(pair.frame)
    (told,) = result.report["subjects"]
    assert told["distance_m"] == pytest.approx(4 * math.exp(-0.2), rel=5e-3)
    near, far = told["distance_m_68"]
    assert near < told["distance_m"] < far
    assert told["source"] == "size"
    middle = (pair.alpha.shape[0] * 55 // 100, pair.alpha.shape[1] // 2)
    assert told["box"]["left"] < middle[1] < told["box"]["right"]
    inside = result.depth[result.alpha > 0.6]
    np.testing.assert_allclose(inside, 4 * math.exp(-0.2), rtol=5e-3)
    np.testing.assert_allclose(result.depth[pair.alpha == 0], 4, rtol=1e-3)
    np.testing.assert_allclose(1 / result.subject_disparity, 4 * math.exp(-0.2), rtol=5e-3)
    json.dumps(result.report["subjects"])


def test_without_plate_depth_the_report_is_relative(with_regressor: Path, pair: Pair) -> None:
    result = Predictor(with_regressor, threads=1).scene(pair.plate).predict(pair.frame)
    (told,) = result.report["subjects"]
    assert "distance_m" not in told
    assert math.isfinite(told["disparity"])


def test_a_model_without_a_regressor_keeps_its_networks_answer(
    predictor: Predictor, pair: Pair
) -> None:
    result = predictor.scene(pair.plate).predict(pair.frame)
    assert result.report["subjects"] == []


def test_a_regressor_that_is_not_the_cards_is_refused(with_regressor: Path) -> None:
    before = find_model(with_regressor).hash
    np.savez_compressed(with_regressor / SUBJECT_DEPTH, **both(0.3).arrays())
    with pytest.raises(CleanplateError, match="SHA-256 differs"):
        find_model(with_regressor)
    card = json.loads((with_regressor / "card.json").read_text(encoding="utf-8"))
    card["sha256"][SUBJECT_DEPTH] = sha256(
        (with_regressor / SUBJECT_DEPTH).read_bytes()
    ).hexdigest()
    (with_regressor / "card.json").write_text(json.dumps(card), encoding="utf-8")
    assert find_model(with_regressor).hash != before


def test_the_focal_length_comes_from_exif_where_there_is_one(tmp_path: Path) -> None:
    plain, told = tmp_path / "plain.png", tmp_path / "told.jpg"
    write_image(plain, np.zeros((24, 36, 3), np.float32))
    exif = Image.Exif()
    exif[0x8769] = {0xA405: 50}
    Image.new("RGB", (360, 240)).save(told, exif=exif)
    assert focal_of_file(plain, (24, 36)) is None
    assert focal_of_file(told, (240, 360)) == pytest.approx(500)
    assert focal_of_file(tmp_path / "missing.jpg", (240, 360)) is None


@pytest.mark.parametrize("focal", [0.0, -3.0, math.nan, math.inf])
def test_an_impossible_focal_length_is_refused(
    predictor: Predictor, pair: Pair, focal: float
) -> None:
    with pytest.raises(CleanplateError, match="focal length"):
        predictor.scene(pair.plate, focal=focal)
