"""Graphs of any size, and opened again for each size."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from cleanplate.models import find_model
from cleanplate.predict.graph import KEPT_SIZES, Graph, SizedGraph
from cleanplate.predict.predictor import Predictor
from cleanplate.predict.session import CPU, PairSession
from tests.predict.conftest import make_pair


@pytest.fixture
def sized(tiny: Path) -> SizedGraph:
    return SizedGraph(tiny / "plate.onnx", 1, [CPU])


def feed(height: int, width: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(height)
    plane = rng.random((1, 1, height, width), np.float32)
    picture = rng.random((1, 3, height, width), np.float32)
    return {"plate": picture, "plate_disparity": plane, "plate_valid": plane}


def opened(graph: SizedGraph, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, int]]:
    """The sizes for which it is opened from now on."""
    found: list[dict[str, int]] = []
    own = graph._open

    def counted(sizes: dict[str, int]) -> object:
        found.append(dict(sizes))
        return own(sizes)

    monkeypatch.setattr(graph, "_open", counted)
    return found


def test_a_size_gives_what_any_size_gives(tiny: Path, sized: SizedGraph) -> None:
    free = Graph(tiny / "plate.onnx", 1, [CPU])
    for size in ((40, 48), (33, 51), (40, 48)):
        for one, other in zip(
            sized.run(None, feed(*size)), free.run(None, feed(*size)), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_each_size_is_opened_once_and_few_are_kept(
    sized: SizedGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = opened(sized, monkeypatch)
    for _ in range(3):
        for width in range(40, 40 + KEPT_SIZES):
            sized.run(None, feed(32, width))
    assert [max(one.values()) for one in found] == list(range(40, 40 + KEPT_SIZES))
    assert {32, 40} <= set(found[0].values()) <= {1, 32, 40}
    sized.run(None, feed(32, 90))
    sized.run(None, feed(32, 40))  # the oldest was closed
    assert len(found) == KEPT_SIZES + 2


def test_threads_share_what_was_opened(sized: SizedGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    found = opened(sized, monkeypatch)
    threads = [threading.Thread(target=sized.run, args=(None, feed(48, 64))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


def test_a_predictor_of_a_fixed_size_answers_the_same() -> None:
    pair = make_pair(90, 120)
    mattes = [
        Predictor(fixed_size=fixed, threads=1).scene(pair.plate).predict(pair.frame, "alpha").alpha
        for fixed in (False, True)
    ]
    np.testing.assert_allclose(*mattes, atol=1e-4)


def test_a_pickled_session_keeps_its_kind(tiny: Path) -> None:
    session = PairSession(find_model(tiny), 1, fixed_size=True)
    make, arguments = session.__reduce__()
    assert isinstance(make(*arguments)._frame, SizedGraph)
