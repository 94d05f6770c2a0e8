"""Contract that every network in the registry is tested for."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from cleanplate.training.export import onnx_graphs
from cleanplate.training.networks import NETWORKS, Prediction

TINY = {"compact": {"width": 0.25}, "dual": {}, "fast": {}, "seed": {"width": 0.125}}
VARIANTS = {
    **{name: (name, options) for name, options in TINY.items()},
    "seed-own-head": ("seed", {"width": 0.125, "shared_head": False}),
    "seed-subtract": ("seed", {"width": 0.125, "fusion": "subtract"}),
    "seed-subtract-pictures": (
        "seed",
        {"width": 0.125, "fusion": "subtract", "subtract": "pictures"},
    ),
}
PLAIN = {
    *("Abs", "Add", "AveragePool", "Cast", "Clip", "Concat", "Constant", "ConstantOfShape"),
    *("Conv", "ConvTranspose", "CumSum", "DepthToSpace", "Div", "Exp", "Expand", "Gather"),
    "GlobalAveragePool",
    *("HardSigmoid", "HardSwish", "Identity", "LayerNormalization", "MatMul", "Mul", "Neg", "Pad"),
    *("Pow", "ReduceMean", "Relu", "Reshape", "Resize", "Shape", "Sigmoid", "Slice", "Softmax"),
    *("Softplus", "Split", "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze"),
}
"""Operators that ONNX Runtime for the web has in its WebAssembly backend."""

SIZES = [(32, 32), (33, 47), (61, 83), (128, 96)]


@pytest.fixture(params=VARIANTS, scope="module")
def network(request):
    name, options = VARIANTS[request.param]
    torch.manual_seed(0)
    made = NETWORKS[name](**options)
    # Running statistics of a little use, so that eval differs from a fresh network.
    with torch.no_grad():
        for _ in range(3):
            made(*pictures(2, 64, 64), *depth(2, 64, 64))
    return made.eval()


def pictures(count, height, width):
    plate = torch.rand(count, 3, height, width)
    frame = plate.clone()
    frame[..., height // 4 : height // 2, width // 3 : width // 2] = 0.9
    return plate, frame


def depth(count, height, width):
    valid = (torch.rand(count, 1, height, width) < 0.7).float()
    return torch.randn(count, 1, height, width) * valid, valid


def parts(prediction: Prediction):
    return {name: part for name, part in prediction._asdict().items() if part is not None}


def test_the_registry_is_covered():
    assert {name for name, _ in VARIANTS.values()} == set(NETWORKS)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [1, 3])
def test_any_size_and_batch(network, size, count):
    with torch.no_grad():
        prediction = network(*pictures(count, *size), *depth(count, *size))
    for name, part in parts(prediction).items():
        assert part.shape == (count, 1, *size), name
        assert torch.isfinite(part).all(), name
    assert float(prediction.alpha.min()) >= 0
    assert float(prediction.alpha.max()) <= 1
    if prediction.shadow is not None:
        assert float(prediction.shadow.min()) > 0
        assert float(prediction.shadow.max()) <= 1


def test_plate_outputs_have_names(network):
    plate, _ = pictures(1, 64, 96)
    with torch.no_grad():
        assert len(network.encode_plate(plate)) == len(network.plate_outputs)


def test_samples_of_a_batch_do_not_touch_each_other(network):
    plate, frame = pictures(3, 64, 48)
    known = depth(3, 64, 48)
    with torch.no_grad():
        together = network(plate, frame, *known)
        alone = network(plate[1:2], frame[1:2], known[0][1:2], known[1][1:2])
    for name, part in parts(alone).items():
        torch.testing.assert_close(part, parts(together)[name][1:2], rtol=1e-4, atol=1e-4)


def test_the_same_input_gives_the_same_output(network):
    inputs = (*pictures(2, 61, 83), *depth(2, 61, 83))
    with torch.no_grad():
        one, other = network(*inputs), network(*inputs)
    for name, part in parts(one).items():
        assert torch.equal(part, parts(other)[name]), name


def test_no_depth_is_the_same_as_all_unknown(network):
    plate, frame = pictures(1, 64, 64)
    nothing = torch.zeros(1, 1, 64, 64)
    with torch.no_grad():
        without, unknown = network(plate, frame), network(plate, frame, nothing, nothing)
    for name, part in parts(without).items():
        assert torch.equal(part, parts(unknown)[name]), name


def test_a_cached_plate_changes_nothing(network):
    plate, frame = pictures(2, 61, 83)
    known = depth(2, 61, 83)
    with torch.no_grad():
        at_once = network(plate, frame, *known)
        kept = network.encode_plate(plate, *known)
        cached = [network.compare(frame, plate, kept) for _ in range(2)]
    for name, part in parts(at_once).items():
        assert torch.equal(parts(cached[0])[name], parts(cached[1])[name]), name
        torch.testing.assert_close(part, parts(cached[0])[name], rtol=1e-4, atol=1e-5)


def test_gradients_reach_every_parameter(network):
    network.train()
    try:
        prediction = network(*pictures(2, 64, 64), *depth(2, 64, 64))
        sum(part.sum() for part in parts(prediction).values()).backward()
        dead = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    finally:
        network.zero_grad(set_to_none=True)
        network.eval()
    assert dead == []


def test_the_network_for_inference_gives_the_same_answers(network):
    inputs = (*pictures(2, 61, 83), *depth(2, 61, 83))
    with torch.no_grad():
        own, lean = network(*inputs), network.for_inference().eval()(*inputs)
    for name, part in parts(own).items():
        torch.testing.assert_close(parts(lean)[name], part, rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def exported(network):
    return onnx_graphs.build_graphs(network, {"name": "test"})


def test_the_graphs_answer_as_torch_does_at_odd_sizes(network, exported):
    assert onnx_graphs.largest_difference(network, *exported) <= 1e-4


def test_the_graphs_hold_plain_operators_and_dynamic_sizes(network, exported):
    import onnx

    for graph, inputs, outputs in zip(
        exported,
        (onnx_graphs.PLATE_INPUTS, ("frame", "plate", *network.plate_outputs)),
        (onnx_graphs.PlateGraph(network).outputs, network.frame_outputs),
        strict=True,
    ):
        model = onnx.load_from_string(graph)
        assert {node.op_type for node in model.graph.node} <= PLAIN
        assert {(opset.domain, opset.version) for opset in model.opset_import} == {("", 17)}
        assert [value.name for value in model.graph.input] == list(inputs)
        assert [value.name for value in model.graph.output] == list(outputs)
        for value in (*model.graph.input, *model.graph.output):
            sizes = value.type.tensor_type.shape.dim
            assert [bool(sizes[axis].dim_param) for axis in (0, 2, 3)] == [True] * 3
        weights = {tensor.data_type for tensor in model.graph.initializer}
        integers = {onnx.TensorProto.INT32, onnx.TensorProto.INT64}
        assert weights - integers == {onnx.TensorProto.FLOAT}


def test_batch_norm_is_folded_away(exported):
    import onnx

    for graph in exported:
        kinds = [node.op_type for node in onnx.load_from_string(graph).graph.node]
        assert "BatchNormalization" not in kinds
