"""At what sizes the network estimates the disparity of a plate: the table in docs/prediction.md.

    python -m benchmarks.plate_disparity --textures TEXTURES

Aligned delta < 1.25 of the shipped model's plate disparity on procedural rooms of a seed that no
training used, for several choices of `SCALES`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from unittest import mock

import numpy as np

from cleanplate.formats.pictures import to_float
from cleanplate.metrics import disparity_errors
from cleanplate.models import find_model
from cleanplate.predict import plate_disparity
from cleanplate.predict.session import PairSession
from cleanplate.synthesis.procedural.asset_pool import ProceduralPlates

SEED, ROOMS = 987_654, 40
"""Of the rooms; the first `--rooms` of them are used."""

CHOICES = ((512,), (384,), (320,), (256,), (224,), (192,), (192, 256), (256, 384))


def main() -> None:
    """Print a line per choice of sizes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--textures", type=Path, help="pictures that cover the rooms")
    parser.add_argument("--rooms", type=int, default=24)
    parser.add_argument("--model", help="a shipped or an exported model")
    given = parser.parse_args()
    session = PairSession(find_model(given.model), None, None)
    rooms = ProceduralPlates(SEED, ROOMS, given.textures)
    for sides in CHOICES:
        with mock.patch.object(plate_disparity, "SCALES", sides):
            deltas = []
            for number in range(given.rooms):
                plate = rooms[number]
                seen = plate_disparity.estimate_disparity(session, to_float(plate.picture))
                truth = plate.disparity
                errors = disparity_errors(seen, truth, align=True, valid=truth > 1 / 80)
                deltas.append(errors["delta1"])
        print(f"{' and '.join(map(str, sides)):>12}  {np.mean(deltas):.3f}")


if __name__ == "__main__":
    main()
