"""Depth estimators from `transformers`: real architectures, tiny, with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from cleanplate.cli import main
from cleanplate.depth import read_depth
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import write_image
from cleanplate.training.depth_estimator import TransformersDepthEstimator, convention_of

PROCESSOR = {
    "image_processor_type": "DPTImageProcessor", "do_resize": True, "do_rescale": True,
    "do_normalize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25],
    "rescale_factor": 1 / 255, "resample": 2,
}  # fmt: skip
PICTURE = np.random.default_rng(2).integers(0, 256, (60, 90, 3)).astype(np.uint8)


def saved(model, folder: Path, processor: dict) -> Path:
    """Give it weights that tell pixels apart, and save it with its processor."""
    torch.manual_seed(1)
    for weight in model.parameters():
        if weight.ndim > 1:
            torch.nn.init.kaiming_uniform_(weight)
    for name, weight in model.named_parameters():
        if name.startswith("head.") and name.endswith("bias"):
            torch.nn.init.constant_(weight, 1.0)  # the last layer is cut off at 0
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    return folder


def depth_anything(folder: Path, **options) -> Path:
    """Depth Anything on a DINOv2 of two layers."""
    backbone = transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14,
        out_features=["stage1", "stage2"], reshape_hidden_states=False,
    )  # fmt: skip
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=16, reassemble_factors=[2, 1],
        neck_hidden_sizes=[8, 8], fusion_hidden_size=8, head_hidden_size=4, **options,
    )  # fmt: skip
    processor = {**PROCESSOR, "size": {"height": 56, "width": 56}, "ensure_multiple_of": 14,
                 "keep_aspect_ratio": True}  # fmt: skip
    return saved(transformers.DepthAnythingForDepthEstimation(config), folder, processor)


def dpt(folder: Path) -> Path:
    """DPT on its own transformer of four layers, as MiDaS 3."""
    config = transformers.DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32,
        image_size=32, patch_size=16, backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, is_hybrid=False,
    )  # fmt: skip
    processor = {**PROCESSOR, "size": {"height": 32, "width": 32}}
    return saved(transformers.DPTForDepthEstimation(config), folder, processor)


def glpn(folder: Path) -> Path:
    config = transformers.GLPNConfig(
        hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 1, 1],
        decoder_hidden_size=8, max_depth=7,
    )  # fmt: skip
    processor = {
        "image_processor_type": "GLPNImageProcessor",
        "do_rescale": True,
        "size_divisor": 32,
    }
    return saved(transformers.GLPNForDepthEstimation(config), folder, processor)


def zoedepth(folder: Path) -> Path:
    """ZoeDepth on a BEiT of four layers."""
    backbone = transformers.BeitConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32,
        image_size=32, patch_size=16, reshape_hidden_states=False, add_fpn=False,
        out_features=["stage1", "stage2", "stage3", "stage4"], use_relative_position_bias=True,
    )  # fmt: skip
    config = transformers.ZoeDepthConfig(
        backbone_config=backbone, neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
        bottleneck_features=8, num_relative_features=8, bin_embedding_dim=8,
        num_attractors=[4, 2, 2, 1], use_batch_norm_in_fusion_residual=False,
        bin_configurations=[{"n_bins": 8, "min_depth": 0.5, "max_depth": 9.0, "name": "nyu"}],
    )  # fmt: skip
    processor = {
        **PROCESSOR, "image_processor_type": "ZoeDepthImageProcessor", "do_pad": True,
        "size": {"height": 64, "width": 96}, "keep_aspect_ratio": True, "ensure_multiple_of": 32,
    }  # fmt: skip
    return saved(transformers.ZoeDepthForDepthEstimation(config), folder, processor)


def depth_pro(folder: Path) -> Path:
    """Depth Pro on three DINOv2 of four layers, which see 32 pixels."""

    def encoder():
        return {"model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 4,
                "num_attention_heads": 2, "image_size": 32, "patch_size": 8}  # fmt: skip

    config = transformers.DepthProConfig(
        patch_size=32, patch_model_config=encoder(), image_model_config=encoder(),
        fov_model_config=encoder(), fusion_hidden_size=8, intermediate_hook_ids=[3, 2],
        intermediate_feature_dims=[8, 8], scaled_images_ratios=[0.5, 1.0],
        scaled_images_overlap_ratios=[0.0, 0.2], scaled_images_feature_dims=[8, 8],
        merge_padding_value=1, num_fov_head_layers=1, use_fov_model=True,
    )  # fmt: skip
    processor = {**PROCESSOR, "image_processor_type": "DepthProImageProcessor",
                 "size": {"height": 64, "width": 64}}  # fmt: skip
    return saved(transformers.DepthProForDepthEstimation(config), folder, processor)


def by_hand(folder: Path, size: tuple[int, int]) -> np.ndarray:
    """The same model fed by hand: what the network says at its own size."""
    from PIL import Image

    model = transformers.AutoModelForDepthEstimation.from_pretrained(folder).eval()
    small = Image.fromarray(PICTURE).resize(size[::-1], Image.Resampling.BILINEAR)
    values = (np.asarray(small, np.float32) / 255 - 0.5) / 0.25
    with torch.inference_mode():
        fed = torch.from_numpy(values.transpose(2, 0, 1)[None].copy())
        return model(pixel_values=fed).predicted_depth[0].numpy()


def test_depth_pro_as_its_own_processor_would(tmp_path: Path):
    """Its formula in the words of its own: a focal length in pixels, and width over it."""
    folder = depth_pro(tmp_path / "model")
    estimator = TransformersDepthEstimator(folder)
    assert estimator.convention == "metric"
    square = PICTURE[:, :60].repeat(2, 0).repeat(2, 1)[:64, :64]  # the size it sees: no resizing
    depth = estimator.estimate(square)
    model = transformers.AutoModelForDepthEstimation.from_pretrained(folder).eval()
    fed = ((square / 255 - 0.5) / 0.25).astype(np.float32).transpose(2, 0, 1)[None].copy()
    with torch.inference_mode():
        out = model(pixel_values=torch.from_numpy(fed))
    focal = 0.5 * 64 / np.tan(0.5 * np.radians(float(out.field_of_view)))
    raw = out.predicted_depth[0].numpy()
    assert raw.shape == (128, 128), "twice as fine as what it saw"
    halved = raw.reshape(64, 2, 64, 2).mean((1, 3))
    expected = 1 / np.clip(halved * 64 / focal, 1e-4, 1e4)
    assert np.ptp(halved) > 1e-4
    assert np.allclose(depth, expected, rtol=1e-3)


@pytest.mark.parametrize(("make", "size"), [(depth_anything, (56, 84)), (dpt, (32, 32))])
def test_a_model_from_a_folder(tmp_path: Path, make, size):
    folder = make(tmp_path / "model")
    estimator = TransformersDepthEstimator(folder)
    assert estimator.convention == "disparity"
    depth = estimator.estimate(PICTURE)
    assert depth.shape == (60, 90)
    assert depth.dtype == np.float32
    expected = by_hand(folder, size)
    assert np.ptp(expected) > 1e-4, "a map that says nothing would prove nothing"
    # Enlarged linearly: at the centres of the network's pixels the network's own numbers.
    rows = (np.arange(60) + 0.5) * expected.shape[0] / 60 - 0.5
    columns = (np.arange(90) + 0.5) * expected.shape[1] / 90 - 0.5
    r, c = (np.clip(v, 0, n - 1) for v, n in zip((rows, columns), expected.shape, strict=True))
    r0, c0 = r.astype(int), c.astype(int)
    r1, c1 = np.minimum(r0 + 1, expected.shape[0] - 1), np.minimum(c0 + 1, expected.shape[1] - 1)
    fr, fc = (r - r0)[:, None], (c - c0)[None]
    linear = (expected[np.ix_(r0, c0)] * (1 - fc) + expected[np.ix_(r0, c1)] * fc) * (1 - fr) + (
        expected[np.ix_(r1, c0)] * (1 - fc) + expected[np.ix_(r1, c1)] * fc
    ) * fr
    assert np.allclose(depth, linear, atol=0.01 * np.ptp(expected))
    assert estimator.metadata["model"] == "model", "no machine's folders"
    assert estimator.metadata["kind"] in {"depth_anything", "dpt"}


def test_16_bits_are_seen_as_8(tmp_path: Path):
    estimator = TransformersDepthEstimator(dpt(tmp_path / "model"))
    deep = PICTURE.astype(np.uint16) * 257
    assert np.array_equal(estimator.estimate(deep), estimator.estimate(PICTURE))


def test_metric_models(tmp_path: Path):
    metric = depth_anything(tmp_path / "da", depth_estimation_type="metric", max_depth=20)
    estimator = TransformersDepthEstimator(metric)
    assert estimator.convention == "metric"
    assert 10 < estimator.estimate(PICTURE).max() <= 20
    for make, farthest in ((glpn, 7), (zoedepth, 9)):
        estimator = TransformersDepthEstimator(make(tmp_path / make.__name__))
        assert estimator.convention == "metric"
        depth = estimator.estimate(PICTURE)
        assert depth.shape == (60, 90)
        assert 0 < depth.min() < depth.max() <= farthest


def test_the_padding_that_zoedepth_adds_is_cropped():
    """Mirrored margins of 3 * sqrt(side / 2): 15 rows and 21 columns of 50 x 100."""
    from cleanplate.training.depth_estimator import _without_padding

    whole = np.zeros((2 * (50 + 30), 2 * (100 + 42)), np.float32)
    whole[30:-30, 42:-42] = 1
    assert _without_padding(whole, 50, 100).shape == (100, 200)
    assert (_without_padding(whole, 50, 100) == 1).all()


def test_conventions_by_configuration():
    def told(**facts):
        return convention_of("m", type("Config", (), facts)())

    backbone = type("Backbone", (), {"model_type": "dinov2"})()
    beit = type("Backbone", (), {"model_type": "beit"})()
    assert told(model_type="zoedepth") == "metric"
    assert told(model_type="depth_pro") == "metric"
    assert told(model_type="dpt", backbone_config=None) == "disparity"
    assert told(model_type="dpt", backbone_config=beit) == "disparity"
    assert told(model_type="depth_anything", depth_estimation_type="relative") == "disparity"
    for unknown in ({"model_type": "dpt", "backbone_config": backbone}, {"model_type": "new"}):
        with pytest.raises(CleanplateError, match=r"does not say.*\n.*--convention"):
            told(**unknown)


def test_the_convention_can_be_given(tmp_path: Path):
    estimator = TransformersDepthEstimator(dpt(tmp_path / "model"), convention="metric")
    assert estimator.convention == "metric"
    assert estimator.metadata["convention"] == "metric"


def test_weights_that_do_not_belong(tmp_path: Path):
    folder = dpt(tmp_path / "model")
    bare = transformers.DPTModel.from_pretrained(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    bare.save_pretrained(tmp_path / "bare")
    (tmp_path / "bare" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "bare" / "preprocessor_config.json").write_text(
        (folder / "preprocessor_config.json").read_text(encoding="utf-8"), encoding="utf-8"
    )
    with pytest.raises(CleanplateError, match=r"lacks \d+ of the \d+ tensors"):
        TransformersDepthEstimator(tmp_path / "bare")


def test_models_that_are_not_there(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CleanplateError, match=r"no/such-model: the model cannot.*\n.*offline"):
        TransformersDepthEstimator("no/such-model")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CleanplateError, match=r"empty: the model cannot be loaded"):
        TransformersDepthEstimator(tmp_path / "empty")
    other = tmp_path / "text"
    transformers.BertConfig(hidden_size=8, num_attention_heads=1).save_pretrained(other)
    with pytest.raises(CleanplateError, match=r"--convention"):
        TransformersDepthEstimator(other)
    with pytest.raises(CleanplateError, match=r"text: the model cannot be loaded"):
        TransformersDepthEstimator(other, convention="metric")


def test_the_command_takes_a_folder(tmp_path: Path, capsys):
    """By `cleanplate synth depth`: the depth file is the model's depth between 2 and 6 metres."""
    folder = dpt(tmp_path / "model")
    write_image(tmp_path / "photo.png", PICTURE)
    call = ["synth", "depth", str(tmp_path / "photo.png"), "--model", str(folder)]
    assert main([*call, "--near", "2", "--far", "6"]) == 0
    said = capsys.readouterr()
    assert "without a scale: the scene is assumed to reach from 2 m" in said.err
    depth = TransformersDepthEstimator(folder).estimate(PICTURE)
    low, high = np.percentile(depth, [1, 99])
    expected = 1 / (1 / 6 + (depth - low) / (high - low) * (1 / 2 - 1 / 6))
    stored = read_depth(tmp_path / "photo_depth.png")
    near = expected < 60
    assert np.abs(stored - expected)[near].max() < 0.00051 + 1e-4
    facts = json.loads((tmp_path / "photo.json").read_text(encoding="utf-8"))
    assert facts["depth_from"]["kind"] == "dpt"
    assert main([*call, "--side", "99", "--rebuild"]) == 2
    assert "for ONNX files" in capsys.readouterr().err
