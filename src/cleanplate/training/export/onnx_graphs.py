"""The two ONNX graphs of a network: made, and held against torch."""

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
ODD_SIZES = ((2, 61, 83), (1, 135, 47))
"""(N, H, W) at which graphs are checked."""
_WHOLE = ("disparity", "alpha", "subject_disparity", "shadow")
"""Outputs of the picture's own size."""
PLATE_INPUTS = ("plate", "plate_disparity", "plate_valid")

Array = npt.NDArray[np.float32]


class PlateGraph(nn.Module):
    """What `plate.onnx` computes: the plate's features, and `disparity` as the last output.

    A network that estimates disparity, but not the plate's own, answers with that of an unchanged
    frame; one that estimates none gives its features alone.
    """

    def __init__(self, network: PairNetwork):
        super().__init__()
        self.network = network
        estimates = "subject_disparity" in network.frame_outputs
        self.own = "disparity" in network.plate_outputs or not estimates
        self.outputs = (*network.plate_outputs, *(() if self.own else ("disparity",)))

    def forward(self, plate: Tensor, disparity: Tensor, valid: Tensor) -> tuple[Tensor, ...]:
        """Tensors in the order of `outputs`."""
        features = self.network.encode_plate(plate, disparity, valid)
        if self.own:
            return features
        unchanged = self.network.compare(plate, plate, features).disparity
        assert unchanged is not None
        return (*features, unchanged)


class FrameGraph(nn.Module):
    """What `frame.onnx` computes from frame, plate and the plate's features: `frame_outputs`.

    What a network does not tell apart is the frame's disparity for the subject's, and no shadow.
    """

    def __init__(self, network: PairNetwork):
        super().__init__()
        self.network = network

    def forward(self, frame: Tensor, plate: Tensor, *features: Tensor) -> tuple[Tensor, ...]:
        """Give the network's `frame_outputs`, each (N, 1, H, W)."""
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
    """Make both graphs of a network in eval mode, serialised, BatchNorm folded.

    Traced by torch's first ONNX exporter: in seconds, every size dynamic, plain operators. The
    newer one (dynamo) gives an equivalent graph in minutes.
    """
    network = network.for_inference()
    plate_graph, frame_graph = PlateGraph(network), FrameGraph(network)
    picture, plane = torch.rand(2, 3, 64, 96), torch.rand(2, 1, 64, 96)
    with torch.no_grad():
        features = network.encode_plate(picture, plane, torch.ones_like(plane))
    frame_inputs = ("frame", "plate", *network.plate_outputs)
    plate = _trace(
        plate_graph, (picture, plane, torch.ones_like(plane)), PLATE_INPUTS, plate_graph.outputs
    )
    frame = _trace(frame_graph, (picture, picture, *features), frame_inputs, network.frame_outputs)
    return with_metadata(plate, metadata), with_metadata(frame, metadata)


def _trace(
    module: nn.Module,
    arguments: tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> bytes:
    axes = {name: {0: "n", 2: f"{name}_h", 3: f"{name}_w"} for name in (*inputs, *outputs)}
    for name in (*PLATE_INPUTS, "frame", *_WHOLE):
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
    """Tracing drops what a network does not look at; callers feed it all the same."""
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
    """Hush the exporter, which warns of its own age and of sizes that are constants on purpose."""
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
    """Put `metadata` in place of a serialised graph's own."""
    model = onnx.load_from_string(graph)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata)
    model.producer_name = "cleanplate"
    return bytes(model.SerializeToString(deterministic=True))


def largest_difference(network: PairNetwork, plate_graph: bytes, frame_graph: bytes) -> float:
    """Largest absolute difference of any output from torch, over `ODD_SIZES`.

    The frame's graph is fed by the plate's graph, as in use, half of the plate's depth unknown.
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
        for expected, got in zip(torch_outputs, onnx_outputs, strict=True):
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
