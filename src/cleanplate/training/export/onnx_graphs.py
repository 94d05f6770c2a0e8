"""The two ONNX graphs of a network: tracing, and comparison with torch."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import onnxscript.optimizer
import torch
from torch import Tensor, nn

from cleanplate.training.networks import PairNetwork

OPSET = 17
TOLERANCE = 1e-3
"""Largest allowed difference between a graph and torch, in any output."""
ODD_SIZES = ((2, 61, 83), (1, 135, 47))
"""(N, H, W) at which graphs are compared with torch."""
_FULL_SIZE = ("disparity", "alpha", "subject_disparity", "shadow")
"""Outputs of the picture's size."""
PLATE_INPUTS = ("plate", "plate_disparity", "plate_valid")

Array = npt.NDArray[np.float32]


class PlateGraph(nn.Module):
    """What `plate.onnx` computes: the plate's outputs, and `disparity` as the last one.

    For a network with a disparity of the frame alone, it is that of an unchanged frame; a network
    without any has no such output.
    """

    def __init__(self, network: PairNetwork):
        super().__init__()
        self.network = network
        estimates = "subject_disparity" in network.frame_outputs
        self.own = "disparity" in network.plate_outputs or not estimates
        self.outputs = (*network.plate_outputs, *(() if self.own else ("disparity",)))

    def forward(self, plate: Tensor, disparity: Tensor, valid: Tensor) -> tuple[Tensor, ...]:
        """Compute the tensors named by `outputs`, in that order."""
        features = tuple(self.network.encode_plate(plate, disparity, valid))
        if self.own:
            return features
        unchanged = self.network.compare(plate, plate, features).disparity
        assert unchanged is not None
        return (*features, unchanged)


class FrameGraph(nn.Module):
    """What `frame.onnx` computes from frame, plate and the plate's outputs: `frame_outputs`.

    For a network without them, the subject's disparity is the frame's, and the shadow is 1.
    """

    def __init__(self, network: PairNetwork):
        super().__init__()
        self.network = network

    def forward(self, frame: Tensor, plate: Tensor, *features: Tensor) -> tuple[Tensor, ...]:
        """Compute the network's `frame_outputs`, each (N, 1, H, W)."""
        made = self.network.compare(frame, plate, features)
        assert made.alpha is not None
        subject = made.disparity if made.subject_disparity is None else made.subject_disparity
        parts = {
            "alpha": made.alpha,
            "subject_disparity": subject,
            "shadow": torch.ones_like(made.alpha) if made.shadow is None else made.shadow,
        }
        return tuple(
            part for name in self.network.frame_outputs if (part := parts[name]) is not None
        )


def build_graphs(network: PairNetwork, metadata: dict[str, str]) -> tuple[bytes, bytes]:
    """Make both graphs of a network in eval mode, with BatchNorm folded.

    Traced by torch's TorchScript-based ONNX exporter: takes seconds, every size is dynamic, with
    plain operators. The newer one (dynamo) gives an equivalent graph in minutes.

    Args:
        network: to export.
        metadata: for the graphs' `metadata_props`.

    Returns:
        The plate's and the frame's graph, serialised.
    """
    network = network.for_inference()
    plate_graph, frame_graph = PlateGraph(network), FrameGraph(network)
    picture, plane = torch.rand(2, 3, 64, 96), torch.rand(2, 1, 64, 96)
    with torch.no_grad():
        features = network.encode_plate(picture, plane, torch.ones_like(plane))
    frame_inputs = ("frame", "plate", *network.plate_outputs)
    plate = trace_graph(
        plate_graph, (picture, plane, torch.ones_like(plane)), PLATE_INPUTS, plate_graph.outputs
    )
    frame = trace_graph(
        frame_graph, (picture, picture, *features), frame_inputs, network.frame_outputs
    )
    return with_metadata(plate, metadata), with_metadata(frame, metadata)


def trace_graph(
    module: nn.Module,
    arguments: tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> bytes:
    """Trace a module with every size dynamic; (N, C, H, W) in and out."""
    axes = {name: {0: "n", 2: f"{name}_h", 3: f"{name}_w"} for name in (*inputs, *outputs)}
    for name in (*PLATE_INPUTS, "frame", *_FULL_SIZE):
        if name in axes:
            axes[name] = {0: "n", 2: "h", 3: "w"}
    memory = io.BytesIO()
    with _quiet():
        torch.onnx.export(
            module.eval(),
            arguments,
            memory,  # type: ignore[arg-type]
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            do_constant_folding=True,
            dynamo=False,
        )
    model = onnxscript.optimizer.optimize(onnx.load_from_string(memory.getvalue()))
    _add_unused_inputs(model, inputs, arguments, axes)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _add_unused_inputs(
    model: Any,
    names: Sequence[str],
    arguments: Sequence[Tensor],
    axes: dict[str, dict[int, str]],
) -> None:
    """Add inputs that tracing drops because the network does not use them; callers feed them."""
    there = {value.name: value for value in model.graph.input}
    values = []
    for name, argument in zip(names, arguments, strict=True):
        shape = [axes[name].get(axis, size) for axis, size in enumerate(argument.shape)]
        new = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        values.append(there.get(name, new))
    del model.graph.input[:]
    model.graph.input.extend(values)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's warnings of deprecation and of sizes that are constants on purpose."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)


def with_metadata(graph: bytes, metadata: dict[str, str]) -> bytes:
    """Replace the metadata of a serialised graph."""
    model = onnx.load_from_string(graph)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata)
    model.producer_name = "cleanplate"
    return bytes(model.SerializeToString(deterministic=True))


def largest_difference(
    network: PairNetwork, plate_graph: bytes, frame_graph: bytes, *, frame_only: bool = False
) -> float:
    """Compute the largest absolute difference of any output from torch, over `ODD_SIZES`.

    The frame's graph is fed by the plate's graph, as in use; half of the plate's depth is unknown.

    Args:
        network: that the graphs were made of.
        plate_graph, frame_graph: serialised.
        frame_only: compare the frame's outputs alone; those of the plate have no fixed range.

    Returns:
        The difference; inf if a shape differs or a value is not finite.
    """
    network = network.for_inference()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    sessions = [
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        for graph in (plate_graph, frame_graph)
    ]
    worst = 0.0
    for count, height, width in ODD_SIZES:
        torch_outputs, onnx_outputs = _both(network, sessions, (count, height, width))
        first = len(torch_outputs) - len(network.frame_outputs) if frame_only else 0
        for expected, got in zip(torch_outputs[first:], onnx_outputs[first:], strict=True):
            if expected.shape != got.shape or not np.isfinite(got).all():
                return float("inf")
            worst = max(worst, float(np.abs(expected - got).max()))
    return worst


def _both(
    network: PairNetwork, sessions: Sequence[Any], size: tuple[int, int, int]
) -> tuple[list[Array], list[Array]]:
    count, height, width = size
    rng = np.random.default_rng(list(size))
    plate = rng.random((count, 3, height, width), np.float32)
    frame = plate.copy()
    frame[..., height // 4 : height // 2, width // 3 :] = rng.random((count, 3, 1, 1), np.float32)
    valid = (rng.random((count, 1, height, width)) < 0.5).astype(np.float32)
    disparity = rng.normal(size=valid.shape).astype(np.float32) * valid
    plate_graph, frame_graph = PlateGraph(network), FrameGraph(network)
    with torch.no_grad():
        plate_outputs = plate_graph(*map(torch.from_numpy, (plate, disparity, valid)))
        features = plate_outputs[: len(network.plate_outputs)]
        frame_outputs = frame_graph(torch.from_numpy(frame), torch.from_numpy(plate), *features)
    feed = {"plate": plate, "plate_disparity": disparity, "plate_valid": valid}
    made = dict(zip(plate_graph.outputs, sessions[0].run(None, feed), strict=True))
    wanted = [value.name for value in sessions[1].get_inputs()]
    answers = sessions[1].run(
        None, {n: {**made, "plate": plate, "frame": frame}[n] for n in wanted}
    )
    expected = [tensor.numpy() for tensor in (*plate_outputs, *frame_outputs)]
    return expected, [*made.values(), *answers]
