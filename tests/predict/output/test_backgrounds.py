"""Backgrounds with transparency: pictures are laid over white, colours are refused."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cleanplate import CleanplateError, preview
from cleanplate.formats.pictures import write_image
from cleanplate.predict.output.rendered_image import check_background
from cleanplate.predict.predictor import Predictor
from cleanplate.predict.result import Result
from tests.predict.conftest import Pair


@pytest.fixture
def result(predictor: Predictor, pair: Pair) -> Result:
    return predictor.scene(pair.plate).predict(pair.frame)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_transparent_picture_is_laid_over_white(
    result: Result, tmp_path: Path, dtype: type[np.unsignedinteger]
) -> None:
    """Magenta hidden under alpha 0 at the left; black at half alpha at the right."""
    top = np.iinfo(dtype).max
    picture = np.zeros((*result.alpha.shape, 4), dtype)
    picture[:, :80] = top, 0, top, 0
    picture[:, 80:] = 0, 0, 0, top // 2 + 1
    write_image(tmp_path / "b.png", picture)
    check_background(tmp_path / "b.png")
    pixels = result.composite(tmp_path / "b.png").pixels
    assert (pixels[2, :80] == 255).all()
    # Half of white's light, not half of its code.
    assert np.abs(pixels[2, 80:].astype(int) - 188).max() <= 1


def test_an_opaque_picture_with_an_alpha_channel_is_itself(result: Result, tmp_path: Path) -> None:
    picture = np.zeros((*result.alpha.shape, 4), np.uint8)
    picture[:] = 10, 20, 30, 255
    write_image(tmp_path / "b.png", picture)
    assert (result.composite(tmp_path / "b.png").pixels[result.alpha == 0] == (10, 20, 30)).all()


@pytest.mark.parametrize("text", ["#00000000", "#ff000080", "#f008", "rgba(255, 0, 0, 10)"])
def test_a_transparent_colour_is_refused_with_an_opaque_one(result: Result, text: str) -> None:
    for act in (check_background, result.composite, partial(preview, result)):
        with pytest.raises(CleanplateError, match="transparency") as caught:
            act(text)
        assert "opaque colour, such as #" in str(caught.value.cure)


def test_an_opaque_colour_of_eight_digits_is_taken(result: Result) -> None:
    pixels = result.composite("#204060ff").pixels
    assert (pixels[result.alpha == 0] == (32, 64, 96)).all()
