"""CompactNet: its budget, and that the plate's depth does not enter the comparison."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.utils.flop_counter import FlopCounterMode

from cleanplate.training.networks import CompactNet


@pytest.fixture(scope="module")
def network() -> CompactNet:
    torch.manual_seed(0)
    return CompactNet().eval()


def test_parameters_stay_within_the_budget(network):
    assert sum(p.numel() for p in network.parameters()) <= 1_500_000


def test_a_frame_costs_at_most_600_million_products_with_the_plate_cached(network):
    picture = torch.rand(1, 3, 256, 256)
    with torch.no_grad():
        features = network.encode_plate(picture)
        with FlopCounterMode(display=False) as counter:
            network.compare(picture, picture, features)
    assert counter.get_total_flops() / 2 <= 600e6


def test_every_plate_output_has_its_name(network):
    with torch.no_grad():
        outputs = network.encode_plate(torch.rand(1, 3, 64, 96))
    assert len(outputs) == len(network.plate_outputs)
    assert outputs[-1].shape == (1, 1, 64, 96)


def test_encoder_features_do_not_depend_on_the_plate_depth(network):
    plate, depth = torch.rand(1, 3, 64, 64), torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        without = network.encode_plate(plate)
        with_depth = network.encode_plate(plate, depth, torch.ones_like(depth))
    for name, first, second in zip(network.plate_outputs, without, with_depth, strict=True):
        assert torch.equal(first, second) == name.startswith("feature_"), name


def test_unknown_depth_is_not_read(network):
    """Where depth is invalid its number does not matter."""
    plate, valid = torch.rand(1, 3, 64, 64), (torch.rand(1, 1, 64, 64) > 0.5).float()
    depth = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        first = network.encode_plate(plate, depth, valid)
        second = network.encode_plate(plate, torch.where(valid > 0, depth, 7.0), valid)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_an_untrained_network_begins_near_nothing_changed(network):
    plate = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        prediction = network(plate, plate)
    assert prediction.alpha.mean() < 0.3
    assert prediction.shadow.mean() > 0.9
