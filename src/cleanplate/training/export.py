"""From a checkpoint to the two ONNX graphs of a model, checked against torch before they exist."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import onnxscript.optimizer
import torch
from torch import Tensor, nn

from cleanplate.errors import CleanplateError
from cleanplate.files import replacing
from cleanplate.models import CARD, GRAPHS
from cleanplate.training import card
from cleanplate.training.fit import CHECKPOINT, RECIPE, read_checkpoint
from cleanplate.training.module import build_network, weights_of
from cleanplate.training.networks import PairNetwork
from cleanplate.training.recipes import NetworkRecipe

OPSET = 17
TOLERANCE = 1e-3
"""Largest difference between a graph and torch, in any output, that a model may have."""
ODD_SIZES = ((2, 61, 83), (1, 135, 47))
"""(N, H, W) at which graphs are checked."""
PLATE_INPUTS = ("plate", "plate_disparity", "plate_valid")
FRAME_OUTPUTS = ("alpha", "subject_disparity", "shadow")

Array = npt.NDArray[np.float32]


class PlateGraph(nn.Module):
    """What `plate.onnx` computes: the plate's features, and `disparity` as the last output.

    A network without a plate disparity of its own answers with that of an unchanged frame.
    """

    def __init__(self, network: PairNetwork):
        super().__init__()
        self.network = network
        self.own = "disparity" in network.plate_outputs
        self.outputs = (*network.plate_outputs, *(() if self.own else ("disparity",)))

    def forward(self, plate: Tensor, disparity: Tensor, valid: Tensor) -> tuple[Tensor, ...]:
        """Tensors in the order of `outputs`."""
        features = self.network.encode_plate(plate, disparity, valid)
        if self.own:
            return features
        return (*features, self.network.compare(plate, plate, features).disparity)


class FrameGraph(nn.Module):
    """What `frame.onnx` computes: `FRAME_OUTPUTS` from frame, plate and the plate's features.

    What a network does not tell apart is the frame's disparity for the subject's, and no shadow.
    """

    def __init__(self, network: PairNetwork):
        super().__init__()
        self.network = network

    def forward(self, frame: Tensor, plate: Tensor, *features: Tensor) -> tuple[Tensor, ...]:
        """Alpha, subject disparity, shadow, each (N, 1, H, W)."""
        made = self.network.compare(frame, plate, features)
        subject = made.disparity if made.subject_disparity is None else made.subject_disparity
        shadow = torch.ones_like(made.alpha) if made.shadow is None else made.shadow
        return made.alpha, subject, shadow


@dataclass(frozen=True)
class Trained:
    """A network and where it comes from."""

    network: PairNetwork
    recipe: dict[str, Any]
    step: int
    samples: int
    saved_at: str


def read_trained(path: Path) -> Trained:
    """Read the averaged network of a run folder or a checkpoint, in eval mode.

    Raises:
        CleanplateError: if there is none.
    """
    file = path / CHECKPOINT if path.is_dir() else path
    content = read_checkpoint(file)
    recipe = content.get("recipe")
    beside = file.with_name(RECIPE)
    if recipe is None and beside.is_file():
        recipe = json.loads(beside.read_text())
    if recipe is None or "state_dict" not in content:
        raise CleanplateError("not a checkpoint of a run of Cleanplate", file=file)
    network = build_network(NetworkRecipe(**recipe["network"]))
    try:
        network.load_state_dict(weights_of(content))
    except RuntimeError as error:
        raise CleanplateError("its weights are of another network", file=file) from error
    return Trained(
        network.eval(),
        recipe,
        int(content["global_step"]),
        int(content.get("samples", 0)),
        str(content.get("saved_at", "")),
    )


def export(
    source: Path, folder: Path, *, facts: card.Facts | None = None, figures: Sequence[Path] = ()
) -> Path:
    """Write `plate.onnx`, `frame.onnx`, `card.json` and `card.md` into `folder`.

    Args:
        source: a run folder or a checkpoint.
        facts: what the card says beyond what can be measured.
        figures: JSON files of `cleanplate evaluate --json`, of this model.

    Raises:
        CleanplateError: if a graph differs from torch by more than `TOLERANCE` at any of
            `ODD_SIZES`, if figures are of another model, or if a file cannot be written.
            Nothing is written then.
    """
    trained = read_trained(source)
    facts = facts or card.Facts(name=trained.recipe["name"])
    weights = weights_hash(trained.network)
    content = card.describe(trained, facts, weights)
    graphs = dict(zip(GRAPHS, build_graphs(trained.network, card.metadata(content)), strict=True))
    difference = largest_difference(trained.network, *graphs.values())
    if not difference <= TOLERANCE:
        raise CleanplateError(
            f"the exported graphs differ from the network by {difference:.2g}, "
            f"more than {TOLERANCE:g}: nothing was written",
            file=source,
            cure="report this with the recipe and the versions of torch and onnxruntime",
        )
    content["largest_difference_from_torch"] = float(f"{difference:.2g}")
    if figures:
        allowed = {_model_hash(graphs), *_hash_of_same_weights(folder, weights)}
        content["figures"] = card.read_figures(figures, allowed)
        graphs = {
            name: _with_metadata(graph, card.metadata(content)) for name, graph in graphs.items()
        }
    content["sha256"] = {name: hashlib.sha256(graph).hexdigest() for name, graph in graphs.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, graph in graphs.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(graph)
    with replacing(folder / CARD) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    with replacing(folder / "card.md") as temporary:
        temporary.write_text(card.as_markdown(content))
    return folder


def build_graphs(network: PairNetwork, metadata: dict[str, str]) -> tuple[bytes, bytes]:
    """Make both graphs of a network in eval mode, serialised, BatchNorm folded.

    Traced by torch's first ONNX exporter: in seconds, every size dynamic, plain operators. The
    newer one (dynamo) gives an equivalent graph in minutes.
    """
    plate_graph, frame_graph = PlateGraph(network), FrameGraph(network)
    picture, plane = torch.rand(2, 3, 64, 96), torch.rand(2, 1, 64, 96)
    with torch.no_grad():
        features = network.encode_plate(picture, plane, torch.ones_like(plane))
    frame_inputs = ("frame", "plate", *network.plate_outputs)
    plate = _trace(
        plate_graph, (picture, plane, torch.ones_like(plane)), PLATE_INPUTS, plate_graph.outputs
    )
    frame = _trace(frame_graph, (picture, picture, *features), frame_inputs, FRAME_OUTPUTS)
    return _with_metadata(plate, metadata), _with_metadata(frame, metadata)


def _trace(
    module: nn.Module,
    arguments: tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> bytes:
    axes = {name: {0: "n", 2: f"{name}_h", 3: f"{name}_w"} for name in (*inputs, *outputs)}
    for name in (*PLATE_INPUTS, "frame", "disparity", *FRAME_OUTPUTS):
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


def _with_metadata(graph: bytes, metadata: dict[str, str]) -> bytes:
    model = onnx.load_from_string(graph)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata)
    model.producer_name = "cleanplate"
    return bytes(model.SerializeToString(deterministic=True))


def largest_difference(network: PairNetwork, plate_graph: bytes, frame_graph: bytes) -> float:
    """Largest absolute difference of any output from torch, over `ODD_SIZES`.

    The frame's graph is fed by the plate's graph, as in use, half of the plate's depth unknown.
    """
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


def weights_hash(network: nn.Module) -> str:
    """SHA-256 over every weight's name, shape and float32 bytes, in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _model_hash(graphs: dict[str, bytes]) -> str:
    """As `cleanplate.models.Model.hash`."""
    both = hashlib.sha256()
    for name in GRAPHS:
        both.update(hashlib.sha256(graphs[name]).digest())
    return both.hexdigest()


def _hash_of_same_weights(folder: Path, weights: str) -> list[str]:
    """Give the hash of the model in `folder`, if it has these weights."""
    from cleanplate.models import find_model

    if not (folder / CARD).is_file():
        return []
    try:
        model = find_model(folder)
    except CleanplateError:
        return []
    return [model.hash] if model.card.get("weights_sha256") == weights else []
