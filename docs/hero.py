"""Draw the README's first picture with the shipped model: `make hero`.

Plate, frame, matte, depth and composite of the example pair, cut to the part where she stands.
"""

from pathlib import Path

import numpy as np

from cleanplate import Predictor, read_image
from cleanplate.depth import colour_map
from cleanplate.formats.pictures import to_uint8, write_image

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
COLUMNS = slice(430, 860)
GAP = 6

scene = Predictor().scene(EXAMPLES / "plate.jpg", depth=EXAMPLES / "plate_depth.png")
result = scene.predict(EXAMPLES / "frame.jpg")
panels = [
    read_image(EXAMPLES / "plate.jpg"),
    read_image(EXAMPLES / "frame.jpg"),
    np.repeat(to_uint8(result.alpha)[..., None], 3, axis=2),
    colour_map(result.disparity),
    result.composite(EXAMPLES / "background.jpg").pixels,
]
height = panels[0].shape[0]
strip = [np.full((height, GAP, 3), 255, np.uint8)]
for panel in panels:
    strip += [panel[:, COLUMNS], strip[0]]
write_image(ROOT / "docs" / "images" / "hero.jpg", np.hstack(strip[1:-1]), quality=88)
