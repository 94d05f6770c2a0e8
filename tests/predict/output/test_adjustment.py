"""Matte controls on a result, and foregrounds solved for one way of mixing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cleanplate import CleanplateError, adjust
from cleanplate.cli import main
from cleanplate.formats.pictures import read_image, read_rgba, write_image
from cleanplate.matte import over, premultiply, solve_foreground
from cleanplate.predict.predictor import Predictor
from cleanplate.predict.result import Result
from cleanplate.predict.upsample import Matte
from tests.predict.conftest import Pair, bright_subject, textured


@pytest.fixture
def result(predictor: Predictor, pair: Pair) -> Result:
    return predictor.scene(pair.plate).predict(pair.frame)


def mixed(pair: Pair, background: np.ndarray, space: str) -> np.ndarray:
    """The reference: mixing by hand in the values that `space` names."""
    a = pair.alpha[..., None]
    if space == "display":
        return a * pair.foreground + (1 - a) * background
    return over(pair.foreground, pair.alpha, background)


@pytest.mark.parametrize("space", ["linear", "display"])
def test_the_foreground_undoes_the_mixing_that_it_is_solved_for(pair: Pair, space: str) -> None:
    frame = mixed(pair, pair.plate, space)
    solved = solve_foreground(frame, pair.plate, pair.alpha, space=space)  # type: ignore[arg-type]
    clear = pair.alpha > 0.3
    np.testing.assert_allclose(solved[clear], pair.foreground[clear], atol=2e-3)
    other = "display" if space == "linear" else "linear"
    wrong = solve_foreground(frame, pair.plate, pair.alpha, space=other)  # type: ignore[arg-type]
    soft = clear & (pair.alpha < 0.7)
    assert np.abs(wrong[soft] - pair.foreground[soft]).max() > 0.02


@pytest.mark.parametrize("space", ["linear", "display"])
def test_a_shadow_is_a_factor_on_light_in_either_space(pair: Pair, space: str) -> None:
    from cleanplate.matte import darken

    shadow = np.full(pair.alpha.shape, 0.6, np.float32)
    frame = mixed(pair, darken(pair.plate, shadow), space)
    solved = solve_foreground(frame, pair.plate, pair.alpha, shadow, space=space)  # type: ignore[arg-type]
    clear = pair.alpha > 0.3
    np.testing.assert_allclose(solved[clear], pair.foreground[clear], atol=2e-3)


@pytest.mark.parametrize("space", ["linear", "display"])
def test_a_composite_over_the_plate_gives_the_frame_again(
    predictor: Predictor, pair: Pair, space: str
) -> None:
    """In the space that the foreground is solved for, with the measured matte, but for clipping."""
    frame = mixed(pair, pair.plate, space)
    found = predictor.scene(pair.plate).predict(frame)
    matte = found.sources.matte._replace(full=pair.alpha)
    true = replace(found.sources, matte=matte, shadow=np.ones_like(found.sources.shadow))
    result = adjust(replace(found, sources=true), foreground_space=space)  # type: ignore[arg-type]
    again = result.composite(np.rint(result.plate * 255).astype(np.uint8)).pixels / 255
    clear = (pair.alpha > 0.3) | (pair.alpha == 0)
    assert np.abs(again - frame)[clear].max() < 0.012


@pytest.mark.parametrize("space", ["linear", "display"])
def test_premultiplied_colour_is_laid_over_by_adding(pair: Pair, space: str) -> None:
    background = textured(120, 160, 5)
    rgb = premultiply(pair.foreground, pair.alpha, space=space)  # type: ignore[arg-type]
    a = pair.alpha[..., None]
    if space == "display":
        laid = rgb + (1 - a) * background
    else:
        from cleanplate.light import linear_to_srgb, srgb_to_linear

        laid = linear_to_srgb(srgb_to_linear(rgb) + (1 - a) * srgb_to_linear(background))
    expected = over(pair.foreground, pair.alpha, background, space=space)  # type: ignore[arg-type]
    np.testing.assert_allclose(laid, expected, atol=1e-3)


def test_the_original_result_stays_as_it_is(result: Result) -> None:
    alpha, foreground = result.alpha.copy(), result.foreground.copy()
    adjust(result, choke=2, feather=3, despill=1, foreground_space="display")
    np.testing.assert_array_equal(result.alpha, alpha)
    np.testing.assert_array_equal(result.foreground, foreground)
    assert "controls" not in result.report


def test_colour_is_solved_from_the_measured_matte(result: Result, pair: Pair) -> None:
    result = adjust(
        replace(result, sources=replace(result.sources, matte=Matte(pair.alpha, pair.alpha)))
    )
    choked = adjust(result, choke=3)
    np.testing.assert_array_equal(choked.foreground, result.foreground)
    assert choked.alpha.sum() < result.alpha.sum()
    assert choked.report["controls"]["choke_px"] == 3
    assert choked.report["alpha_mean"] == pytest.approx(float(choked.alpha.mean()), abs=1e-6)


def test_a_known_mask_decides_whatever_the_controls_do(result: Result) -> None:
    known = np.full(result.alpha.shape, 128, np.uint8)
    known[:, :80] = 0
    known[:10] = 255
    for controls in ({}, {"feather": 8}, {"choke": -4}, {"choke": 4}):
        alpha = adjust(result, known_mask=known, **controls).alpha  # type: ignore[arg-type]
        assert (alpha[10:, :80] == 0).all()
        assert (alpha[:10] == 1).all()
    inside = adjust(result, known_mask=known).alpha[10:, 80:]
    np.testing.assert_array_equal(inside, result.alpha[10:, 80:])


def test_a_known_mask_moves_with_the_plate(tiny: Path) -> None:
    """The frame's camera stood 6 px aside; the mask is painted on the plate."""
    wide = textured(240, 340, 3)
    plate, frame = wide[:, :320], wide[:, 6:326].copy()
    foreground, alpha = bright_subject(240, 320)
    frame = over(foreground, alpha, frame)
    result = Predictor(tiny, threads=1, align=True).scene(plate).predict(frame)
    assert result.report["alignment"]["trusted"]
    known = np.full((240, 320), 128, np.uint8)
    known[:, :100] = 255
    held = adjust(result, known_mask=known).alpha
    assert (held[:, :93] == 1).all()
    np.testing.assert_array_equal(held[:, 95:], result.alpha[:, 95:])


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"choke": 1000}, "choke 1000"),
        ({"feather": -1}, "feather -1"),
        ({"despill": 1.5}, "despill 1.5"),
        ({"foreground_space": "gamma"}, "no foreground space 'gamma'"),
        ({"known_mask": np.full((5, 5), 128, np.uint8)}, "known mask is 5 x 5"),
    ],
)
def test_impossible_controls_are_refused(result: Result, wish: dict, message: str) -> None:
    with pytest.raises(CleanplateError, match=message):
        adjust(result, **wish)


def test_the_command_takes_all_controls_and_the_file_says_what_it_is(
    tiny: Path, files: Path
) -> None:
    known = np.full((120, 160), 128, np.uint8)
    known[:30] = 0
    write_image(files / "known.png", known)
    code = main([
        "predict", "--model", str(tiny), "--threads", "1", "--plate", str(files / "plate.png"),
        str(files / "frames" / "one.png"), "-o", str(files / "out"), "--quiet",
        "--known-mask", str(files / "known.png"), "--choke", "1", "--feather", "2", "--despill",
        "0.5", "--foreground-space", "display", "--premultiplied", "--background", "white",
    ])  # fmt: skip
    assert code == 0
    report = json.loads((files / "out" / "one.json").read_text(encoding="utf-8"))
    assert report["controls"] == {
        "known_mask": str(files / "known.png"), "choke_px": 1.0, "feather_px": 2.0, "despill": 0.5,
    }  # fmt: skip
    assert report["foreground"] == {"space": "display", "alpha": "premultiplied"}
    with Image.open(files / "out" / "one.foreground.png") as image:
        assert image.info["Comment"] == (
            "premultiplied alpha; colour solved for mixing in display (sRGB) values"
        )
    colour, alpha = read_rgba(files / "out" / "one.foreground.png")
    assert alpha is not None
    assert (alpha[:30] == 0).all()
    assert (colour / 255 <= alpha[..., None] + 0.003).all()
    # Laid over white as an editor would, in display values, it is the composite.
    laid = colour / 255 + (1 - alpha[..., None])
    composite = read_image(files / "out" / "one.composite.png") / 255
    assert np.abs(laid - composite).max() < 0.012


def test_straight_colour_for_linear_light_stays_the_default(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path, save=["foreground"])
    with Image.open(tmp_path / "frame.foreground.png") as image:
        assert image.info["Comment"] == "straight alpha; colour solved for mixing in linear light"


def test_a_mask_of_another_size_is_told_before_any_frame(
    tiny: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(files / "known.png", np.full((60, 80), 128, np.uint8))
    code = main([
        "predict", "--model", str(tiny), "--plate", str(files / "plate.png"), str(files / "frames"),
        "-o", str(files / "out"), "--known-mask", str(files / "known.png"),
    ])  # fmt: skip
    assert code == 2
    assert "known mask is 80 x 60 and the plate 160 x 120" in capsys.readouterr().err
    assert not (files / "out").exists()
