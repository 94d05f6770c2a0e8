"""The files of a result: names, contents, and what happens when writing fails."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cleanplate import CleanplateError, adjust
from cleanplate.depth import read_depth, read_disparity
from cleanplate.formats.pictures import read_alpha, read_image, read_rgba
from cleanplate.predict.frames.frame_names import stems
from cleanplate.predict.predictor import Predictor
from cleanplate.predict.result import Result
from tests.predict.conftest import Pair


@pytest.fixture
def result(predictor: Predictor, pair: Pair) -> Result:
    return predictor.scene(pair.plate).predict(pair.frame)


@pytest.fixture
def metric(predictor: Predictor, pair: Pair) -> Result:
    depth = np.full(pair.alpha.shape, 5.0, np.float32)
    depth[0] = np.inf
    return predictor.scene(pair.plate, depth).predict(pair.frame)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_all_files_of_a_relative_result(result: Result, tmp_path: Path) -> None:
    written = result.save(tmp_path / "new" / "out", stem="a.0001")
    expected = {
        "a.0001.alpha.png",
        "a.0001.foreground.png",
        "a.0001.disparity.npy",
        "a.0001.disparity.png",
        "a.0001.shadow.png",
        "a.0001.preview.jpg",
        "a.0001.json",
    }
    assert names(tmp_path / "new" / "out") == expected
    assert {path.name for path in written} == expected
    folder = tmp_path / "new" / "out"
    np.testing.assert_allclose(
        read_alpha(folder / "a.0001.alpha.png"), result.alpha, atol=0.51 / 255
    )
    np.testing.assert_array_equal(read_disparity(folder / "a.0001.disparity.npy"), result.disparity)
    np.testing.assert_allclose(
        read_alpha(folder / "a.0001.shadow.png"), result.shadow, atol=0.51 / 255
    )
    report = json.loads((folder / "a.0001.json").read_text(encoding="utf-8"))
    assert set(report["files"]) == expected - {"a.0001.json"}
    assert "foreground" in report["seconds"]


def test_the_foreground_is_straight(result: Result, pair: Pair, tmp_path: Path) -> None:
    # The true matte, and no shadow, so that the colour has a true answer too.
    matte = result.sources.matte._replace(full=pair.alpha)
    none = np.ones_like(result.sources.shadow)
    result = adjust(replace(result, sources=replace(result.sources, matte=matte, shadow=none)))
    result.save(tmp_path, save=["foreground"], bits=16)
    colour, alpha = read_rgba(tmp_path / "frame.foreground.png")
    assert alpha is not None
    np.testing.assert_allclose(alpha, result.alpha, atol=1e-4)
    soft = (alpha > 0.5) & (alpha < 1)
    assert soft.any()
    # Straight: as bright at half coverage as inside, not darkened towards the edge.
    assert np.abs(colour[soft] / 65535 - pair.foreground[soft]).max() < 0.05


def test_metric_depth_is_in_millimetres_and_metres(metric: Result, tmp_path: Path) -> None:
    metric.save(tmp_path, save=["depth"])
    assert names(tmp_path) == {"frame.depth.png", "frame.depth.npy", "frame.json"}
    exact, coded = (
        read_depth(tmp_path / "frame.depth.npy"),
        read_depth(tmp_path / "frame.depth.png"),
    )
    np.testing.assert_array_equal(exact, metric.depth)
    assert np.isinf(exact[0]).all()
    assert np.isnan(coded[0]).all()
    np.testing.assert_allclose(coded[1:], exact[1:], atol=0.00051)


@pytest.mark.parametrize("bits", [8, 16])
def test_bits(result: Result, tmp_path: Path, bits: int) -> None:
    result.save(tmp_path, save=["alpha", "foreground", "shadow"], bits=bits)
    import cv2

    for kind in ("alpha", "foreground", "shadow"):
        pixels = cv2.imread(str(tmp_path / f"frame.{kind}.png"), cv2.IMREAD_UNCHANGED)
        assert pixels is not None
        assert pixels.dtype == (np.uint8 if bits == 8 else np.uint16)


def test_a_composite_comes_with_its_background(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path, background="#010203")
    assert (read_image(tmp_path / "frame.composite.png")[result.alpha == 0] == (1, 2, 3)).all()
    with pytest.raises(CleanplateError, match="needs a background"):
        result.save(tmp_path, save=["composite"])


def test_wrong_wishes(result: Result, tmp_path: Path) -> None:
    with pytest.raises(CleanplateError, match="cannot save normals"):
        result.save(tmp_path, save=["alpha", "normals"])
    with pytest.raises(CleanplateError, match="12 bits"):
        result.save(tmp_path, bits=12)
    assert names(tmp_path) == set()


def test_a_second_run_replaces(result: Result, metric: Result, tmp_path: Path) -> None:
    result.save(tmp_path, save=["alpha"])
    inode = os.stat(tmp_path / "frame.alpha.png").st_ino
    metric.save(tmp_path, save=["alpha"])
    assert os.stat(tmp_path / "frame.alpha.png").st_ino != inode
    assert read_alpha(tmp_path / "frame.alpha.png").shape == result.alpha.shape
    assert names(tmp_path) == {"frame.alpha.png", "frame.json"}


def test_a_file_in_the_folders_place(result: Result, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("not a folder", encoding="utf-8")
    with pytest.raises(CleanplateError, match="folder") as caught:
        result.save(tmp_path / "out")
    assert caught.value.file == tmp_path / "out"


def test_an_interruption_leaves_no_partial_file(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result.save(tmp_path, save=["alpha"])
    before = (tmp_path / "frame.alpha.png").read_bytes()
    write = Path.write_bytes

    def interrupted(self: Path, data: bytes) -> int:
        write(self, data[: len(data) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        result.save(tmp_path, save=["alpha", "foreground"])
    assert (tmp_path / "frame.alpha.png").read_bytes() == before
    assert names(tmp_path) == {"frame.alpha.png", "frame.json"}


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (["a/1.png", "a/2.png"], ["1", "2"]),
        (["a/1.png", "b/1.png"], ["a_1", "b_1"]),
        (["a/1.png", "b/1.png", "b/2.png"], ["a_1", "b_1", "2"]),
        (["x/a/1.png", "y/a/1.png"], ["x_a_1", "y_a_1"]),
        (["a/1.png", "a/1.jpg"], ["a_1_png", "a_1_jpg"]),
        (["a/One.png", "b/one.png"], ["a_One", "b_one"]),
        (["a/shot.0001.png", "a/shot.0002.png"], ["shot.0001", "shot.0002"]),
        (["a/1.png", "b/1.png", "c/a_1.png"], ["a_a_1", None, None]),
    ],
)
def test_no_two_frames_share_a_name(frames: list[str], expected: list[str | None]) -> None:
    paths = [Path("/pictures") / frame for frame in frames]
    found = stems(paths)
    assert len({name.casefold() for name in found}) == len(found)
    if None not in expected:
        assert found == expected
