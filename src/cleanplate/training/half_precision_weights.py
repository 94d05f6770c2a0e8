"""Averaged weights in half precision (float16) as a safetensors file, to start a run from.

The file holds the tensors by name, and the rest of the checkpoint (recipe, samples seen, licences
of the data) in its metadata: JSON, compressed because credits repeat. The optimiser's state is
left out, so a run that starts from it has a warm-up of its own.
"""

from __future__ import annotations

import base64
import json
import zlib
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
AVERAGED = "average.module."
"""Prefix of averaged weights in a checkpoint's state."""


def pack_weights(weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> bytes:
    """Serialise weights, floating-point ones as float16, and `facts` (JSON-able).

    Raises:
        CleanplateError: a weight does not fit 16 bits.
    """
    require("safetensors", "train")
    from safetensors.torch import save

    halves = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in weights.items()
    }
    for name, tensor in halves.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CleanplateError(f"{name} is out of the range of float16 (16 bits)")
    return bytes(save(halves, {_FACTS: _as_text(facts)}))


def write_weights(
    weights: Mapping[str, Tensor], facts: Mapping[str, Any], path: Path, *, overwrite: bool = False
) -> None:
    """Write what `pack_weights` makes as one file.

    Raises:
        CleanplateError: a weight does not fit 16 bits, or the file cannot be written.
    """
    data = pack_weights(weights, facts)
    with replacing_own(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)


def read_weights(path: Path) -> dict[str, Any]:
    """Read a file of `write_weights` in the form of a checkpoint, weights as float32.

    Raises:
        CleanplateError: if it is no such file.
    """
    require("safetensors", "train")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            facts = _from_text((file.metadata() or {})[_FACTS])
            state = {AVERAGED + name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, ValueError, KeyError, zlib.error, SafetensorError) as error:
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


def _as_text(facts: Mapping[str, Any]) -> str:
    """Compress JSON to base64, since metadata are text."""
    return base64.b64encode(zlib.compress(json.dumps(facts).encode(), 9)).decode()


def _from_text(text: str) -> dict[str, Any]:
    """Undo `_as_text`; version 0.1 wrote plain JSON."""
    plain = text.encode() if text.startswith("{") else zlib.decompress(base64.b64decode(text))
    return dict(parse_json(plain))
