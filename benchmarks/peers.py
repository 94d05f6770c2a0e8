"""Evaluation of other projects' models on the same pairs by the same metrics.

    python -m benchmarks.peers PEERS PAIRS [--variant clean ...] [--limit N] [--json FILE]

PEERS is a folder with a `peers.py` whose classes `RVM`, `MediaPipeSelfie` and `TCMonoDepth` have
`predict(plate, frame) -> {"alpha", "disparity"}` on (H, W, 3) uint8 RGB; their weights lie there
and are no part of this project. None of them uses the plate.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from cleanplate.arrays import Coded, Plane
from cleanplate.evaluation import (
    PlainPrediction,
    as_document,
    as_table,
    evaluate,
    find_pairs,
    variants,
)
from cleanplate.files.atomic import replacing
from cleanplate.formats.pictures import to_float, to_uint8

PEERS: dict[str, tuple[str, dict[str, Any]]] = {
    # Of its graphs, the one nearest to the frame in shape and size: the fairest to it.
    "RVM": ("RVM-MobileNetV3 (no plate)", {"size": None}),
    "MediaPipeSelfie": ("MediaPipe selfie (no plate)", {}),
    "TCMonoDepth": ("TCMonoDepth small (depth)", {}),
}
"""Class in `peers.py` -> its name in the table, and how it is made."""


@dataclass
class Peer:
    """Adapter of a peer to `PairPredictor`."""

    name: str
    network: Any

    def scene(self, plate: Coded, depth: Plane | None = None) -> PeerScene:
        """Keep the plate; the depth is not used."""
        del depth
        return PeerScene(self.network, _eight(plate))


@dataclass
class PeerScene:
    """A plate and a network that ignores it."""

    network: Any
    plate: Coded

    def predict(self, frame: Coded, /) -> PlainPrediction:
        """Run the network on one frame from its zero state."""
        found = self.network.predict(self.plate, _eight(frame))
        foreground = found.get("foreground")
        return PlainPrediction(found.get("alpha"), found.get("disparity"), foreground=foreground)


def _eight(picture: Coded) -> Coded:
    return picture if picture.dtype == np.uint8 else to_uint8(to_float(picture))


def load(folder: Path, threads: int) -> list[Peer]:
    """Make every peer that the folder's `peers.py` has."""
    return [
        Peer(name, load_peer(folder, kind, threads, **options))
        for kind, (name, options) in PEERS.items()
    ]


def load_peer(folder: Path, kind: str, threads: int, **options: Any) -> Any:
    """Make one peer of the folder's `peers.py`."""
    spec = importlib.util.spec_from_file_location("peers", folder / "peers.py")
    if spec is None or spec.loader is None or not (folder / "peers.py").is_file():
        raise SystemExit(f"{folder}: holds no peers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, kind)(threads=threads, **options)


def main() -> None:
    """Print the table; write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peers", type=Path)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--variant", action="append", help="default: all that are there")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pairs = find_pairs(options.pairs)
    scores = [
        evaluate(
            peer,
            [pair for pair in pairs if variant in pair.variant_files][: options.limit],
            variant,
            progress=lambda chosen, peer=peer, variant=variant: tqdm(
                chosen, desc=f"{peer.name} {variant}", unit="pair", disable=None
            ),
        )
        for peer in load(options.peers, options.threads)
        for variant in options.variant or variants(pairs)
    ]
    print(as_table(scores))
    if options.json:
        with replacing(options.json) as part:
            part.write_text(json.dumps(as_document(scores), indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
