"""Checkpoints of a run: atomic writing, safe reading, and the network's weights in them.

Checkpoints of earlier versions are read: `current_weight_names` maps the names of weights, and
`cleanplate.training.recipe_json.with_current_names` those of the recipe's fields.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from torch import Tensor

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.models import CARD, Model, available_models, find_model
from cleanplate.training import half_precision_weights
from cleanplate.training.graph_weights import read_trainable
from cleanplate.training.recipe_json import with_current_names

CHECKPOINT = "last.ckpt"
"""A run's checkpoint, in its folder."""
RECIPE = "recipe.json"
"""A run's recipe, in its folder."""
DEFAULT = "default"
"""Stands for the shipped default model's weights."""

_RENAMED_WEIGHTS = (
    (r"pyramid\.", "encoder."),
    (r"plate_depth\.known\.", "plate_depth.known_encoder."),
    (r"plate_depth\.whole\.", "plate_depth.global_context."),
    (r"(plate_depth\.)?merge(\d+)\.", r"\1decode_\2."),
    (r"subject\.", "disparity_head."),
    (r"shade\.", "shadow_head."),
    (r"edge\.", "alpha_head."),
)
"""Pattern at the beginning of a weight's name until version 0.1 -> what it is now (CompactNet)."""
_NETWORKS = ("average.module.", "network.")
"""Prefixes of the averaged and of the last weights in a checkpoint's `state_dict`."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write each checkpoint atomically; read those of earlier versions too."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Serialise in memory, write to a temporary name, sync, rename."""
        memory = io.BytesIO()
        torch.save(checkpoint, memory)
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(memory.getbuffer())

    def load_checkpoint(self, path: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
        """Read a checkpoint as Lightning does, with the current names of weights."""
        content: dict[str, Any] = super().load_checkpoint(path, *arguments, **named)
        return _with_current_names(content)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, or half-precision weights, to the CPU; no code in it is run.

    Names of weights and of the recipe's fields are the current ones, whatever version wrote them.

    Args:
        path: a `.ckpt` file, its run's folder, or `.safetensors`; or a model that holds trainable
            weights: its folder, the name of a shipped one, or `default`.

    Raises:
        CleanplateError: if it is missing or not a checkpoint.
    """
    model = _model_at(path)
    if model is not None:
        return _with_current_names(read_trainable(model))
    if path.is_dir():
        path = path / CHECKPOINT
    if not path.is_file():
        raise CleanplateError("there is no checkpoint", file=path, cure="Train first.")
    if path.suffix == half_precision_weights.SUFFIX:
        return _with_current_names(half_precision_weights.read_weights(path))
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CleanplateError(
            f"not a checkpoint of Cleanplate ({type(error).__name__})", file=path
        ) from error
    return _with_current_names(content) if isinstance(content, dict) else content


def _model_at(path: Path) -> Model | None:
    """Find the model whose folder this is, or where nothing lies whose name it is."""
    if path.exists():
        return find_model(path) if (path / CARD).is_file() else None
    if str(path) == DEFAULT:
        return find_model()
    return find_model(str(path)) if str(path) in available_models() else None


def _with_current_names(content: Mapping[str, Any]) -> dict[str, Any]:
    current = dict(content)
    if "state_dict" in current:
        current["state_dict"] = current_weight_names(current["state_dict"])
    if isinstance(current.get("recipe"), Mapping):
        current["recipe"] = with_current_names(current["recipe"])
    return current


def current_weight_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of a checkpoint's `state_dict` from the names of earlier versions.

    Names that are current already, and those of other networks, stay; so does the order.
    """
    renamed: dict[str, Tensor] = {}
    for name, value in state.items():
        prefix = next((start for start in _NETWORKS if name.startswith(start)), "")
        own = name.removeprefix(prefix)
        for pattern, replacement in _RENAMED_WEIGHTS:
            own = re.sub(f"^{pattern}", replacement, own)
        renamed[prefix + own] = value
    return renamed


def weights_of(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Select the network's weights of a checkpoint: the averaged ones where there are any.

    Args:
        checkpoint: as `read_checkpoint` gives it.

    Returns:
        Name of each weight in the network -> tensor; empty for a checkpoint without any.
    """
    state: dict[str, Tensor] = checkpoint.get("state_dict", {})
    averaged, last = _NETWORKS
    prefix = averaged if any(name.startswith(averaged) for name in state) else last
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
