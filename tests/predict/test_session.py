"""ONNX Runtime behind one class: names, padding, errors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from cleanplate import CleanplateError
from cleanplate.engines.cores import available_cores
from cleanplate.models import find_model
from cleanplate.predict.session import CPU, PairSession
from tests.predict.tiny_model import FLOOR, GAIN, SHADOW, SUBJECT, write_model


@pytest.fixture(scope="module")
def session(tiny: Path) -> PairSession:
    return PairSession(find_model(tiny), threads=1)


@pytest.mark.parametrize("size", [(64, 48), (33, 77), (16, 20), (1, 1), (5, 300)])
def test_any_size_comes_back_as_it_went_in(session: PairSession, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    plate = rng.random((*size, 3), np.float32)
    frame = rng.random((*size, 3), np.float32)
    features = session.encode_plate(plate)
    compared = session.compare(frame, features)
    expected = np.clip(GAIN * np.abs(frame - plate).max(axis=2) - FLOOR, 0, 1)
    np.testing.assert_allclose(compared.alpha, expected, atol=1e-5)
    np.testing.assert_allclose(compared.subject_disparity, np.full(size, SUBJECT), atol=1e-6)
    np.testing.assert_allclose(compared.shadow, np.full(size, SHADOW), atol=1e-6)
    assert features.disparity.shape == size


@pytest.mark.parametrize("size", [(48, 64), (31, 45), (3, 4)])
def test_an_enlarged_pair_comes_back_at_its_own_size(
    session: PairSession, size: tuple[int, int]
) -> None:
    """Plates are smooth and differences constant, so that resampling must change nothing."""
    network = (round(size[0] * 4 / 3), round(size[1] * 4 / 3))
    ramp = np.linspace(0.2, 0.6, size[1], dtype=np.float32)
    plate = np.broadcast_to(ramp[:, None], (*size, 3)).copy()
    disparity = np.broadcast_to(ramp, size).copy()
    disparity[0] = np.nan
    features = session.encode_plate(plate, disparity, size=network)
    assert features.size == network
    assert features.tensors["known"][0, 0][: network[0], : network[1]].shape == network
    for difference in (0.0, 0.08, 0.3):
        compared = session.compare(plate + np.float32(difference), features)
        expected = np.clip(GAIN * difference - FLOOR, 0, 1)
        np.testing.assert_allclose(compared.alpha, np.full(size, expected), atol=1e-4)
        assert compared.shadow.shape == compared.subject_disparity.shape == size
    known = features.tensors["known"][0, 0]
    assert set(np.unique(known)) <= {0, *disparity[1]}  # no value in between


def test_unknown_disparity_reaches_the_network_as_zero_and_invalid(session: PairSession) -> None:
    plate = np.zeros((40, 40, 3), np.float32)
    disparity = np.full((40, 40), 2.0, np.float32)
    disparity[:10] = np.nan
    features = session.encode_plate(plate, disparity)
    known = features.tensors["known"][0, 0]
    assert np.all(known[:10] == 0)
    assert np.all(known[10:] == 2)


def test_a_provider_that_is_not_there_is_an_error(tiny: Path) -> None:
    with pytest.raises(CleanplateError, match="NoSuchProvider") as caught:
        PairSession(find_model(tiny), providers=["NoSuchProvider", CPU])
    assert CPU in str(caught.value)


def test_threads(tiny: Path) -> None:
    assert PairSession(find_model(tiny)).threads == min(4, available_cores())
    assert PairSession(find_model(tiny), threads=1).threads == 1
    with pytest.raises(CleanplateError, match="0 threads"):
        PairSession(find_model(tiny), threads=0)


def _with_card(folder: Path) -> Path:
    names = ("plate.onnx", "frame.onnx")
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "card.json").write_text(json.dumps({"sha256": hashes}), encoding="utf-8")
    return folder


def test_graphs_of_another_kind_are_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "swapped")
    (folder / "plate.onnx").write_bytes((folder / "frame.onnx").read_bytes())
    with pytest.raises(CleanplateError, match="not a Cleanplate graph") as caught:
        PairSession(find_model(_with_card(folder)))
    assert caught.value.file == folder / "plate.onnx"


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "noise")
    (folder / "frame.onnx").write_bytes(b"this is no graph")
    with pytest.raises(CleanplateError, match="cannot load the graph"):
        PairSession(find_model(_with_card(folder)))
