"""Trained: a network with its weights, recipe and licences, read from a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.assets.sidecar import read_sidecar
from cleanplate.training.checkpoint import CHECKPOINT, RECIPE, read_checkpoint, weights_of
from cleanplate.training.networks import NetworkRecipe, PairNetwork, build_network
from cleanplate.training.recipe_json import with_current_names
from cleanplate.training.weights_licence import KEY, DataLicensing, licensing_of


@dataclass(frozen=True)
class Trained:
    """A trained network and the record of its training."""

    network: PairNetwork
    recipe: dict[str, Any]
    step: int
    samples: int
    saved_at: str
    licensing: DataLicensing
    """Of the training data."""


def read_trained(path: Path) -> Trained:
    """Read the averaged network of a run, in eval mode.

    Args:
        path: a run folder, a checkpoint or half-precision weights, of any version.

    Raises:
        CleanplateError: if there is no checkpoint, or it holds no matting network.
    """
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
    if not isinstance(network, PairNetwork):
        raise CleanplateError(
            "a network for the plate's depth alone cannot be exported as a model",
            file=file,
            cure="Export a run of a matting network.",
        )
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
