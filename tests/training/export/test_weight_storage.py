"""Stored weights: what is restored, how far it is off, and that restoring costs nothing per run."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from onnx import helper, numpy_helper

from cleanplate.training.export.weight_storage import in_eight_bits, in_half_precision

CHANNELS = 32


@pytest.fixture(scope="module")
def weights():
    """Of a convolution and a matrix product; magnitudes differ by channel, one channel is 0."""
    rng = np.random.default_rng(0)
    magnitudes = np.geomspace(1e-3, 10, CHANNELS)
    kernel = rng.normal(size=(CHANNELS, 16, 3, 3)) * magnitudes[:, None, None, None]
    kernel[5] = 0
    matrix = rng.normal(size=(128, CHANNELS)) * magnitudes
    return kernel.astype(np.float32), matrix.astype(np.float32)


@pytest.fixture(scope="module")
def graph(weights):
    kernel, matrix = weights
    bias = np.linspace(-1, 1, CHANNELS, dtype=np.float32)
    floats = onnx.TensorProto.FLOAT
    made = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "kernel", "bias"], ["y"]),
            helper.make_node("MatMul", ["a", "matrix"], ["b"]),
        ],
        "both",
        [
            helper.make_tensor_value_info("x", floats, [1, 16, 8, 8]),
            helper.make_tensor_value_info("a", floats, [4, 128]),
        ],
        [
            helper.make_tensor_value_info("y", floats, [1, CHANNELS, 6, 6]),
            helper.make_tensor_value_info("b", floats, [4, CHANNELS]),
        ],
        [
            numpy_helper.from_array(value, name)
            for name, value in (("kernel", kernel), ("bias", bias), ("matrix", matrix))
        ],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def restored(serialised: bytes) -> dict[str, np.ndarray]:
    """The weights by name, as the nodes that restore them give them."""
    model = onnx.load_from_string(serialised)
    values = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Cast":
            values[node.output[0]] = values[node.input[0]].astype(np.float32)
        elif node.op_type == "Mul":
            values[node.output[0]] = values[node.input[0]] * values[node.input[1]]
    return values


@pytest.mark.parametrize("before", [lambda graph: graph, in_half_precision], ids=["32", "16"])
def test_each_channel_is_off_by_half_a_step_at_most(graph, weights, before):
    stored = in_eight_bits(before(graph))
    kernel, matrix = weights
    found = restored(stored)
    for name, expected, axes in (("kernel", kernel, (1, 2, 3)), ("matrix", matrix, (0,))):
        step = np.abs(expected).max(axis=axes, keepdims=True) / 127
        # Stored in 16 bits before, a value was rounded once already: by 2^-11 of it, 127 steps.
        assert (np.abs(found[name] - expected) <= (0.5 + 127 / 2**11) * step + 1e-7).all()
    assert (found["kernel"][5] == 0).all()
    assert len(stored) < 0.35 * len(graph)


def test_what_is_small_keeps_its_bits(graph):
    kept = {one.name for one in onnx.load_from_string(in_eight_bits(graph)).graph.initializer}
    assert "bias" in kept


def test_storing_again_changes_nothing(graph):
    for store in (in_eight_bits, in_half_precision):
        once = in_eight_bits(graph)
        assert restored(store(once)).keys() == restored(once).keys()
        assert len(store(once)) == len(once)


def test_scales_of_many_channels_are_not_stored_again():
    kernel = np.random.default_rng(2).normal(size=(96, 16, 3, 3)).astype(np.float32)
    floats = onnx.TensorProto.FLOAT
    made = helper.make_graph(
        [helper.make_node("Conv", ["x", "kernel"], ["y"])],
        "wide",
        [helper.make_tensor_value_info("x", floats, [1, 16, 8, 8])],
        [helper.make_tensor_value_info("y", floats, [1, 96, 6, 6])],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    once = in_eight_bits(model.SerializeToString())
    assert in_eight_bits(once) == once
    assert in_half_precision(once) == once


def test_the_runtime_restores_weights_when_it_loads_them(graph, tmp_path):
    rng = np.random.default_rng(1)
    feed = {
        "x": rng.normal(size=(1, 16, 8, 8)).astype(np.float32),
        "a": rng.normal(size=(4, 128)).astype(np.float32),
    }
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
    stored = onnxruntime.InferenceSession(in_eight_bits(graph), options)
    kinds = {node.op_type for node in onnx.load(tmp_path / "loaded.onnx").graph.node}
    assert kinds == {"Conv", "MatMul"}
    whole = onnxruntime.InferenceSession(graph)
    for got, expected in zip(stored.run(None, feed), whole.run(None, feed), strict=True):
        assert np.abs(got - expected).max() < 0.01 * np.abs(expected).max()
