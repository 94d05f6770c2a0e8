"""PlateDepthNet: its budget, any size, and that it can learn a ramp."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from cleanplate.training.losses import LossWeights, PlateDepthLoss
from cleanplate.training.networks import PlateDepthNet


def test_parameters_stay_within_three_million():
    assert sum(p.numel() for p in PlateDepthNet().parameters()) <= 3_000_000


@pytest.mark.parametrize("size", [(32, 32), (61, 83), (96, 128)])
def test_one_disparity_for_each_pixel(size):
    with torch.no_grad():
        disparity = PlateDepthNet().eval().estimate(torch.rand(2, 3, *size))
    assert disparity.shape == (2, 1, *size)
    assert torch.isfinite(disparity).all()


def test_brightness_as_disparity_is_learned_in_a_few_steps():
    torch.manual_seed(0)
    network = PlateDepthNet()
    picture = torch.nn.functional.interpolate(torch.rand(4, 1, 4, 6), size=(64, 96), mode="bicubic")
    batch = {"plate_disparity": picture, "plate_valid": torch.ones_like(picture)}
    loss = PlateDepthLoss(LossWeights(plate_disparity=1.0, gradient=0.5))
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        total = loss(network(picture.expand(-1, 3, -1, -1), picture), batch)["total"]
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        losses.append(float(total.detach()))
    assert losses[-1] < 0.6 * losses[0]
