"""Trained: a network with its weights, recipe and licences, read from a run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import nn

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.assets.sidecar import read_sidecar
from cleanplate.training.checkpoint import CHECKPOINT, RECIPE, read_checkpoint, weights_of
from cleanplate.training.networks import NetworkRecipe, PairNetwork, build_network
from cleanplate.training.networks.plate_depth_net import PlateDepthNet
from cleanplate.training.recipe_json import with_current_names
from cleanplate.training.weights_licence import KEY, DataLicensing, licensing_of

Network = TypeVar("Network", PairNetwork, PlateDepthNet)


@dataclass(frozen=True)
class Trained(Generic[Network]):
    """A trained network and the record of its training."""

    network: Network
    recipe: dict[str, Any]
    step: int
    samples: int
    saved_at: str
    licensing: DataLicensing
    """Of the training data."""


def read_trained(path: Path) -> Trained[PairNetwork]:
    """Read the averaged matting network of a run, in eval mode.

    Args:
        path: a run folder, a checkpoint or half-precision weights, of any version.

    Raises:
        CleanplateError: if there is no checkpoint, or it holds no matting network.
    """
    return _read(
        path,
        PairNetwork,
        "a network for the plate's depth alone cannot be exported as a model",
        "Export a run of a matting network, with this one as --plate-depth.",
    )


def read_trained_plate_depth(path: Path) -> Trained[PlateDepthNet]:
    """Read the averaged network of a run that estimates the plate's depth; see `read_trained`."""
    return _read(
        path,
        PlateDepthNet,
        "this run's network is none that estimates the plate's depth",
        "give a run of `cleanplate train plate-depth`, or a model that estimates it",
    )


def _read(path: Path, kind: type[Network], other: str, cure: str) -> Trained[Network]:
    """Read a network of one kind; `other` and `cure` are what to say of another one."""
    file = path / CHECKPOINT if path.is_dir() else path
    content = read_checkpoint(path)
    recipe = content.get("recipe")
    beside = file.with_name(RECIPE)
    if recipe is None and beside.is_file():
        recipe = with_current_names(read_sidecar(beside))
    if "state_dict" not in content or not isinstance(recipe, dict) or "network" not in recipe:
        raise CleanplateError("not a checkpoint of a run of Cleanplate", file=file)
    try:
        # The weights come from the checkpoint, so the pretrained ones are not loaded.
        network = build_network(NetworkRecipe(**{**recipe["network"], "pretrained": False}))
    except CleanplateError as error:
        raise CleanplateError(error.what, file=file, cure=error.cure) from None
    except TypeError as error:
        raise CleanplateError(
            f"its network has fields that this version does not know ({error})",
            file=file,
            cure="Export with the version of Cleanplate that trained it.",
        ) from error
    if not isinstance(network, kind):
        raise CleanplateError(other, file=file, cure=cure)
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
        DataLicensing.from_json(content[KEY]) if KEY in content else licensing_of(recipe),
    )


def weights_hash(network: nn.Module) -> str:
    """Compute the SHA-256 of every weight's name, shape and float32 bytes, in order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()
