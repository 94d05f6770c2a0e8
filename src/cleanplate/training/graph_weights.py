"""Trainable weights of a model folder: a small file, and the graphs' own weights.

A model folder's graphs hold its large weights already, in 8 or 16 bits, BatchNorm folded into
them: a graph's weight is the network's with a factor for each channel of the output. The file
`trainable.safetensors` beside the graphs stores these factors, and in half precision what the
graphs do not hold: BatchNorm's parameters and statistics, and small weights. Together they give
the network back, with the graphs' answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from cleanplate.errors import CleanplateError
from cleanplate.models import GRAPHS, TRAINABLE, Model
from cleanplate.training.half_precision_weights import AVERAGED, pack_weights, read_weights

_SMALLEST_REFERENCED = 2048
"""Values of a weight from which on it is taken from a graph."""
_LARGEST_RESIDUAL = 0.05
"""Relative difference from a graph's weight, up to which it is the network's with factors."""
_FACTORS = "factors of "
"""Prefix of the tensors that are factors on a graph's weight."""
_PLACES = "graph_weights"
"""The fact that says where each weight lies: [graph, tensor, whether its axes are reversed]."""

_WEIGHTS = (np.float32, np.float16, np.int8)

Array = npt.NDArray[np.float32]


class _Held(NamedTuple):
    """A weight that a graph holds, in the order of axes that the network has."""

    graph: str
    tensor: str
    is_reversed: bool
    values: Array


def pack_trainable(
    weights: Mapping[str, Tensor], facts: Mapping[str, Any], graphs: Mapping[str, bytes]
) -> bytes:
    """Make the file `trainable.safetensors` of a network and its graphs.

    Args:
        weights: the network's `state_dict`.
        facts: JSON-able, of its checkpoint.
        graphs: file name -> serialised graph, with all of its own weights.
    """
    held = [one for name in graphs for one in _held(name, onnx.load_from_string(graphs[name]))]
    stored: dict[str, Tensor] = {}
    places: dict[str, tuple[str, str, bool]] = {}
    for name, weight in weights.items():
        found = None
        if weight.numel() >= _SMALLEST_REFERENCED:
            found = _find(weight.detach().cpu().numpy().astype(np.float32), held)
        if found is None:
            stored[name] = weight
        else:
            where, factors = found
            places[name] = where[:3]
            stored[_FACTORS + name] = torch.from_numpy(factors)
    return pack_weights(stored, {**facts, _PLACES: places})


def read_trainable(model: Model) -> dict[str, Any]:
    """Read the trainable weights of a model folder in the form of a checkpoint, as float32.

    Raises:
        CleanplateError: the model has none, or they do not fit its graphs.
    """
    path = model.folder / TRAINABLE
    if TRAINABLE not in model.card["sha256"]:
        raise CleanplateError(
            "this model holds no weights to train on from",
            file=model.folder,
            cure="give a run's checkpoint, or a shipped model's name",
        )
    content = read_weights(path)
    if hashlib.sha256(path.read_bytes()).hexdigest() != model.card["sha256"][TRAINABLE]:
        raise CleanplateError(
            "these are not the weights that the model's card describes (SHA-256 differs)",
            file=path,
            cure="reinstall or export again; a half-copied file looks like this too",
        )
    state: dict[str, Tensor] = content["state_dict"]
    try:
        held = {
            one[:3]: one.values
            for name in GRAPHS
            for one in _held(name, onnx.load_model(model.folder / name))
        }
        for name, place in content.pop(_PLACES).items():
            values = torch.from_numpy(held[tuple(place)].copy())
            factors = state.pop(AVERAGED + _FACTORS + name)
            state[AVERAGED + name] = values * factors.view(-1, *[1] * (values.ndim - 1))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CleanplateError(
            f"these weights do not fit the graphs beside them ({error})",
            file=path,
            cure="reinstall or export again",
        ) from error
    return content


def _held(graph: str, model: onnx.ModelProto) -> Iterator[_Held]:
    """Give a graph's weights in float32, matrices also with their axes reversed (MatMul)."""
    stored = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    for name, values in stored.items():
        if values.size < _SMALLEST_REFERENCED or values.dtype not in _WEIGHTS:
            continue
        whole = values.astype(np.float32)
        if values.dtype == np.int8:
            whole *= stored[name.removesuffix("_int8") + "_scale"]
        yield _Held(graph, name, False, whole)
        if values.ndim == 2:
            yield _Held(graph, name, True, whole.T)


def _find(weight: Array, held: Sequence[_Held]) -> tuple[_Held, Array] | None:
    """Find what a weight is with a factor for each output channel, and the factors; or nothing."""
    best, found = _LARGEST_RESIDUAL, None
    axes = tuple(range(1, weight.ndim))
    for one in held:
        if one.values.shape != weight.shape:
            continue
        power = (one.values**2).sum(axes)
        factors = (weight * one.values).sum(axes) / np.where(power > 0, power, 1)
        rest = weight - one.values * factors.reshape(-1, *[1] * len(axes))
        residual = float(np.linalg.norm(rest) / np.linalg.norm(weight))
        if residual < best:
            best, found = residual, (one, factors.astype(np.float32))
    return found
