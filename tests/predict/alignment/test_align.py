"""Registration by itself: where movement is measured, and only where it can be trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleanplate import CleanplateError
from cleanplate.matte import over
from cleanplate.predict.alignment.registration import Registration
from cleanplate.predict.predictor import Predictor
from tests.predict.conftest import Pair, bright_subject, textured
from tests.predict.test_predictor import moved_pair


def test_a_moved_plate_is_registered_without_being_asked(tiny: Path) -> None:
    pair, moved = moved_pair()
    result = Predictor(tiny, threads=1).scene(moved).predict(pair.frame)
    report = result.report
    assert report["align"] == "auto"
    assert report["alignment"]["trusted"]
    assert report["alignment"]["moved_px"] == pytest.approx(np.hypot(9, 5), abs=0.5)
    assert report["health"]["moved_px"] == pytest.approx(np.hypot(9, 5), abs=0.5)
    assert not any("the camera moved" in one for one in report["health"]["warnings"])
    assert np.abs(result.alpha - pair.alpha).mean() < 0.03


def test_off_registers_nothing_and_says_how(tiny: Path) -> None:
    pair, moved = moved_pair()
    report = Predictor(tiny, threads=1, align="off").scene(moved).predict(pair.frame).report
    assert report["alignment"] is None
    assert any("--align auto" in one for one in report["health"]["warnings"])


def test_auto_registers_nothing_where_the_camera_stood_still(
    tiny: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cleanplate.predict.alignment.plate_aligner as module

    def refuse(*arguments: object) -> Registration:
        raise AssertionError("registered")

    monkeypatch.setattr(module, "register", refuse)
    report = Predictor(tiny, threads=1).scene(pair.plate).predict(pair.frame).report
    assert report["alignment"] is None


def test_a_registration_that_cannot_be_trusted_is_not_kept(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cleanplate.predict.alignment.plate_aligner as module

    pair, moved = moved_pair()
    monkeypatch.setattr(module, "register", lambda *a: Registration(why_not="a test says so"))
    result = Predictor(tiny, threads=1).scene(moved).predict(pair.frame)
    assert result.report["alignment"]["why_not"] == "a test says so"
    assert any("the camera moved" in one for one in result.report["health"]["warnings"])
    np.testing.assert_array_equal(result.plate, moved)


def test_health_is_that_of_the_registered_plate(tiny: Path) -> None:
    height, width = 240, 320
    wide = textured(height + 80, width + 80, 4)
    foreground, alpha = bright_subject(height, width)
    frame = over(foreground, alpha, wide[40:-40, 40:-40])
    moved = wide[40:-40, 15:-65]
    report = Predictor(tiny, threads=1).scene(moved).predict(frame).report
    assert report["alignment"]["trusted"]
    assert report["health"]["agreeing_share"] > 0.6
    assert report["health"]["verdict"] == "good"


@pytest.mark.parametrize(
    ("given", "means"),
    [(True, "on"), (False, "off"), ("on", "on"), ("off", "off"), ("auto", "auto")],
)
def test_what_align_may_be(tiny: Path, given: bool | str, means: str) -> None:
    assert Predictor(tiny, threads=1, align=given).settings.align == means


@pytest.mark.parametrize("wrong", ["yes", "", 2, None])
def test_another_word_is_refused(tiny: Path, wrong: object) -> None:
    with pytest.raises(CleanplateError, match="auto, on, off"):
        Predictor(tiny, align=wrong)  # type: ignore[arg-type]
