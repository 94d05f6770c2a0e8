"""The models that ship with the package, and the registry that finds them.

A model is a folder with two graphs (`plate.onnx`, `frame.onnx`), a card (`card.json`, with
`card.md` for people) and, if it has them, the regressor of the subject's depth
(`subject_depth.npz`) and a third graph that estimates a plate's disparity (`plate_depth.onnx`). The
card names the SHA-256 of each; a folder that differs from its card is refused.
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
SHIPPED = Path(__file__).parent


@dataclass(frozen=True)
class Model:
    """A model folder whose graphs are the ones that its card describes."""

    folder: Path
    card: dict[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """What people call it: the card's `name`, or else the folder's."""
        return str(self.card.get("name") or self.folder.name)

    @property
    def license(self) -> str | None:
        """The weights' licence by SPDX name; older cards call it `licence`."""
        named = self.card.get("license", self.card.get("licence"))
        return None if named is None else str(named)

    @property
    def plate_graph(self) -> Path:
        """The graph that sees a plate once."""
        return self.folder / GRAPHS[0]

    @property
    def frame_graph(self) -> Path:
        """The graph that sees each frame."""
        return self.folder / GRAPHS[1]

    @property
    def subject_depth(self) -> Path | None:
        """The regressor of the subject's depth; None if the card names none."""
        return self._optional(SUBJECT_DEPTH)

    @property
    def plate_depth_graph(self) -> Path | None:
        """The graph from a plate's picture to its relative disparity; None if the card names none.

        Input `plate`, (N, 3, H, W) float32 sRGB in [0, 1]; output `disparity`, (N, 1, H, W).
        """
        return self._optional(PLATE_DEPTH)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over its parts' SHA-256, in hexadecimal: one name for the weights."""
        whole = hashlib.sha256()
        for part in _parts(self.card):
            whole.update(bytes.fromhex(_sha256(self.folder / part)))
        return whole.hexdigest()

    def _optional(self, name: str) -> Path | None:
        return self.folder / name if name in self.card.get("sha256", {}) else None


def available_models() -> list[str]:
    """Names of the shipped models, sorted."""
    return sorted(card.parent.name for card in SHIPPED.glob(f"*/{CARD}"))


def find_model(name_or_path: str | Path | None = None) -> Model:
    """Find the model of that name or in that folder; without either, the default one.

    The default is the shipped model whose card says `"default": true`, or the only one.

    Raises:
        CleanplateError: no such model, a part missing, a card that cannot be read, or graphs
            that are not the ones of the card.
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
        path, kind = folder / part, "part" if part == SUBJECT_DEPTH else "graph"
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
    """Name the files that the card describes: two graphs, and the optional parts that it names."""
    return (*GRAPHS, *(name for name in OPTIONAL if name in card["sha256"]))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
