"""A run's averaged weights in 16 bits, as one small file from which training can begin again.

The file is in the safetensors format: tensors by name, and beside them the rest of the checkpoint
(recipe, samples seen, licences of the data) as JSON. The optimiser's state is left out, so a run
that begins with it warms up anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cleanplate.errors import CleanplateError, require
from cleanplate.files.json_files import parse_json
from cleanplate.files.ownership import replacing_own

SUFFIX = ".safetensors"
_FACTS = "cleanplate"
"""The entry of the file's metadata that holds everything but tensors."""
_AVERAGED = "average.module."
"""Prefix of averaged weights in a checkpoint's state."""


def write_weights(
    weights: Mapping[str, Tensor], facts: Mapping[str, Any], path: Path, *, overwrite: bool = False
) -> None:
    """Write weights, floats in 16 bits, and `facts` (JSON-able) as one file.

    Raises:
        CleanplateError: a weight does not fit 16 bits, or the file cannot be written.
    """
    require("safetensors", "train")
    from safetensors.torch import save

    halves = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in weights.items()
    }
    for name, tensor in halves.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CleanplateError(f"{name} is beyond what 16 bits hold", file=path)
    data = save(halves, {_FACTS: json.dumps(facts)})
    with replacing_own(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)


def read_weights(path: Path) -> dict[str, Any]:
    """Read a file of `write_weights` as the checkpoint that it was made of, in float32.

    Raises:
        CleanplateError: it is no such file.
    """
    require("safetensors", "train")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            facts = parse_json((file.metadata() or {})[_FACTS].encode())
            state = {_AVERAGED + name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise CleanplateError(
            f"not weights of Cleanplate ({type(error).__name__})",
            file=path,
            cure="`cleanplate export RUN -o FILE.safetensors` writes such a file.",
        ) from error
    floats = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
    }
    return {**facts, "state_dict": floats}
