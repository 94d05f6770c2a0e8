"""Depth networks as ONNX files with known answers."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from cleanplate.depth.depth_estimators import OnnxDepthEstimator
from cleanplate.errors import CleanplateError


def mean_colour(
    path: Path,
    *,
    size: tuple[int | str, int | str] = ("h", "w"),
    last: bool = False,
    kind: int = onnx.TensorProto.FLOAT,
    keep: int = 1,
    **metadata: str,
) -> Path:
    """A network that gives the mean of the three colours: (1, 3, H, W) to (1, 1, H, W)."""
    shape = [1, *size, 3] if last else [1, 3, *size]
    node = onnx.helper.make_node(
        "ReduceMean", ["x", "axes"], ["y"], keepdims=keep
    )  # fmt: skip
    axes = onnx.numpy_helper.from_array(np.array([3 if last else 1]), "axes")
    graph = onnx.helper.make_graph(
        [node],
        "mean",
        [onnx.helper.make_tensor_value_info("x", kind, shape)],
        [onnx.helper.make_tensor_value_info("y", kind, None)],
        [axes],
    )
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, path)
    return path


def ramp(height: int = 64, width: int = 96) -> np.ndarray:
    """Grey that grows to the right and, in red and blue against one another, downwards."""
    grey = np.linspace(20, 220, width)[None, :].repeat(height, 0)
    turn = np.linspace(-20, 20, height)[:, None]
    return np.rint(np.stack([grey + turn, grey, grey - turn], -1)).astype(np.uint8)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("keep", [0, 1])
def test_the_answer_at_the_pictures_size(tmp_path: Path, last: bool, keep: int):
    teacher = OnnxDepthEstimator(
        mean_colour(tmp_path / "m.onnx", last=last, keep=keep),
        convention="disparity", colours="unit", side=64, multiple=32,
    )  # fmt: skip
    picture = ramp()
    answer = teacher.estimate(picture)
    assert answer.shape == (64, 96)
    assert answer.dtype == np.float32
    assert np.allclose(answer, picture.mean(-1) / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("colours", "expected"),
    [
        ("bytes", lambda m: m),
        ("half", lambda m: m / 127.5 - 1),
        ("unit", lambda m: m / 255),
        ("imagenet", None),
    ],
)
def test_colours(tmp_path: Path, colours: str, expected):
    path = mean_colour(tmp_path / "m.onnx", convention="metric", colours=colours)
    picture = np.full((32, 32, 3), (10, 100, 200), np.uint8)
    by_hand = (
        np.mean(
            [(10 / 255 - 0.485) / 0.229, (100 / 255 - 0.456) / 0.224, (200 / 255 - 0.406) / 0.225]
        )
        if expected is None
        else expected(np.mean([10, 100, 200]))
    )
    answer = OnnxDepthEstimator(path).estimate(picture)
    assert np.allclose(answer, by_hand, rtol=1e-5)


def test_a_graph_of_fixed_size_and_16_bit_pictures(tmp_path: Path):
    path = mean_colour(tmp_path / "m.onnx", size=(32, 48), convention="disparity")
    teacher = OnnxDepthEstimator(path, colours="unit")
    assert teacher.size_for(640, 400) == (32, 48)
    picture = ramp(320, 480)
    answer = teacher.estimate(picture.astype(np.uint16) * 257)
    assert answer.shape == (320, 480)
    assert np.abs(answer - picture.mean(-1) / 255)[10:-10, 10:-10].max() < 0.01


def test_open_sizes_keep_the_shape_to_the_multiple(tmp_path: Path):
    path = mean_colour(tmp_path / "m.onnx", convention="disparity", side="280", multiple="14")
    assert OnnxDepthEstimator(path).size_for(1000, 1500) == (280, 420)
    assert OnnxDepthEstimator(path).size_for(1500, 1000) == (420, 280)
    assert OnnxDepthEstimator(path, side=518).size_for(480, 640) == (518, 686)
    assert OnnxDepthEstimator(path, side=5).size_for(100, 100) == (14, 14), "never nothing"


def test_half_precision_and_bytes(tmp_path: Path):
    picture = ramp()
    half = mean_colour(tmp_path / "h.onnx", kind=onnx.TensorProto.FLOAT16, convention="metric")
    answer = OnnxDepthEstimator(half, colours="unit", side=64).estimate(picture)
    assert np.allclose(answer, picture.mean(-1) / 255, atol=2e-3)


def test_the_contents_of_the_manifest(tmp_path: Path):
    path = mean_colour(tmp_path / "m.onnx", convention="metric")
    metadata = OnnxDepthEstimator(path).metadata
    assert metadata["model"] == "m.onnx", "no machine's folders"
    assert metadata["convention"] == "metric"
    assert len(metadata["sha256"]) == 64


def test_a_convention_that_nobody_tells_is_asked_for(tmp_path: Path):
    path = mean_colour(tmp_path / "m.onnx")
    with pytest.raises(CleanplateError, match=r"m\.onnx: does not say.*\n.*--convention"):
        OnnxDepthEstimator(path)
    wrong = mean_colour(tmp_path / "w.onnx", convention="inverse")
    with pytest.raises(CleanplateError, match="says 'inverse'"):
        OnnxDepthEstimator(wrong)
    assert OnnxDepthEstimator(wrong, convention="disparity").convention == "disparity"


def test_faulty_files(tmp_path: Path):
    with pytest.raises(CleanplateError, match=r"nowhere\.onnx: does not exist"):
        OnnxDepthEstimator(tmp_path / "nowhere.onnx", convention="metric")
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(CleanplateError, match=r"broken\.onnx: ONNX Runtime cannot load"):
        OnnxDepthEstimator(tmp_path / "broken.onnx", convention="metric")
    with pytest.raises(CleanplateError, match="there is no colour normalisation 'blue'"):
        OnnxDepthEstimator(mean_colour(tmp_path / "b.onnx"), convention="metric", colours="blue")
    odd = mean_colour(tmp_path / "s.onnx", convention="metric", side="wide")
    with pytest.raises(CleanplateError, match="side = 'wide'"):
        OnnxDepthEstimator(odd)


def test_a_graph_that_gives_no_map(tmp_path: Path):
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    info = onnx.helper.make_tensor_value_info
    shape = [1, 3, "h", "w"]
    graph = onnx.helper.make_graph(
        [node], "same", [info("x", 1, shape)], [info("y", 1, shape)]
    )  # fmt: skip
    opset = onnx.helper.make_opsetid("", 18)
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9), tmp_path / "i.onnx"
    )
    teacher = OnnxDepthEstimator(tmp_path / "i.onnx", convention="metric")
    with pytest.raises(CleanplateError, match="not one map"):
        teacher.estimate(ramp())


def test_it_can_be_pickled(tmp_path):
    estimator = OnnxDepthEstimator(
        mean_colour(tmp_path / "mean.onnx"), convention="metric", colours="unit", side=64, threads=1
    )
    again = pickle.loads(pickle.dumps(estimator))
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    assert (again.convention, again.input) == (estimator.convention, estimator.input)
    assert np.array_equal(again.estimate(picture), estimator.estimate(picture))
