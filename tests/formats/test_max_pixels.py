"""The limit of pixels can be set for every reader, and the message says how."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cleanplate.cli import command
from cleanplate.errors import CleanplateError
from cleanplate.evaluation import find_pairs
from cleanplate.formats.decoding import MAX_PIXELS, MAX_PIXELS_VARIABLE, pixel_limit
from cleanplate.formats.pictures import read_alpha, read_image, read_rgba, write_image


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.png"
    write_image(path, np.full((20, 30), 90, np.uint8))
    return path


@pytest.mark.parametrize("read", [read_image, read_rgba, read_alpha])
def test_the_message_names_the_option_and_the_argument(picture, read):
    with pytest.raises(CleanplateError, match="30 x 20 pixels, more than the limit of 599") as told:
        read(picture, max_pixels=599)
    assert "--max-pixels 600" in str(told.value.cure)
    assert "max_pixels=" in str(told.value.cure)
    read(picture, max_pixels=600)


def test_the_environment_sets_the_limit_and_an_argument_goes_before_it(picture, monkeypatch):
    assert pixel_limit() == MAX_PIXELS
    monkeypatch.setenv(MAX_PIXELS_VARIABLE, "599")
    with pytest.raises(CleanplateError, match="limit of 599"):
        read_image(picture)
    read_image(picture, max_pixels=600)
    monkeypatch.setenv(MAX_PIXELS_VARIABLE, "many")
    with pytest.raises(CleanplateError, match=f"{MAX_PIXELS_VARIABLE} is 'many'"):
        read_image(picture)


def test_training_parts_hold_to_the_limit(picture, monkeypatch):
    pytest.importorskip("torch")
    from cleanplate.training.data import sample_decoding

    sample_decoding.decode_plane(picture.read_bytes())
    monkeypatch.setenv(MAX_PIXELS_VARIABLE, "599")
    for read in (
        sample_decoding.decode_plane,
        sample_decoding.decode_picture,
        sample_decoding.decode_grey_depth,
    ):
        with pytest.raises(CleanplateError, match="limit of 599"):
            read(picture.read_bytes())


def test_a_raised_limit_goes_beyond_pillows_own_and_leaves_it_as_it_was(tmp_path, monkeypatch):
    """Pillow's limit is made small instead of the picture large."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    write_image(tmp_path / "a.png", np.full((20, 30), 90, np.uint8))
    with pytest.raises(CleanplateError, match="--max-pixels"):
        read_image(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", max_pixels=MAX_PIXELS + 1).shape == (20, 30, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


def pair(folder) -> None:
    for part in ("plate", "frame"):
        write_image(folder / f"a_{part}.png", np.full((48, 64, 3), 90, np.uint8))
    write_image(folder / "a_alpha.png", np.zeros((48, 64), np.uint8))


def test_pairs_take_the_limit(tmp_path):
    pair(tmp_path)
    with pytest.raises(CleanplateError, match="limit of 99"):
        find_pairs(tmp_path, max_pixels=99)[0].read()


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "--plate", "a_plate.png", "a_frame.png", "-o", "out", "--force"],
        ["evaluate", ".", "--baseline", "difference"],
    ],
)
def test_commands_take_the_limit_for_themselves_alone(tmp_path, monkeypatch, arguments):
    pair(tmp_path)
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(command, [*arguments, "--max-pixels", "99"])
    assert isinstance(ran.exception, CleanplateError), ran.output
    assert "limit of 99" in str(ran.exception)
    assert pixel_limit() == MAX_PIXELS
    assert CliRunner().invoke(command, arguments).exit_code == 0


@pytest.mark.parametrize(
    "name", ["predict", "evaluate", "synth build", "synth cutouts", "synth depth", "train"]
)
def test_every_command_that_reads_pictures_has_the_option(name):
    found = command
    for part in name.split():
        found = found.get_command(None, part)
    assert "--max-pixels" in {option for one in found.params for option in one.opts}


def test_a_predictor_takes_the_limit(picture):
    from cleanplate import Predictor

    with pytest.raises(CleanplateError, match="limit of 599"):
        Predictor(max_pixels=599).scene(picture)
