"""The graph that estimates a plate's disparity, `plate_depth.onnx`: trained, or another model's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from cleanplate.errors import CleanplateError
from cleanplate.models import find_model
from cleanplate.training.checkpoint import CHECKPOINT
from cleanplate.training.export.model_card import kind_of_data, license_of_weights
from cleanplate.training.export.onnx_graphs import (
    ODD_SIZES,
    PLATE_INPUTS,
    TOLERANCE,
    trace_graph,
)
from cleanplate.training.export.trained import read_trained_plate_depth, weights_hash
from cleanplate.training.export.weight_storage import in_eight_bits
from cleanplate.training.networks.plate_depth_net import PlateDepthNet

DISPARITY = "disparity"


def read_plate_depth(
    name_or_path: str | Path, license_: str | None = None
) -> tuple[bytes, dict[str, Any]]:
    """Make the graph of a network that estimates a plate's disparity, and its record.

    Args:
        name_or_path: a run of `cleanplate train plate-depth` or its weights; or a model with
            `plate_depth.onnx`, or whose `plate.onnx` gives the disparity.
        license_: of a run's weights, an SPDX expression; None = what follows from its data.

    Returns:
        The serialised graph, and what the card says of it: `model`, `license`, `parameters`,
        `weights_sha256`, `training_data`, `data_licenses`.

    Raises:
        CleanplateError: it is neither, it estimates no plate, or a run's data do not decide the
            licence.
    """
    path = Path(name_or_path)
    if path.is_file() or (path / CHECKPOINT).is_file():
        return _of_run(path, license_)
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


class _Estimate(nn.Module):
    """From plate to disparity."""

    def __init__(self, network: PlateDepthNet):
        super().__init__()
        self.network = network

    def forward(self, plate: Tensor) -> Tensor:
        return self.network.estimate(plate)


def _of_run(path: Path, license_: str | None) -> tuple[bytes, dict[str, Any]]:
    trained = read_trained_plate_depth(path)
    name, objections = license_of_weights(trained.licensing, license_)
    module = _Estimate(trained.network).eval()
    graph = trace_graph(module, (torch.rand(2, 3, 64, 96),), PLATE_INPUTS[:1], (DISPARITY,))
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for count, height, width in ODD_SIZES:
        plate = torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            expected = module(plate).numpy()
        difference = float(np.abs(session.run(None, {"plate": plate.numpy()})[0] - expected).max())
        if not difference <= TOLERANCE:
            raise CleanplateError(
                f"the exported graph differs from the network by {difference:.2g}",
                file=path,
                cure="report this with the recipe and the versions of torch and onnxruntime",
            )
    record = {
        "model": trained.recipe["name"],
        "license": name,
        "parameters": sum(one.numel() for one in trained.network.parameters()),
        "weights_sha256": weights_hash(trained.network),
        "training_data": kind_of_data(trained.recipe),
        "data_licenses": trained.licensing.rows(),
        "data_objections": objections,
        "trained_steps": trained.step,
        "trained_samples": trained.samples,
    }
    return in_eight_bits(graph), record


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
