"""A model with known answers, built by hand: what the tests of prediction predict with.

alpha = clip(GAIN * (max over channels of |frame - plate|) - FLOOR), no training, no convolution.
The plate's relative disparity falls linearly from +1 at the bottom row to -1 at the top; the
subject's is SUBJECT everywhere; the shadow is SHADOW everywhere.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GAIN, FLOOR = 12.0, 0.6
SUBJECT = 1.5
SHADOW = 0.75


def write_model(folder: Path, *, depth: bool = True, plate_depth: bool = False) -> Path:
    """Write the model; without `depth` its two graphs give no disparity, as those of `dual`.

    plate_depth: add the third graph, which gives the plate's disparity.
    """
    folder.mkdir(parents=True, exist_ok=True)
    graphs = {"plate.onnx": _plate_graph(), "frame.onnx": _frame_graph()}
    if not depth:
        del graphs["plate.onnx"].output[1], graphs["frame.onnx"].output[1]
    if plate_depth:
        graphs["plate_depth.onnx"] = graph = _plate_graph()
        graph.name = "plate_depth"
        del graph.input[1:], graph.output[0], graph.node[-1]
    hashes = {}
    for name, graph in graphs.items():
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        onnx.checker.check_model(model)
        data = model.SerializeToString()
        (folder / name).write_bytes(data)
        hashes[name] = hashlib.sha256(data).hexdigest()
    (folder / "card.json").write_text(
        json.dumps({"name": "tiny", "sha256": hashes}), encoding="utf-8"
    )
    return folder


def _plate_graph() -> onnx.GraphProto:
    # Rows are counted by a cumulative sum, so that the graph needs no fixed size.
    nodes = [
        helper.make_node("ReduceMean", ["plate"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["grey", "zero"], ["zeros"]),
        helper.make_node("Add", ["zeros", "one"], ["ones"]),
        helper.make_node("CumSum", ["ones", "row_axis"], ["count"]),
        helper.make_node("ReduceMax", ["count"], ["rows"], axes=[2], keepdims=1),
        helper.make_node("Sub", ["count", "half"], ["centre"]),
        helper.make_node("Div", ["centre", "rows"], ["share"]),
        helper.make_node("Mul", ["share", "two"], ["double"]),
        helper.make_node("Sub", ["double", "one"], ["disparity"]),
        helper.make_node("Mul", ["plate_disparity", "plate_valid"], ["known"]),
    ]
    return helper.make_graph(
        nodes,
        "plate",
        [_value("plate", 3), _value("plate_disparity", 1), _value("plate_valid", 1)],
        [_value("known", 1), _value("disparity", 1)],
        [
            _constant("zero", 0.0),
            _constant("half", 0.5),
            _constant("one", 1.0),
            _constant("two", 2.0),
            numpy_helper.from_array(np.array(2, np.int64), "row_axis"),
        ],
    )


def _frame_graph() -> onnx.GraphProto:
    nodes = [
        helper.make_node("Sub", ["frame", "plate"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["apart"]),
        helper.make_node("ReduceMax", ["apart"], ["widest"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["widest", "gain"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "floor"], ["raised"]),
        helper.make_node("Clip", ["raised", "zero", "one"], ["alpha"]),
        helper.make_node("Mul", ["known", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "subject"], ["subject_disparity"]),
        helper.make_node("Add", ["nothing", "dark"], ["shadow"]),
    ]
    return helper.make_graph(
        nodes,
        "frame",
        [_value("frame", 3), _value("plate", 3), _value("known", 1)],
        [_value("alpha", 1), _value("subject_disparity", 1), _value("shadow", 1)],
        [
            _constant("gain", GAIN),
            _constant("floor", FLOOR),
            _constant("zero", 0.0),
            _constant("one", 1.0),
            _constant("subject", SUBJECT),
            _constant("dark", SHADOW),
        ],
    )


def _value(name: str, channels: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", channels, "H", "W"])


def _constant(name: str, value: float) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(value, np.float32), name)
