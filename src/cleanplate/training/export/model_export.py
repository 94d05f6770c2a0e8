"""Export of a checkpoint as a model folder (two ONNX graphs and a card) or as weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from cleanplate.errors import CleanplateError
from cleanplate.files.json_files import read_json
from cleanplate.files.ownership import (
    check_folder,
    check_replaceable,
    fingerprint,
    owned_by,
    read_record,
    replacing_own,
    write_sealed,
)
from cleanplate.models import (
    CARD,
    GRAPHS,
    OPTIONAL,
    PLATE_DEPTH,
    SUBJECT_DEPTH,
    TAKEN_FROM,
    TRAINABLE,
    Model,
    find_model,
)
from cleanplate.predict.geometry.subject_depth import SubjectDepth
from cleanplate.training.checkpoint import read_checkpoint, weights_of
from cleanplate.training.export import model_card
from cleanplate.training.export.onnx_graphs import (
    ODD_SIZES,
    TOLERANCE,
    build_graphs,
    largest_difference,
    with_metadata,
)
from cleanplate.training.export.plate_depth_graph import read_plate_depth
from cleanplate.training.export.trained import Trained, read_trained, weights_hash
from cleanplate.training.export.weight_storage import (
    in_eight_bits,
    in_half_precision,
    with_weights_of,
)
from cleanplate.training.graph_weights import pack_trainable
from cleanplate.training.half_precision_weights import write_weights
from cleanplate.training.networks import PairNetwork
from cleanplate.training.subject_geometry.subject_training import RECORD
from cleanplate.training.weights_licence import KEY

STORAGE = ((8, in_eight_bits, 5e-2), (16, in_half_precision, 1e-2))
"""Bits that weights are stored in, how, and the largest difference of the frame's outputs, on
noise, up to which they are; the first that holds is taken."""


def export_weights(
    source: Path, path: Path, *, mean_with: Path | None = None, overwrite: bool = False
) -> Path:
    """Write the averaged weights of a run in half precision; see `half_precision_weights`.

    Args:
        source: a run folder or a checkpoint.
        path: of the `.safetensors` file.
        mean_with: a checkpoint of the same network: the mean of both is written. A run that began
            with those weights stays in their basin, and the mean is often better on other data
            than either (Wortsman et al. 2022, "Model soups").
        overwrite: replace a file that Cleanplate did not write.

    Raises:
        CleanplateError: if there is no such run, the two are of different networks, or the file
            cannot be written.
    """
    content = read_checkpoint(source)
    weights = weights_of(content)
    if mean_with is not None:
        weights = _mean(weights, weights_of(read_checkpoint(mean_with)), mean_with)
    facts = {key: value for key, value in content.items() if key in _KEPT_FACTS}
    if "recipe" in facts:  # paths of this machine mean nothing on another
        facts["recipe"] = model_card.without_places(facts["recipe"])
    write_weights(weights, facts, path, overwrite=overwrite)
    return path


def _mean(one: dict[str, Tensor], other: dict[str, Tensor], file: Path) -> dict[str, Tensor]:
    shapes = [{name: tensor.shape for name, tensor in weights.items()} for weights in (one, other)]
    if shapes[0] != shapes[1]:
        raise CleanplateError(
            "these weights are of another network", file=file, cure="give a run of the same recipe"
        )
    return {
        name: (tensor + other[name]) / 2 if tensor.is_floating_point() else tensor
        for name, tensor in one.items()
    }


_KEPT_FACTS = ("recipe", "samples", "global_step", "saved_at", KEY)
"""Keys of a checkpoint that are kept beside half-precision weights."""


def export(
    source: Path,
    folder: Path,
    *,
    facts: model_card.Facts | None = None,
    figures: Sequence[Path] = (),
    subject_depth: Path | None = None,
    plate_depth: str | Path | None = None,
    share_with: str | Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Write `plate.onnx`, `frame.onnx`, `card.json`, `card.md` and `trainable.safetensors`.

    Files of an earlier export are replaced if they are unchanged since.

    Args:
        source: a run folder or a checkpoint.
        folder: of the model; made if it is not there.
        facts: content of the card that cannot be measured; None = the recipe's name alone.
        figures: JSON files of `cleanplate evaluate --json`, of this model.
        subject_depth: run folder of a subject depth regressor, which is copied beside the graphs.
        plate_depth: a run of `cleanplate train plate-depth`, or a model that estimates the plate's
            disparity, by name or folder: its graph for that is put beside the graphs.
        share_with: a model whose folder lies beside `folder`: regressor and graph of the plate's
            depth are taken from there where they are the same, and not written.
        overwrite: also replace files that Cleanplate did not write.

    Raises:
        CleanplateError: if a graph differs from torch by more than `TOLERANCE` at any of
            `ODD_SIZES`, if figures are of another model, if the training data do not decide the
            licence and `facts` name none, if a file is there that is not ours, or if one cannot
            be written. Nothing is written then.
    """
    check_folder(folder)
    before = owned_by(read_record(folder / CARD))
    check_replaceable(
        (folder / name for name in (*GRAPHS, *OPTIONAL, TRAINABLE, CARD, "card.md")),
        before,
        overwrite=overwrite,
    )
    trained = read_trained(source)
    facts = facts or model_card.Facts(name=trained.recipe["name"])
    weights = weights_hash(trained.network)
    try:
        content = model_card.describe(trained, facts, weights)
    except CleanplateError as error:
        raise CleanplateError(error.what, file=source, cure=error.cure) from None
    graphs = dict(
        zip(GRAPHS, build_graphs(trained.network, model_card.metadata(content)), strict=True)
    )
    difference = largest_difference(trained.network, *graphs.values())
    if not difference <= TOLERANCE:
        raise CleanplateError(
            f"the exported graphs differ from the network by {difference:.2g}, "
            f"more than {TOLERANCE:g}, at {ODD_SIZES}: nothing was written",
            file=source,
            cure="report this with the recipe and the versions of torch and onnxruntime",
        )
    content["largest_difference_from_torch"] = float(f"{difference:.2g}")
    graphs, content["stored"] = _stored(trained.network, graphs)
    more: dict[str, bytes] = {}
    if subject_depth is not None:
        more[SUBJECT_DEPTH], content["subject_depth"] = _read_subject_depth(subject_depth)
    if plate_depth is not None:
        more[PLATE_DEPTH], content["plate_depth"] = read_plate_depth(plate_depth, facts.license)
    if figures:
        allowed = {
            _model_hash({**_sharing(graphs), **more}),
            *_hash_of_same_weights(folder, weights),
        }
        content["figures"] = model_card.read_figures(figures, allowed)
        graphs = {
            name: with_metadata(graph, model_card.metadata(content))
            for name, graph in graphs.items()
        }
    more[TRAINABLE] = _trainable(trained, graphs)
    parts = {**_sharing(graphs), **more}
    content["sha256"] = {name: hashlib.sha256(part).hexdigest() for name, part in parts.items()}
    if share_with is not None:
        content[TAKEN_FROM] = _taken_from(folder, find_model(share_with), content["sha256"])
        parts = {name: part for name, part in parts.items() if name not in content[TAKEN_FROM]}
    folder.mkdir(parents=True, exist_ok=True)
    owns = {}
    texts = {"card.md": model_card.as_markdown(content).encode()}
    for name, data in {**parts, **texts}.items():
        with replacing_own(folder / name, before, overwrite=overwrite) as temporary:
            temporary.write_bytes(data)
            owns[name] = fingerprint(temporary)
    for name in content.get(TAKEN_FROM, {}):
        stale = folder / name
        if stale.is_file() and before.get(name) == fingerprint(stale):
            stale.unlink()
    write_sealed(folder / CARD, content, owns, overwrite=overwrite)
    return folder


def _taken_from(folder: Path, other: Model, digests: dict[str, str]) -> dict[str, str]:
    """Name the folder of `other` for each optional file that it has, too.

    Raises:
        CleanplateError: it does not lie beside `folder`.
    """
    if other.folder.resolve().parent != folder.resolve().parent:
        raise CleanplateError(
            "the model to share files with does not lie beside the new one",
            file=other.folder,
            cure=f"export into {other.folder.resolve().parent}, or leave --share-with out",
        )
    own = {name: digest for name, digest in other.card["sha256"].items() if name in OPTIONAL}
    held = other.card.get(TAKEN_FROM, {})
    return {
        name: held.get(name, other.folder.resolve().name)
        for name, digest in own.items()
        if digests.get(name) == digest
    }


def _stored(
    network: PairNetwork, graphs: dict[str, bytes]
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Store weights in as few bits as `STORAGE` allows; the graphs, and what the card says."""
    for bits, store, tolerance in STORAGE:
        smaller = {name: store(graph) for name, graph in graphs.items()}
        difference = largest_difference(network, *smaller.values(), frame_only=True)
        if difference <= tolerance:
            return smaller, {"bits": bits, "largest_difference": float(f"{difference:.2g}")}
    return graphs, {"bits": 32, "largest_difference": 0.0}


def _trainable(trained: Trained[PairNetwork], graphs: dict[str, bytes]) -> bytes:
    """Make the file from which training goes on."""
    facts = {
        "recipe": model_card.without_places(trained.recipe),
        "samples": trained.samples,
        "global_step": trained.step,
        "saved_at": trained.saved_at,
        KEY: trained.licensing.as_json(),
    }
    return pack_trainable(trained.network.state_dict(), facts, graphs)


def _sharing(graphs: dict[str, bytes]) -> dict[str, bytes]:
    """Let the plate's graph take weights that the frame's holds, too, from its file."""
    plate, frame = GRAPHS
    return {**graphs, plate: with_weights_of(graphs[plate], graphs[frame], frame)}


def _read_subject_depth(run: Path) -> tuple[bytes, dict[str, Any]]:
    """Read a run's regressor, and its record for the card.

    Raises:
        CleanplateError: if the folder holds none, or it is damaged.
    """
    file = run / SUBJECT_DEPTH
    SubjectDepth.read(file)
    try:
        return file.read_bytes(), dict(read_json(run / RECORD))
    except (OSError, ValueError, TypeError) as error:
        raise CleanplateError(
            f"the record of this run cannot be read ({error})",
            file=run / RECORD,
            cure="give the folder that `cleanplate train subject-depth` wrote",
        ) from error


def _model_hash(parts: dict[str, bytes]) -> str:
    """Compute the same hash as `cleanplate.models.Model.hash`."""
    whole = hashlib.sha256()
    for name in (*GRAPHS, *OPTIONAL):
        if name in parts:
            whole.update(hashlib.sha256(parts[name]).digest())
    return whole.hexdigest()


def _hash_of_same_weights(folder: Path, weights: str) -> list[str]:
    """Return the hash of the model in `folder` in a list; empty if it has other weights."""
    if not (folder / CARD).is_file():
        return []
    try:
        model = find_model(folder)
    except CleanplateError:
        return []
    return [model.hash] if model.card.get("weights_sha256") == weights else []
