"""The outputs of a frame: what is computed in the subject's region is that of the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleanplate import Predictor
from cleanplate.bilinear import enlarge
from cleanplate.formats.pictures import read_image, resize
from cleanplate.matte import solve_foreground
from cleanplate.predict.geometry.disparity_fusion import shadow_behind

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("gain", [1.0, 0.9], ids=["same exposure", "another exposure"])
@pytest.mark.parametrize(
    "size", [(180, 240), (601, 803)], ids=["small", "larger than the network's"]
)
def test_the_foreground_is_that_of_the_whole_layers(size, gain):
    plate, frame = (
        resize(read_image(EXAMPLES / f"{name}.jpg"), size) for name in ("plate", "frame")
    )
    frame = (frame * gain).astype(np.uint8)
    result = Predictor(threads=1).scene(plate).predict(frame, ("foreground", "plate"))
    sources = result.sources
    behind = enlarge(shadow_behind(sources.shadow, sources.matte.small), size)
    expected = solve_foreground(frame, sources.plate.full(), sources.matte.full, behind)
    alone = Predictor(threads=1).scene(plate).predict(frame, "foreground")
    for found in (result.foreground, alone.foreground):
        np.testing.assert_allclose(found, expected, atol=1e-5)
