"""Blocks that several networks share."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from cleanplate.training.networks.blocks import coordinate_channels


def test_coordinates_run_between_the_outer_pixel_centres():
    rows, columns = coordinate_channels(torch.zeros(1, 5, 4, 2))[0]
    assert rows[:, 0].tolist() == pytest.approx([-0.75, -0.25, 0.25, 0.75])
    assert columns[0].tolist() == pytest.approx([-0.5, 0.5])
