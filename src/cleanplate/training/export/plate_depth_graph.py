"""The graph that estimates a plate's disparity, `plate_depth.onnx`, taken from another model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from cleanplate.errors import CleanplateError
from cleanplate.models import find_model
from cleanplate.training.export.onnx_graphs import PLATE_INPUTS
from cleanplate.training.export.weight_storage import in_eight_bits

DISPARITY = "disparity"


def read_plate_depth(name_or_path: str | Path) -> tuple[bytes, dict[str, Any]]:
    """Take the graph of another model that estimates a plate's disparity, and its record.

    Args:
        name_or_path: of a model with `plate_depth.onnx`, or whose `plate.onnx` gives the disparity.

    Returns:
        The serialised graph, and what the card says of it: `model`, `license`, `parameters`,
        `weights_sha256`, `training_data`, `data_licenses`.

    Raises:
        CleanplateError: it is no model, or it estimates no plate.
    """
    model = find_model(name_or_path)
    keys = ("license", "parameters", "weights_sha256", "training_data", "data_licenses")
    record = {"model": model.name, **{key: model.card.get(key) for key in keys}}
    if model.plate_depth_graph is not None:
        record = model.card.get("plate_depth", record)
        return in_eight_bits(model.plate_depth_graph.read_bytes()), record
    graph = onnx.load_model(model.plate_graph)
    if DISPARITY not in {value.name for value in graph.graph.output}:
        raise CleanplateError(
            "this model does not estimate the plate's depth",
            file=model.folder,
            cure="give a model whose plate.onnx has the output `disparity`",
        )
    return without_known_depth(graph), record


def without_known_depth(plate_graph: onnx.ModelProto) -> bytes:
    """Make of a plate's graph one from `plate` to `disparity`, as for an unknown depth."""
    model = onnx.ModelProto()
    model.CopyFrom(plate_graph)
    graph = model.graph
    picture, *unknown = PLATE_INPUTS
    # Zeros of the picture's size.
    graph.initializer.append(numpy_helper.from_array(np.array(0, np.float32), "zero"))
    nodes = [
        helper.make_node("ReduceMax", [picture], ["of_channels"], axes=[1], keepdims=1),
        *(helper.make_node("Mul", ["of_channels", "zero"], [name]) for name in unknown),
    ]
    for place, node in enumerate(nodes):
        graph.node.insert(place, node)
    kept_inputs = [value for value in graph.input if value.name == picture]
    kept_outputs = [value for value in graph.output if value.name == DISPARITY]
    del graph.input[:], graph.output[:]
    graph.input.extend(kept_inputs)
    graph.output.extend(kept_outputs)
    _drop_unused(graph)
    return in_eight_bits(model.SerializeToString())


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Drop nodes and weights that no output depends on."""
    wanted = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    weights = [one for one in graph.initializer if one.name in wanted]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)
