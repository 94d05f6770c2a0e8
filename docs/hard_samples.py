"""Sixteen samples of `CompositorSettings.hard()` for docs/compositor.md: needs `make data`.

python docs/hard_samples.py
"""

from pathlib import Path

import numpy as np

from cleanplate.formats.pictures import to_uint8, write_image
from cleanplate.synthesis import Composer, CompositorSettings

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data" / "generated"
SIZE = (132, 176)

composer = Composer.from_folders(
    DATA / "plates", DATA / "cutouts", seed=0, settings=CompositorSettings.hard()
)
cells = []
for index in range(16):
    sample = composer.sample(index, SIZE)
    planes = [to_uint8(sample["alpha"]), to_uint8(sample["shadow"])]
    grey = [np.repeat(plane[..., None], 3, axis=2) for plane in planes]
    cells.append(np.hstack([sample["plate"], sample["frame"], *grey]))
sheet = np.vstack([np.hstack(cells[row : row + 2]) for row in range(0, 16, 2)])
write_image(ROOT / "docs" / "images" / "hard_samples.jpg", sheet, quality=88)
