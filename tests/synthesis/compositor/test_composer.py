"""Properties of every sample, and reproducibility."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import to_float, write_image
from cleanplate.light import linear_to_srgb
from cleanplate.matte import over
from cleanplate.synthesis import Composer, CompositorSettings, ProceduralComposer
from cleanplate.synthesis.assets.plate import Plate
from cleanplate.synthesis.compositor.composer import straight_colour
from tests.synthesis.known_scenes import One, board, room

FEW = CompositorSettings(procedural_rooms=2, procedural_cutouts=4)
EXACT = CompositorSettings.exact()


@pytest.fixture(scope="module")
def procedural() -> ProceduralComposer:
    return ProceduralComposer(11, FEW)


def digest(sample: dict) -> str:
    state = hashlib.sha256()
    for name in sorted(sample):
        value = np.asarray(sample[name])
        state.update(f"{name} {value.dtype} {value.shape}".encode())
        state.update(np.ascontiguousarray(value).tobytes())
    return state.hexdigest()


def test_the_contract_of_a_sample(procedural: ProceduralComposer):
    for index in range(30):
        size = ((48, 64), (64, 64), (96, 40))[index % 3]
        sample = procedural.sample(index, size)
        for name in ("plate", "frame", "foreground"):
            assert sample[name].shape == (*size, 3)
            assert sample[name].dtype == np.uint8
        planes = ("alpha", "shadow", "plate_disparity", "disparity", "subject_disparity")
        for name in planes:
            assert sample[name].shape == size
            assert sample[name].dtype == np.float32
        assert sample["index"] == index
        alpha, subject = sample["alpha"], sample["subject_disparity"]
        assert 0 <= alpha.min() <= alpha.max() <= 1
        assert 0 < sample["shadow"].min() <= sample["shadow"].max() <= 1
        assert np.array_equal(np.isnan(subject), alpha == 0)
        assert (subject[alpha > 0] > 0).all()
        inside = alpha >= 0.5
        assert np.array_equal(sample["disparity"][inside], subject[inside])
        assert np.isfinite(sample["disparity"]).all()
        assert (sample["foreground"][alpha == 0] == 0).all()


def test_subjects_are_never_behind_the_plate_where_they_are_seen(procedural: ProceduralComposer):
    for index in range(20):
        made = procedural.compose(index, (64, 64))
        seen = made.subjects.alpha > 0
        assert (made.subjects.disparity[seen] >= made.view.disparity[seen]).all()


def test_frame_is_foreground_over_background(procedural: ProceduralComposer):
    """Before the camera, by the package's own compositing formula and independent rounding."""
    for index in range(20):
        made = procedural.compose(index, (64, 64))
        foreground = to_float(straight_colour(made.subjects))
        background = linear_to_srgb(np.clip(made.background, 0, 1))
        expected = over(foreground, made.subjects.alpha, background)
        got = linear_to_srgb(np.clip(made.frame, 0, 1))
        assert np.abs(got - expected).max() < 1.5 / 255


def test_background_is_the_plate_under_its_shadow():
    settings = CompositorSettings.exact()
    composer = Composer([One(room())], [One(board())], seed=1, settings=settings)
    darkened = 0
    for index in range(12):
        made = composer.compose(index, (72, 96))
        if made.shadow_colour is None:
            assert np.array_equal(made.background, made.plate)
            continue
        assert np.allclose(made.background, made.plate * made.shadow_colour, atol=1e-6)
        darkened += made.shadow.min() < 0.9
    assert darkened > 4


def test_people_of_a_sample_have_their_true_height():
    """1.8 m at the placement's depth, measured in the alpha of the finished sample."""
    from dataclasses import replace

    settings = replace(EXACT, grounded=1, portrait=0, uniform=0, true_size=True, subjects=(1,))
    settings = replace(settings, smallest_crop=1.0, mirror=False)
    composer = Composer([One(room())], [One(board((0.3, 0.8)))], seed=2, settings=settings)
    measured = 0
    for index in range(12):
        made = composer.compose(index, (240, 320))
        if not made.placements or made.placements[0].how != "grounded":
            continue
        put = made.placements[0]
        left, top, right, bottom = put.rectangle
        if top < 1 or left < 1 or right > 319 or bottom > 239:
            continue
        tall = made.subjects.alpha.max(1).sum()
        assert tall == pytest.approx(300 * 0.8 / put.z, abs=1.5)
        measured += 1
    assert measured >= 5


def test_identical_pairs_hold_no_subject():
    composer = ProceduralComposer(
        3, CompositorSettings(identical_share=1.0, procedural_rooms=1, procedural_cutouts=1)
    )
    sample = composer.sample(0, (48, 48))
    assert (sample["alpha"] == 0).all()
    assert (sample["shadow"] == 1).all()
    assert np.isnan(sample["subject_disparity"]).all()
    assert not np.array_equal(sample["plate"], sample["frame"])


def test_without_a_camera_an_empty_frame_is_the_plate():
    from dataclasses import replace

    settings = replace(EXACT, identical_share=1.0)
    sample = Composer([One(room())], [One(board())], seed=0, settings=settings).sample(4, (48, 64))
    assert np.array_equal(sample["plate"], sample["frame"])


def test_samples_differ_by_index_and_seed(procedural: ProceduralComposer):
    a, b = procedural.sample(0, (48, 48)), procedural.sample(1, (48, 48))
    assert digest(a) != digest({**b, "index": 0})
    other = ProceduralComposer(12, FEW).sample(0, (48, 48))
    assert digest(a) != digest(other)


def test_order_and_pickling_do_not_matter(procedural: ProceduralComposer):
    forward = [digest(procedural.sample(i, (48, 48))) for i in range(5)]
    again = pickle.loads(pickle.dumps(procedural))
    backward = [digest(again.sample(i, (48, 48))) for i in reversed(range(5))]
    assert forward == backward[::-1]


SCRIPT = """
from tests.synthesis.compositor.test_composer import FEW, digest
from cleanplate.synthesis import ProceduralComposer
composer = ProceduralComposer(11, FEW)
print(*[digest(composer.sample(i, (48, 48))) for i in (5, 2)])
"""


@pytest.mark.parametrize("hash_seed", ["1", "77"])
def test_another_process_makes_the_same_bytes(procedural: ProceduralComposer, hash_seed: str):
    root = Path(__file__).resolve().parents[3]
    path = os.pathsep.join([str(root / "src"), str(root), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=env,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    here = [digest(procedural.sample(i, (48, 48))) for i in (5, 2)]
    assert run.stdout.split() == here


def test_a_plain_photo_and_a_plain_cutout(tmp_path: Path):
    rng = np.random.default_rng(0)
    (tmp_path / "plates").mkdir()
    (tmp_path / "cutouts").mkdir()
    write_image(tmp_path / "plates" / "a.jpg", rng.integers(0, 255, (60, 80, 3), np.uint8))
    rgba = np.zeros((40, 30, 4), np.uint8)
    rgba[5:38, 5:25] = (200, 40, 40, 255)
    write_image(tmp_path / "cutouts" / "c.png", rgba)
    composer = Composer.from_folders(tmp_path / "plates", tmp_path / "cutouts", seed=0)
    covered = 0
    for index in range(12):
        sample = composer.sample(index, (48, 64))
        assert np.isnan(sample["plate_disparity"]).all()
        assert np.isnan(sample["disparity"]).all()
        assert np.isnan(sample["subject_disparity"]).all()
        covered += sample["alpha"].max() > 0.5
    assert covered > 8


@pytest.mark.parametrize("size", [(32, 32), (16, 16), (200, 40), (40, 200), (33, 47)])
def test_small_and_odd_sizes(procedural: ProceduralComposer, size: tuple[int, int]):
    for index in range(6):
        sample = procedural.sample(index, size)
        assert sample["frame"].shape == (*size, 3)


def test_too_small():
    with pytest.raises(CleanplateError, match="too small"):
        ProceduralComposer(0, FEW).sample(0, (8, 64))


def test_depth_known_only_in_part():
    """A sensor's holes: unknown stays unknown, nothing breaks."""
    plate = room()
    plate.disparity[::3] = np.nan
    composer = Composer([One(plate)], [One(board())], seed=3, settings=EXACT)
    for index in range(10):
        sample = composer.sample(index, (48, 64))
        outside = sample["alpha"] < 0.5
        unknown = np.isnan(sample["plate_disparity"])
        assert np.array_equal(np.isnan(sample["disparity"][outside]), unknown[outside])
        assert np.isfinite(sample["shadow"]).all()


def test_depth_without_a_camera_still_orders_things():
    composer = Composer(
        [One(Plate("p", room().picture, room().disparity))], [One(board())], seed=3, settings=EXACT
    )
    seen = 0
    for index in range(6):
        made = composer.compose(index, (48, 64))
        alpha = made.subjects.alpha
        seen += (alpha > 0).any()
        assert (made.subjects.disparity[alpha > 0] >= made.view.disparity[alpha > 0]).all()
    assert seen >= 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"identical_share": 1.5},
        {"tone": -1.0},
        {"grounded": 0.0, "portrait": 0.0, "uniform": 0.0},
        {"procedural_rooms": 0},
        {"subjects": ()},
    ],
)
def test_settings_out_of_range(wrong: dict):
    with pytest.raises(CleanplateError):
        CompositorSettings(**wrong)


def test_procedural_plates_join_those_of_a_folder(tmp_path: Path):
    for name in ("plates", "cutouts"):
        (tmp_path / name).mkdir()
    write_image(tmp_path / "plates" / "a.png", np.full((60, 80, 3), 77, np.uint8))
    rgba = np.full((40, 30, 4), 255, np.uint8)
    write_image(tmp_path / "cutouts" / "c.png", rgba)
    settings = CompositorSettings(procedural_share=0.5, procedural_rooms=2, procedural_cutouts=2)
    composer = Composer.from_folders(
        tmp_path / "plates", tmp_path / "cutouts", seed=0, settings=settings
    )
    known = [np.isfinite(composer.sample(i, (32, 32))["plate_disparity"]).any() for i in range(30)]
    assert 5 < sum(known) < 25


def test_several_folders_count_by_their_assets(tmp_path: Path):
    for name, count, code in (("a", 3, 40), ("b", 1, 200)):
        (tmp_path / name).mkdir()
        for number in range(count):
            write_image(tmp_path / name / f"{number}.png", np.full((40, 60, 3), code, np.uint8))
    composer = Composer.from_folders(
        [tmp_path / "a", tmp_path / "b"], None, seed=0, settings=CompositorSettings.exact()
    )
    assert composer.plate_shares.tolist() == [0.75, 0.25, 0.0]
    assert composer.cutout_shares.tolist() == [1.0]


@pytest.mark.shared
def test_the_starter_data(shared: Path):
    data = shared / "data"
    composer = Composer.from_folders(data / "plates", data / "cutouts", seed=1)
    coverage = []
    for index in range(40):
        sample = composer.sample(index, (96, 128))
        coverage.append(float(sample["alpha"].mean()))
        assert np.isfinite(sample["disparity"]).all()
    assert sum(c > 0.003 for c in coverage) > 32
