"""Model registry: lookup and integrity check of the models shipped with the package.

A model is a folder with two ONNX graphs (`plate.onnx`, `frame.onnx`), a model card (`card.json`,
and `card.md` as text), and optionally a regressor of the subject's depth (`subject_depth.npz`) and
an ONNX graph that estimates the plate's disparity (`plate_depth.onnx`). `plate.onnx` may take
weights from the file `frame.onnx` beside it (ONNX external data). The card has the SHA-256 of each
file; a mismatch is an error. `trainable.safetensors`, where it is there, is what training goes on
from (`cleanplate.training.graph_weights`); prediction does not read it.

Optional files that two models of the same parent folder have in common lie in one of them: under
`taken_from` the other's card names that model's folder for each.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.json_files import read_json

GRAPHS = ("plate.onnx", "frame.onnx")
CARD = "card.json"
SUBJECT_DEPTH = "subject_depth.npz"
PLATE_DEPTH = "plate_depth.onnx"
OPTIONAL = (SUBJECT_DEPTH, PLATE_DEPTH)
TRAINABLE = "trainable.safetensors"
TAKEN_FROM = "taken_from"
SHIPPED = Path(__file__).parent


@dataclass(frozen=True)
class Model:
    """Model folder whose files match the checksums in its card.

    Attributes:
        folder: path of the folder.
        card: content of `card.json`.
    """

    folder: Path
    card: dict[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """Name of the model: `name` in the card, else the folder's name."""
        return str(self.card.get("name") or self.folder.name)

    @property
    def license(self) -> str | None:
        """SPDX identifier of the weights' licence, or None; older cards use the key `licence`."""
        named = self.card.get("license", self.card.get("licence"))
        return None if named is None else str(named)

    @property
    def working_size(self) -> int | None:
        """Long side in pixels at which the model is meant to be used; None = none in particular.

        Raises:
            CleanplateError: it is no whole number.
        """
        size = self.card.get("working_size")
        if size is not None and type(size) is not int:
            raise CleanplateError(
                f"working_size is {size!r}, not a whole number of pixels", file=self.folder / CARD
            )
        return size

    @property
    def plate_graph(self) -> Path:
        """Path of the ONNX graph that is run once per plate."""
        return self.folder / GRAPHS[0]

    @property
    def frame_graph(self) -> Path:
        """Path of the ONNX graph that is run once per frame."""
        return self.folder / GRAPHS[1]

    @property
    def subject_depth(self) -> Path | None:
        """Path of the regressor of the subject's depth; None if the card lists none."""
        return self._optional(SUBJECT_DEPTH)

    @property
    def plate_depth_graph(self) -> Path | None:
        """Path of the ONNX graph that estimates the plate's disparity; None if the card lists none.

        Input `plate`, (N, 3, H, W) float32 sRGB in [0, 1]; output `disparity`, (N, 1, H, W),
        relative.
        """
        return self._optional(PLATE_DEPTH)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the files' SHA-256 digests, hexadecimal; identifies the weights."""
        whole = hashlib.sha256()
        for part in _parts(self.card):
            whole.update(bytes.fromhex(_sha256(_place(self.folder, self.card, part))))
        return whole.hexdigest()

    def _optional(self, name: str) -> Path | None:
        listed = name in self.card.get("sha256", {})
        return _place(self.folder, self.card, name) if listed else None


def available_models() -> list[str]:
    """Return the names of the shipped models, sorted."""
    return sorted(card.parent.name for card in SHIPPED.glob(f"*/{CARD}"))


def find_model(name_or_path: str | Path | None = None) -> Model:
    """Find a model by name or folder, and verify its checksums.

    Args:
        name_or_path: name of a shipped model, or a model folder; None = the default model, the
            shipped one with `"default": true` in its card, or the only one.

    Raises:
        CleanplateError: if there is no such model, a file is missing, the card cannot be read,
            or a checksum differs from the card.
    """
    if name_or_path is None:
        return _checked(_default_folder())
    shipped = SHIPPED / str(name_or_path)
    if isinstance(name_or_path, str) and (shipped / CARD).is_file():
        return _checked(shipped)
    folder = Path(name_or_path)
    if folder.is_dir():
        return _checked(folder)
    known = ", ".join(available_models()) or "none"
    raise CleanplateError(
        f"there is no model {str(name_or_path)!r}",
        cure=f"give the folder of an exported model, or one of the shipped ones: {known}",
    )


def _default_folder() -> Path:
    names = available_models()
    if not names:
        raise CleanplateError(
            "this installation has no model",
            file=SHIPPED,
            cure="reinstall cleanplate, or give the folder of an exported model",
        )
    chosen = [name for name in names if _read_card(SHIPPED / name).get("default") is True]
    if len(chosen) == 1 or len(names) == 1:
        return SHIPPED / (chosen or names)[0]
    raise CleanplateError(
        "this installation has several models and no single default",
        cure=f"choose one: {', '.join(names)}",
    )


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / CARD
    try:
        card = read_json(path)
    except FileNotFoundError:
        raise CleanplateError(
            "a model folder needs a card",
            file=path,
            cure="`cleanplate export` writes the graphs and the card together",
        ) from None
    except (OSError, ValueError) as error:
        raise CleanplateError(f"the card cannot be read: {error}", file=path) from error
    if not isinstance(card, dict):
        raise CleanplateError("the card is not a JSON object", file=path)
    return card


def _checked(folder: Path) -> Model:
    card = _read_card(folder)
    hashes = card.get("sha256")
    if not isinstance(hashes, dict):
        raise CleanplateError(
            'the card names no "sha256" for the graphs',
            file=folder / CARD,
            cure="export the model again",
        )
    for part in _parts(card):
        path = _place(folder, card, part)
        kind = "part" if part == SUBJECT_DEPTH else "graph"
        if not path.is_file():
            raise CleanplateError(f"the model lacks this {kind}", file=path, cure="export it again")
        if _sha256(path) != hashes.get(part):
            raise CleanplateError(
                f"the {kind} is not the one that its card describes (SHA-256 differs)",
                file=path,
                cure="reinstall or export again; a half-copied file looks like this too",
            )
    return Model(folder, card)


def _parts(card: dict[str, Any]) -> tuple[str, ...]:
    """Return the file names of a model: two graphs, and the optional files listed in the card."""
    return (*GRAPHS, *(name for name in OPTIONAL if name in card["sha256"]))


def _place(folder: Path, card: dict[str, Any], part: str) -> Path:
    """Return where a file lies: in the model's folder, or in that of the model it is taken from."""
    other = card.get(TAKEN_FROM, {}).get(part)
    if other is None:
        return folder / part
    if not isinstance(other, str) or Path(other).name != other:
        raise CleanplateError(
            f"{part} is taken from {other!r}, which is no folder beside it", file=folder / CARD
        )
    return folder.resolve().parent / other / part


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
