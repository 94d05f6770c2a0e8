"""HDR and wide gamuts against values of the standards."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.video import tone_map
from tests.video.scenes import coded, linear


def code(value: float) -> np.ndarray:
    return np.full((1, 1, 3), round(value * 65535), np.uint16)


# ST 2084: the code of 100, 203 (BT.2408: 58 %), 1000 and 10000 cd/m2.
@pytest.mark.parametrize(
    ("value", "nits"), [(0.508078, 100), (0.580688, 203), (0.751827, 1000), (1.0, 10000)]
)
def test_pq_codes_are_what_the_standard_says(value: float, nits: float) -> None:
    light = tone_map._table("smpte2084")[round(value * 65535)] * tone_map.WHITE
    assert light == pytest.approx(nits, rel=1e-3)


def test_hlg_white_is_diffuse_white() -> None:
    """BT.2408: HLG of 75 % is 203 cd/m2 on a display of 1000."""
    found = tone_map.to_display(code(0.75), "arib-std-b67", "bt709")
    assert np.allclose(found, coded(tone_map.hable(np.float32([1.0]))[0]), atol=2e-3)


def test_peak_becomes_white_and_black_black() -> None:
    assert tone_map.to_display(code(0.7518), "smpte2084", "bt2020") == pytest.approx(1, abs=2e-3)
    assert tone_map.to_display(code(1.0), "smpte2084", "bt2020") == pytest.approx(1, abs=1e-6)
    assert tone_map.to_display(code(0.0), "smpte2084", "bt2020") == pytest.approx(0, abs=1e-6)


def test_curve_by_hand() -> None:
    """At 1: f(2) / f(2 * 1000 / 203), worked out from the published constants."""
    x, peak = 2.0, 2000 / 203

    def f(v: float) -> float:
        return (v * (0.15 * v + 0.05) + 0.004) / (v * (0.15 * v + 0.5) + 0.06) - 0.02 / 0.3

    assert tone_map.hable(np.float32([1.0]))[0] == pytest.approx(f(x) / f(peak), rel=1e-4)


def test_curve_rises_and_greys_stay_grey() -> None:
    ramp = np.repeat(np.arange(0, 65536, 16, dtype=np.uint16)[None, :, None], 3, axis=2)
    for transfer in tone_map.HDR:
        found = tone_map.to_display(ramp, transfer, "bt2020")
        assert np.abs(found - found[..., :1]).max() < 1e-3
        assert (np.diff(found[0, :, 0]) >= -1e-6).all()


def test_primaries_are_those_of_bt2087() -> None:
    """ITU-R BT.2087, annex 2: from BT.2020 to BT.709."""
    matrix = np.linalg.inv(tone_map._to_xyz("bt709")) @ tone_map._to_xyz("bt2020")
    truth = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    assert np.allclose(matrix, truth, atol=2e-4)


def test_wide_colour_that_srgb_has_is_converted() -> None:
    colour = np.array([0.8, 0.3, 0.2])
    matrix = np.linalg.inv(tone_map._to_xyz("smpte432")) @ tone_map._to_xyz("bt709")
    wide = coded(matrix @ linear(colour)).astype(np.float32).reshape(1, 1, 3)
    assert np.allclose(tone_map.from_wide(wide, "smpte432")[0, 0], colour, atol=1e-4)
