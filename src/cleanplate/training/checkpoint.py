"""Checkpoints of a run: written whole, read without running code, and the weights in them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from torch import Tensor

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.training import half_precision_weights

CHECKPOINT = "last.ckpt"
"""A run's checkpoint, in its folder."""
RECIPE = "recipe.json"
"""A run's recipe, in its folder."""


class WholeFiles(TorchCheckpointIO):
    """Checkpoints that are there whole or not at all, whenever the power goes."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Serialise, write to a temporary name, sync, rename."""
        memory = io.BytesIO()
        torch.save(checkpoint, memory)
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(memory.getbuffer())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, or weights in 16 bits, to the CPU; no code in it is run.

    Raises:
        CleanplateError: if it is missing or not a checkpoint.
    """
    if not path.is_file():
        raise CleanplateError("there is no checkpoint", file=path, cure="Train first.")
    if path.suffix == half_precision_weights.SUFFIX:
        return half_precision_weights.read_weights(path)
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CleanplateError(
            f"not a checkpoint of Cleanplate ({type(error).__name__})", file=path
        ) from error
    return content


def weights_of(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Take the network's weights from a run's checkpoint: the averaged ones where there are any."""
    state: dict[str, Tensor] = checkpoint.get("state_dict", {})
    averaged = any(name.startswith("average.module.") for name in state)
    prefix = "average.module." if averaged else "network."
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
