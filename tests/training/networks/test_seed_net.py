"""SeedNet is the report's network: its 99 rows, and its variants."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from cleanplate.training.networks.seed_net import DecoderBlock, SeedNet

Row = tuple[str, tuple[int, int, int], int]


def conv(kernel, inputs, outputs, size, groups=1) -> Row:
    return "Conv2d", (outputs, size, size), kernel * kernel * inputs // groups * outputs


def norm(channels, size) -> Row:
    return "BatchNorm2d", (channels, size, size), 2 * channels


def relu(channels, size) -> Row:
    return "ReLU", (channels, size, size), 0


def unit(inputs, outputs, size) -> list[Row]:
    return [conv(3, inputs, outputs, size), norm(outputs, size), relu(outputs, size)]


def block(inputs, outputs, size) -> list[Row]:
    """A BasicBlock: its parts, then itself; ReLUs and the sum inside are functional."""
    rows = [
        *(conv(3, inputs, outputs, size), norm(outputs, size)),
        *(conv(3, outputs, outputs, size), norm(outputs, size)),
    ]
    if inputs != outputs:
        rows += [conv(1, inputs, outputs, size), norm(outputs, size)]
    return [*rows, ("BasicBlock", (outputs, size, size), 0)]


def stem() -> list[Row]:
    return [
        *unit(3, 32, 128),
        conv(3, 32, 32, 128, groups=32),
        conv(1, 32, 32, 128),
        norm(32, 128),
        relu(32, 128),
    ]


HEAD = conv(3, 128, 1, 128)
TABLE: list[Row] = [
    *(*stem(), *stem()),  # 1-7, 8-14
    *(conv(3, 64, 64, 128), norm(64, 128)),  # 15-16
    *(*unit(64, 128, 128), HEAD),  # 17-20
    *block(64, 64, 128),  # 21-25
    *block(64, 128, 64),  # 26-32
    *block(128, 256, 32),  # 33-39
    *block(256, 512, 16),  # 40-46
    *block(512, 1024, 8),  # 47-53
    *(*block(1024, 512, 16), *block(512, 512, 16), *unit(1024, 512, 16)),  # 54-60, 61-65, 66-68
    *(*block(512, 256, 32), *unit(512, 256, 32)),  # 69-75, 76-78
    *(*block(256, 128, 64), *unit(256, 128, 64)),  # 79-85, 86-88
    *(*block(128, 64, 128), *unit(128, 128, 128)),  # 89-95, 96-98
    HEAD,  # 99
]
"""The report's table, written from its description and not from the code."""


def rows_of(network, size=128) -> list[Row]:
    """One row for each use of a module: type, output shape without the batch, parameters."""
    rows: list[Row] = []

    def note(module, _, output):
        own = sum(p.numel() for p in module.parameters(recurse=False))
        rows.append((type(module).__name__, tuple(output.shape[1:]), own))

    for module in network.modules():
        if not isinstance(module, (nn.Sequential, DecoderBlock, SeedNet)):
            module.register_forward_hook(note)
    picture = torch.rand(1, 3, size, size)
    with torch.no_grad():
        network.eval()(picture, picture)
    return rows


def test_the_99_rows_and_both_sums_are_the_reports():
    network = SeedNet()
    rows = rows_of(network)
    assert len(TABLE) == 99
    assert rows == TABLE
    assert sum(parameters for _, _, parameters in rows) == 40_866_048
    assert sum(p.numel() for p in network.parameters()) == 40_862_592


def test_no_convolution_has_a_bias():
    convolutions = [m for m in SeedNet().modules() if isinstance(m, nn.Conv2d)]
    assert all(c.bias is None for c in convolutions)


def test_a_head_of_its_own_costs_one_convolution_more():
    shared, own = SeedNet(width=0.25), SeedNet(width=0.25, shared_head=False)
    count = [sum(p.numel() for p in n.parameters()) for n in (shared, own)]
    assert count[1] - count[0] == own.depth_head.weight.numel()
    assert shared.depth_head is shared.head


def test_subtraction_of_anything_sees_nothing_in_an_identical_pair():
    picture = torch.rand(1, 3, 64, 64)
    for subtract in ("features", "pictures"):
        network = SeedNet("subtract", subtract, width=0.125).eval()
        with torch.no_grad():
            alpha = network(picture, picture).alpha
        inside = alpha[..., 8:-8, 8:-8]
        assert float(inside.max() - inside.min()) < 1e-5, "an empty difference has no structure"


def test_subtracting_pictures_and_features_are_different_networks():
    torch.manual_seed(0)
    features = SeedNet("subtract", "features", width=0.125).eval()
    pictures = SeedNet("subtract", "pictures", width=0.125).eval()
    pictures.load_state_dict(features.state_dict())
    plate, frame = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        assert not torch.allclose(features(plate, frame).alpha, pictures(plate, frame).alpha)


@pytest.mark.parametrize("width", [0.125, 0.5])
def test_width_scales_the_channels(width):
    network = SeedNet(width=width)
    assert network.encoder5.conv2.out_channels == round(1024 * width)
    assert network.trunk_conv.in_channels == 2 * round(32 * width)


def test_the_mask_comes_from_the_stem_and_sees_few_pixels():
    network = SeedNet(width=0.125).eval()
    plate, frame = torch.rand(2, 1, 3, 64, 64)
    changed = frame.clone()
    changed[..., 20:] = 0.5
    with torch.no_grad():
        one, other = network(plate, frame), network(plate, changed)
    assert torch.equal(one.alpha[..., :15], other.alpha[..., :15])
    assert not torch.allclose(one.disparity[..., :15], other.disparity[..., :15])
