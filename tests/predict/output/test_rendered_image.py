"""Composites and previews."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleanplate import CleanplateError, preview
from cleanplate.formats.pictures import read_image, write_image
from cleanplate.predict.output.rendered_image import PREVIEW_SIDE
from cleanplate.predict.predictor import Predictor
from cleanplate.predict.result import Result
from tests.predict.conftest import Pair, to_eight


@pytest.fixture
def result(predictor: Predictor, pair: Pair) -> Result:
    return predictor.scene(pair.plate).predict(pair.frame)


@pytest.mark.parametrize(
    ("background", "rgb"),
    [("#204060", (32, 64, 96)), ("white", (255, 255, 255)), ("Rebeccapurple", (102, 51, 153))],
)
def test_a_colour_behind_the_subject(
    result: Result, pair: Pair, background: str, rgb: tuple[int, int, int]
) -> None:
    pixels = result.composite(background).pixels
    assert pixels.dtype == np.uint8
    assert (pixels[result.alpha == 0] == rgb).all()
    inside = result.alpha == 1
    assert np.abs(pixels[inside].astype(int) - to_eight(pair.frame)[inside]).max() <= 1


def test_edges_are_mixed_in_linear_light(result: Result) -> None:
    pixels = result.composite("black").pixels / 255.0
    soft = (result.alpha > 0.3) & (result.alpha < 0.7)
    light = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)
    f = result.foreground
    straight = np.where(f <= 0.04045, f / 12.92, ((f + 0.055) / 1.055) ** 2.4)
    expected = result.alpha[..., None] * straight
    assert np.abs(light - expected)[soft].max() < 0.01


def test_a_picture_covers_the_frame_and_keeps_its_shape(result: Result) -> None:
    """A picture twice as wide as needed: its left and right quarters are cut, nothing squeezed."""
    wide = np.zeros((60, 160, 3), np.uint8)
    wide[:, :80] = 255, 0, 0
    wide[:, 80:] = 0, 0, 255
    wide[:, :35] = 0, 255, 0
    wide[:, 125:] = 0, 255, 0
    pixels = result.composite(wide).pixels
    assert pixels.shape == (120, 160, 3)
    outside = result.alpha == 0
    assert not (pixels[outside] == (0, 255, 0)).all(axis=1).any()
    assert (pixels[2, :78] == (255, 0, 0)).all()
    assert (pixels[2, 82:] == (0, 0, 255)).all()


def test_a_file_behind_the_subject(result: Result, tmp_path: Path) -> None:
    write_image(tmp_path / "sky.png", np.full((30, 40, 3), (1, 2, 3), np.uint8))
    pixels = result.composite(tmp_path / "sky.png").pixels
    assert (pixels[result.alpha == 0] == (1, 2, 3)).all()
    result.composite(str(tmp_path / "sky.png")).save(tmp_path / "out.png")
    np.testing.assert_array_equal(read_image(tmp_path / "out.png"), pixels)


def test_neither_a_file_nor_a_colour(result: Result) -> None:
    with pytest.raises(CleanplateError, match="neither a file nor a colour"):
        result.composite("blackish")


def test_sixteen_bit_frames_stay_sixteen_bit(
    predictor: Predictor, pair: Pair, tmp_path: Path
) -> None:
    frame = np.rint(pair.frame * 65535).astype(np.uint16)
    image = predictor.scene(pair.plate).predict(frame).composite("black")
    assert image.pixels.dtype == np.uint16
    image.save(tmp_path / "out.png")
    assert read_image(tmp_path / "out.png").dtype == np.uint16
    image.save(tmp_path / "out.jpg")
    assert read_image(tmp_path / "out.jpg").dtype == np.uint8


def test_the_preview_shows_five_pictures(result: Result, tmp_path: Path) -> None:
    pixels = preview(result).pixels
    assert pixels.shape[0] > 120
    assert pixels.shape[1] >= 5 * 160
    preview(result, "white").save(tmp_path / "preview.jpg")
    assert read_image(tmp_path / "preview.jpg").shape == pixels.shape
    assert result._repr_png_().startswith(b"\x89PNG")


def test_the_preview_stays_small(tiny: Path) -> None:
    plate = np.random.default_rng(0).integers(0, 255, (1000, 1500, 3)).astype(np.uint8)
    pixels = preview(Predictor(tiny, threads=1).scene(plate).predict(plate)).pixels
    assert pixels.shape[1] < 5 * PREVIEW_SIDE + 100
