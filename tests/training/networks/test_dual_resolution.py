"""DualResolutionNet's own promises: its budget, what it compares, and where it begins."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.utils.flop_counter import FlopCounterMode

from cleanplate.training.networks import DualResolutionNet
from cleanplate.training.networks.dual_resolution import Comparison


@pytest.fixture(scope="module")
def network() -> DualResolutionNet:
    torch.manual_seed(0)
    return DualResolutionNet().eval()


def test_parameters_stay_within_the_budget(network):
    assert sum(p.numel() for p in network.parameters()) <= 2_500_000


def test_a_frame_costs_at_most_800_million_products_with_the_plate_cached(network):
    picture = torch.rand(1, 3, 256, 256)
    with torch.no_grad():
        features = network.encode_plate(picture)
        with FlopCounterMode(display=False) as counter:
            network.compare(picture, picture, features)
    assert counter.get_total_flops() / 2 <= 800e6


def test_a_comparison_is_the_1x1_convolution_of_frame_plate_and_difference():
    torch.manual_seed(0)
    comparison = Comparison(5, 7)
    frame, plate = torch.randn(2, 5, 6, 8), torch.randn(2, 5, 6, 8)
    weights = [comparison.frame.weight, comparison.plate.weight, comparison.difference.weight]
    whole = torch.nn.functional.conv2d(
        torch.cat([frame, plate, (frame - plate).abs()], 1), torch.cat(weights, 1)
    )
    torch.testing.assert_close(comparison(frame, plate) + comparison.plate(plate), whole)


def test_the_plate_depth_is_not_looked_at(network):
    plate, depth = torch.rand(1, 3, 64, 64), torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        without = network.encode_plate(plate)
        given = network.encode_plate(plate, depth, torch.ones_like(depth))
    assert all(torch.equal(a, b) for a, b in zip(without, given, strict=True))


def test_an_untrained_network_begins_near_nothing_changed(network):
    plate = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        prediction = network(plate, plate)
    assert prediction.alpha.mean() < 0.3
    assert prediction.shadow.mean() > 0.9


def test_a_pixel_of_the_frame_moves_its_own_cell_of_alpha_most(network):
    """Pixel shuffle and cropping keep every value at its place."""
    plate = torch.full((1, 3, 61, 83), 0.5)
    frame = plate.clone()
    frame[..., 41, 60] = 1.0
    with torch.no_grad():
        change = (network(plate, frame).alpha - network(plate, plate).alpha).abs()[0, 0]
    row, column = divmod(int(change.argmax()), 83)
    assert abs(row - 41) <= 6
    assert abs(column - 60) <= 6
