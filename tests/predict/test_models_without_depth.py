"""Models whose network gives alpha and shadow alone: disparity by geometry, or left out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from cleanplate import CleanplateError, preview
from cleanplate.cli import main
from cleanplate.evaluation import evaluate, find_pairs
from cleanplate.formats.pictures import write_alpha, write_image
from cleanplate.models import PLATE_DEPTH, SUBJECT_DEPTH, find_model
from cleanplate.predict.output.writing import Writing
from cleanplate.predict.predictor import Predictor
from cleanplate.predict.session import PairSession
from tests.predict.conftest import Pair
from tests.predict.geometry.test_subject_depth import both
from tests.predict.tiny_model import write_model

OF_NO_DEPTH = ("alpha", "foreground", "shadow", "plate")


def with_regressor(folder: Path) -> Path:
    """Add a regressor that puts each subject nearer than its bound by a fixed factor."""
    np.savez_compressed(folder / SUBJECT_DEPTH, **both(0.2).arrays())
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    data = (folder / SUBJECT_DEPTH).read_bytes()
    card["sha256"][SUBJECT_DEPTH] = hashlib.sha256(data).hexdigest()
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_regressor(write_model(tmp_path_factory.mktemp("m") / "bare", depth=False))


@pytest.fixture(scope="module")
def with_graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("m") / "three"
    return with_regressor(write_model(folder, depth=False, plate_depth=True))


def test_a_session_tells_by_the_graphs_what_a_model_gives(
    tiny: Path, bare: Path, with_graph: Path
) -> None:
    plate = np.random.default_rng(0).random((40, 50, 3), np.float32)
    session = PairSession(find_model(bare), threads=1)
    assert not session.estimates_plate
    features = session.encode_plate(plate)
    assert features.disparity is None
    compared = session.compare(plate, features)
    assert compared.subject_disparity is None
    assert compared.alpha.max() == 0
    three, two = (PairSession(find_model(folder), threads=1) for folder in (with_graph, tiny))
    assert three.estimates_plate
    np.testing.assert_array_equal(three.plate_disparity(plate), two.plate_disparity(plate))


def test_without_the_plates_depth_disparity_is_left_out(bare: Path, pair: Pair) -> None:
    scene = Predictor(bare, threads=1).scene(pair.plate)
    assert scene.outputs == OF_NO_DEPTH
    result = scene.predict(pair.frame)
    assert result.outputs == OF_NO_DEPTH
    assert np.abs(result.alpha - pair.alpha).mean() < 0.02
    assert "does not estimate the plate's depth" in result.report["no_depth"]
    assert result.report["subjects"] is None
    assert result.report["units"] == {"depth": None, "disparity": None}
    for name in ("disparity", "depth", "subjects", "subject_disparity", "depth_measured"):
        with pytest.raises(CleanplateError, match="no disparity") as caught:
            scene.predict(pair.frame, outputs=name)
        assert "depth=" in str(caught.value.cure)
    with pytest.raises(CleanplateError, match="holds no disparity"):
        _ = result.disparity
    assert preview(result).pixels.shape[1] > 3 * 160


def test_with_the_plates_depth_the_subject_is_placed_by_geometry(bare: Path, pair: Pair) -> None:
    depth = np.full(pair.alpha.shape, 4.0, np.float32)
    depth[:, :20] = np.nan
    result = Predictor(bare, threads=1).scene(pair.plate, depth).predict(pair.frame)
    assert result.report["no_depth"] is None
    (subject,) = result.report["subjects"]
    assert subject["distance_m"] < 4
    inside = result.depth[pair.alpha == 1]
    np.testing.assert_allclose(inside, subject["distance_m"], rtol=2e-3)
    # The hole in the plate's depth is filled from around it.
    np.testing.assert_allclose(result.depth[pair.alpha == 0], 4, rtol=1e-3)


def test_a_third_graph_gives_the_plates_disparity(with_graph: Path, tiny: Path, pair: Pair) -> None:
    scene = Predictor(with_graph, threads=1).scene(pair.plate)
    assert "disparity" in scene.outputs
    assert "depth" not in scene.outputs
    result = scene.predict(pair.frame)
    outside = pair.alpha == 0
    rows = np.repeat(np.arange(120.0)[:, None], 160, axis=1)
    assert np.corrcoef(rows[outside], result.disparity[outside])[0, 1] > 0.999
    assert result.disparity[pair.alpha == 1].min() >= result.disparity[outside].min()
    assert len(result.report["subjects"]) == 1


def test_a_third_graph_is_one_that_the_card_names(with_graph: Path, tmp_path: Path) -> None:
    model = find_model(with_graph)
    assert model.plate_depth_graph == with_graph / PLATE_DEPTH
    other = write_model(tmp_path / "other", depth=False)
    (other / PLATE_DEPTH).write_bytes(b"not named")
    assert find_model(other).plate_depth_graph is None
    assert find_model(other).hash != model.hash
    damaged = write_model(tmp_path / "damaged", depth=False, plate_depth=True)
    (damaged / PLATE_DEPTH).write_bytes(b"half")
    with pytest.raises(CleanplateError, match="graph is not the one") as caught:
        find_model(damaged)
    assert caught.value.file == damaged / PLATE_DEPTH


def test_a_model_that_places_no_subject_says_so(tmp_path: Path, pair: Pair) -> None:
    folder = write_model(tmp_path / "no regressor", depth=False)
    scene = Predictor(folder, threads=1).scene(pair.plate, np.full(pair.alpha.shape, 4, np.float32))
    assert scene.outputs == OF_NO_DEPTH
    with pytest.raises(CleanplateError, match="subject's depth") as caught:
        scene.predict(pair.frame, outputs="depth")
    assert "--subject-depth" in str(caught.value.cure)


def test_the_command_writes_what_there_is(
    bare: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["predict", "--model", str(bare), "--threads", "1", "--plate", str(files / "plate.png"),
            str(files / "frames" / "one.png"), "-o"]  # fmt: skip
    assert main([*call, str(files / "out"), "--quiet"]) == 0
    assert {path.name for path in (files / "out").iterdir()} == {
        f"one.{end}" for end in ("alpha.png", "foreground.png", "shadow.png", "preview.jpg", "json")
    }
    assert main([*call, str(files / "out"), "--quiet", "--skip-existing"]) == 0
    assert main([*call, str(files / "deep"), "--save", "depth"]) == 2
    assert "--plate-depth" in capsys.readouterr().err
    assert Writing.of(["depth"]).within(OF_NO_DEPTH).kinds == ("depth",)


def test_evaluation_scores_it_without_figures_of_depth(
    bare: Path, pair: Pair, tmp_path: Path
) -> None:
    write_image(tmp_path / "a_plate.png", pair.plate)
    write_image(tmp_path / "a_frame.png", pair.frame)
    write_alpha(tmp_path / "a_alpha.png", pair.alpha)
    np.save(tmp_path / "a_depth.npy", np.where(pair.alpha > 0.5, 2, 4).astype(np.float32))
    np.save(tmp_path / "a_plate_depth.npy", np.full(pair.alpha.shape, 4, np.float32))
    pairs, predictor = find_pairs(tmp_path), Predictor(bare, threads=1)
    relative = evaluate(predictor, pairs).rows[0]
    assert relative.refused is None
    assert relative.values["mad"] < 0.02
    assert "seconds" in relative.values
    assert "aligned_delta1" not in relative.values
    metric = evaluate(predictor, pairs, with_plate_depth=True).rows[0]
    assert metric.values["mad"] == relative.values["mad"]
    assert metric.values["metric_delta1"] > 0.5
