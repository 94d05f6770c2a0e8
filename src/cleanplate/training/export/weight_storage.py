"""Storage of a graph's weights: in 8 or 16 bits, and once for two graphs.

A graph computes in float32 whatever its weights are stored in: nodes that nothing but stored
weights goes into restore them, and runtimes compute such nodes once, when they load the graph.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

_SMALLEST_HALVED = 64
"""Values of a tensor from which on it is stored in half precision."""
_SMALLEST_IN_EIGHT_BITS = 4096
"""Values of a tensor from which on it is stored in 8 bits."""
_SMALLEST_SHARED = 1024
"""Bytes of a tensor from which on it is not stored twice."""
_STEPS = 127
_CHANNEL_AXIS = {"Conv": 0, "MatMul": -1}
"""Axis of a weight that counts the output's channels, by the operator that takes it."""


class _Stored(NamedTuple):
    """Tensors that a weight is stored as, and the nodes that restore it."""

    tensors: list[onnx.TensorProto]
    nodes: list[onnx.NodeProto]


def in_half_precision(serialised: bytes) -> bytes:
    """Store a graph's weights as float16, each with a Cast to float32: half of the file's size.

    Small tensors (biases of few channels, constants) stay as they are, and so does what is beyond
    the range of float16. A graph that has weights in 8 bits is given back as it is.
    """
    model = onnx.load_from_string(serialised)
    if _has_eight_bits(model.graph):
        return serialised
    return _stored_again(
        model, [_halved(one.name, numpy_helper.to_array(one)) for one in model.graph.initializer]
    )


def in_eight_bits(serialised: bytes) -> bytes:
    """Store the weights of convolutions and matrix products as int8, with a scale per channel.

    Symmetric: the largest magnitude of each output channel becomes 127 (Jacob et al. 2018,
    "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
    weights alone). Other tensors are stored as by `in_half_precision`, and small ones as they are.

    Args:
        serialised: a graph whose weights are float32, or stored as by `in_half_precision`; one
            that has weights in 8 bits is given back as it is.
    """
    model = onnx.load_from_string(serialised)
    graph = model.graph
    if _has_eight_bits(graph):
        return serialised
    takers: dict[str, set[str]] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            takers.setdefault(name, set()).add(node.op_type if place == 1 else "")
    casts = {node.input[0]: node for node in graph.node if node.op_type == "Cast"}
    stored = []
    for tensor in graph.initializer:
        values, name = numpy_helper.to_array(tensor), tensor.name
        if values.dtype == np.float16 and name in casts:
            name = casts[name].output[0]
        kinds = takers.get(name, set())
        kind = next(iter(kinds)) if len(kinds) == 1 else ""
        if values.size < _SMALLEST_IN_EIGHT_BITS or kind not in _CHANNEL_AXIS:
            stored.append(_halved(tensor.name, values))
            continue
        if name != tensor.name:
            graph.node.remove(casts[tensor.name])
        stored.append(_quantised(name, values.astype(np.float32), _CHANNEL_AXIS[kind]))
    return _stored_again(model, stored)


def _has_eight_bits(graph: onnx.GraphProto) -> bool:
    return any(one.data_type == onnx.TensorProto.INT8 for one in graph.initializer)


def _halved(name: str, values: npt.NDArray[Any]) -> _Stored:
    with np.errstate(over="ignore"):
        halves = values.astype(np.float16) if values.dtype == np.float32 else values
    if halves is values or values.size < _SMALLEST_HALVED or not np.isfinite(halves).all():
        return _Stored([numpy_helper.from_array(values, name)], [])
    stored = f"{name}_float16"
    cast = helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT)
    return _Stored([numpy_helper.from_array(halves, stored)], [cast])


def _quantised(name: str, values: npt.NDArray[np.float32], channel: int) -> _Stored:
    others = tuple(axis for axis in range(values.ndim) if axis != channel % values.ndim)
    scale = np.abs(values).max(axis=others, keepdims=True) / np.float32(_STEPS)
    steps = np.rint(values / np.where(scale > 0, scale, 1)).astype(np.int8)
    whole, scales, floats = (f"{name}_{part}" for part in ("int8", "scale", "steps"))
    nodes = [
        helper.make_node("Cast", [whole], [floats], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", [floats, scales], [name]),
    ]
    return _Stored(
        [numpy_helper.from_array(steps, whole), numpy_helper.from_array(scale, scales)], nodes
    )


def _stored_again(model: onnx.ModelProto, stored: list[_Stored]) -> bytes:
    graph = model.graph
    nodes = [*(node for one in stored for node in one.nodes), *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(tensor for one in stored for tensor in one.tensors)
    graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def with_weights_of(serialised: bytes, other: bytes, location: str) -> bytes:
    """Let a graph take the weights that another file holds from there (ONNX external data).

    Args:
        serialised: the graph.
        other: bytes of the other graph's file, beside which this one is stored.
        location: the other file's name.
    """
    model = onnx.load_from_string(serialised)
    for tensor in model.graph.initializer:
        offset = other.find(tensor.raw_data) if len(tensor.raw_data) >= _SMALLEST_SHARED else -1
        if offset < 0:
            continue
        length = len(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
    return bytes(model.SerializeToString(deterministic=True))
