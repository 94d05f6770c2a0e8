"""Hardware limits: peak rate of a matrix product, and multiply-accumulates of a graph."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from cleanplate.models import Model

CPU = ["CPUExecutionProvider"]


def session(graph: bytes | str, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(graph, options, CPU)


def peak(threads: int, side: int = 1024, rounds: int = 9) -> float:
    """Measure the peak of floating-point operations per second by float32 matrix products.

    In ONNX Runtime with the same threads, so that it is a bound for networks that run there.
    """
    shape = [side, side]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "abc"]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])], "product", values[:2], values[2:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    product = session(model.SerializeToString(), threads)
    random = np.random.default_rng(0)
    feed = {name: random.random(shape, np.float32) for name in "ab"}
    best = math.inf
    for _ in range(rounds):
        started = time.perf_counter()
        product.run(None, feed)
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best


def multiplications(graph: bytes, feed: dict[str, Any]) -> int:
    """Count the multiply-accumulates of a graph's convolutions and matrix products for one feed.

    The shapes are those of a run, for which the outputs of these nodes are added to the graph's.
    """
    model = onnx.load_from_string(graph)
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    nodes = [
        node
        for node in model.graph.node
        if node.op_type in ("Conv", "Gemm", "MatMul") and node.input[1] in weights
    ]
    if not nodes:
        return 0
    known = {output.name for output in model.graph.output}
    names = [node.output[0] for node in nodes]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    sizes = [tensor.size for tensor in session(model.SerializeToString(), 1).run(names, feed)]
    total = 0
    for node, size in zip(nodes, sizes, strict=True):
        shape = weights[node.input[1]]  # Conv: (out, in / groups, kh, kw); products: (in, out)
        if node.op_type == "Conv":
            total += size * math.prod(shape[1:])
        else:
            flipped = any(a.name == "transB" and a.i for a in node.attribute)
            total += size * shape[1 if flipped else 0]
    return total


def pair_multiplications(model: Model, size: tuple[int, int]) -> tuple[int, int]:
    """Count those of a model's plate graph and frame graph, for one picture of (H, W)."""
    plate = np.full((1, 3, *size), 0.5, np.float32)
    depth = np.zeros((1, 1, *size), np.float32)
    feed = {"plate": plate, "plate_disparity": depth, "plate_valid": depth}
    encoder = session(str(model.plate_graph), 1)
    names = [output.name for output in encoder.get_outputs()]
    known = dict(zip(names, encoder.run(names, feed), strict=True)) | {
        "plate": plate,
        "frame": plate,
    }
    comparer = session(str(model.frame_graph), 1)
    wanted = {value.name: known[value.name] for value in comparer.get_inputs()}
    return (
        multiplications(model.plate_graph.read_bytes(), feed),
        multiplications(model.frame_graph.read_bytes(), wanted),
    )
