"""Training of the subject's depth, on scenes whose answers are known."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("tyro")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from cleanplate.cli import main
from cleanplate.errors import CleanplateError
from cleanplate.models import SUBJECT_DEPTH, find_model
from cleanplate.predict.geometry.subject_depth import Regressor, SubjectDepth, assumed_focal
from cleanplate.training.export.model_card import Facts
from cleanplate.training.export.model_export import export
from cleanplate.training.fit import RunOptions, fit
from cleanplate.training.subject_geometry.subject_recipe import SubjectDepthRecipe
from cleanplate.training.subject_geometry.subject_regressor import (
    calibrated,
    figures,
    fit_regressor,
)
from cleanplate.training.subject_geometry.subject_scenes import (
    CompositeScenes,
    PairScenes,
    SubjectScene,
    as_measured,
    damaged,
)
from cleanplate.training.subject_geometry.subject_table import Table, subjects_of
from cleanplate.training.subject_geometry.subject_training import train
from tests.evaluation.conftest import write_pair
from tests.training.discs import Discs, tiny_recipe

HEIGHT, WIDTH = 96, 128


class Boxes:
    """Boxes over a floor; those cut by the lower border are twice as near as what they hide."""

    def scene(self, index: int) -> SubjectScene | None:
        rng = np.random.default_rng(index)
        rows = np.maximum(np.arange(HEIGHT)[:, None] - 20, 5) / (1.4 * assumed_focal(HEIGHT, WIDTH))
        plate = np.broadcast_to(rows, (HEIGHT, WIDTH)).astype(np.float32).copy()
        cut = index % 2 == 0
        bottom = HEIGHT if cut else int(rng.integers(60, 84))
        left = int(rng.integers(5, 90))
        alpha = np.zeros((HEIGHT, WIDTH), np.float32)
        alpha[int(rng.integers(15, 45)) : bottom, left : left + 24] = 1
        bound = float(plate[bottom - 1, 0])
        subject = np.where(alpha > 0, np.float32(bound * (2 if cut else 1)), np.float32(np.nan))
        return SubjectScene(alpha, plate, subject, None if index % 3 else 130.0)


@pytest.fixture(scope="module")
def table() -> Table:
    return subjects_of(Boxes(), 160, 0)["metric"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("subject_pairs")
    for index in range(4):
        write_pair(folder, f"{index:05d}", index, camera=False)
    return folder


def test_the_ratio_is_that_of_the_true_disparity_to_the_bound(table: Table) -> None:
    # Cut boxes come at ln 2, the others at 0; damage moves the bound by a few rows.
    low, high = np.sort(table.ratio)[[20, -20]]
    assert low == pytest.approx(0, abs=0.12)
    assert high == pytest.approx(math.log(2), abs=0.12)
    assert len(table) >= 200


def test_the_regressor_learns_what_the_bound_alone_cannot_know(table: Table) -> None:
    recipe = SubjectDepthRecipe(networks=2, hidden=16, steps=250, batch=128)
    regressor = calibrated(fit_regressor(table, recipe), table)
    held = subjects_of(Boxes(), 60, 1, start=1000)["metric"]
    got = figures(regressor, held)
    assert got.bound_abs_rel > 0.3
    assert got.abs_rel < 0.15
    assert 0.4 < got.within_uncertainty < 0.95


def test_the_uncertainty_is_calibrated_to_hold_two_thirds() -> None:
    rng = np.random.default_rng(0)
    ratio = np.abs(rng.laplace(0, 0.3, 2000)).astype(np.float32) + 1
    zero = np.zeros((1, 3, 4), np.float32)
    last = np.array([[math.log(math.expm1(1.2)), -3]], np.float32)
    layers = (
        (zero, np.zeros((1, 4), np.float32)),
        (np.zeros((1, 4, 4), np.float32), np.zeros((1, 4), np.float32)),
        (np.zeros((1, 4, 2), np.float32), last),
    )
    plain = Regressor(np.zeros(3, np.float32), np.ones(3, np.float32), layers)
    rows = Table(np.zeros((2000, 3), np.float32), ratio, np.ones(2000, bool), np.ones(2000))
    assert figures(plain, rows).within_uncertainty < 0.3
    assert figures(calibrated(plain, rows), rows).within_uncertainty == pytest.approx(
        0.68, abs=0.01
    )


def test_scenes_are_functions_of_seed_and_index(pairs: Path) -> None:
    for source in (PairScenes, lambda folder, seed: CompositeScenes(None, None, seed)):
        one, other = source(pairs, 3), source(pairs, 3)
        found = next(i for i in range(20) if one.scene(i) is not None)
        first, again = one.scene(found), other.scene(found)
        assert first is not None
        assert again is not None
        assert max(first.alpha.shape) == 256
        for a, b in zip(first[:3], again[:3], strict=True):
            np.testing.assert_array_equal(a, b)
        inside = first.alpha > 0.9
        assert (first.subject[inside] > 0).mean() > 0.9


def test_a_damaged_matte_is_still_a_matte() -> None:
    scene = Boxes().scene(1)
    assert scene is not None
    made = [damaged(np.random.default_rng(seed), scene.alpha) for seed in range(8)]
    assert all(m.min() >= 0 and m.max() <= 1 and m.shape == scene.alpha.shape for m in made)
    assert len({m.tobytes() for m in made}) == 8
    assert (damaged(np.random.default_rng(0), np.zeros((8, 8), np.float32)) == 0).all()


def test_a_plate_as_measured_has_holes_at_depth_edges_and_little_noise() -> None:
    plate = np.full((60, 80), 0.25, np.float32)
    plate[20:40, 30:50] = 1
    made = as_measured(np.random.default_rng(0), plate)
    known = np.isfinite(made)
    assert 0.5 < known.mean() < 1
    assert not known[20, 30:50].any()
    np.testing.assert_allclose(made[known], plate[known], rtol=0.04)


def test_a_run_trains_from_the_command_line_and_becomes_part_of_a_model(
    pairs: Path, tmp_path: Path
) -> None:
    run, folder = tmp_path / "run", tmp_path / "model"
    fields = ["--pairs", str(pairs), "--composites", "0", "--pair-scenes", "12"]
    fields += ["--validation", "0", "--steps", "5"]
    assert main(["train", "subject-depth-smoke", "--run", str(run), *fields]) == 0
    record = json.loads((run / "subject_depth.json").read_text(encoding="utf-8"))
    assert set(record["figures"]) == {"metric", "relative"}
    assert record["recipe"]["pairs"] == pairs.name
    SubjectDepth.read(run / SUBJECT_DEPTH)
    kept = (run / "subjects.npz").stat().st_mtime_ns
    again = ["--json", "-", *fields[:-1], "6"]
    assert main(["train", "subject-depth-smoke", "--run", str(run), *again]) == 0
    assert (run / "subjects.npz").stat().st_mtime_ns == kept
    record = json.loads((run / "subject_depth.json").read_text(encoding="utf-8"))
    network = tmp_path / "network"
    options = RunOptions(workers=0, threads=1, accelerator="cpu", quiet=True)
    fit(tiny_recipe(steps=1), network, options, sources=(Discs(), None))
    options = ["--license", "Apache-2.0", "--subject-depth", str(run)]
    assert main(["export", str(network), "-o", str(folder), *options]) == 0
    model = find_model(folder)
    assert model.subject_depth == folder / SUBJECT_DEPTH
    assert model.card["subject_depth"] == record
    assert "Depth of the subject" in (folder / "card.md").read_text(encoding="utf-8")
    (run / SUBJECT_DEPTH).write_bytes(b"half")
    facts = Facts("other", license="Apache-2.0")
    with pytest.raises(CleanplateError, match="no regressor"):
        export(network, tmp_path / "other", facts=facts, subject_depth=run)
    assert not (tmp_path / "other").exists()


def test_a_recipe_that_names_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CleanplateError, match="no subjects for training"):
        train(SubjectDepthRecipe(composites=0, validation=0), tmp_path)
    assert main(["train", "subject-depth-smok"]) == 2
