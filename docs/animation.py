"""Draw the README's animated picture with the shipped model: `make animation`.

A clip is composed of a generated plate and cutout (`make data`, `cleanplate synth clips`), matted
by the frame loop of `cleanplate video`, and shown beside its matte and a composite.
"""

import tempfile
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from cleanplate import Predictor, read_image
from cleanplate.cli import main
from cleanplate.formats.pictures import to_uint8
from cleanplate.video.backgrounds import StillBackground
from cleanplate.video.clip import ClipFrame
from cleanplate.video.frame_loop import FrameLoop

ROOT = Path(__file__).resolve().parent.parent
GENERATED = ROOT / "data" / "generated"
INDEX, SEED = 9, 21
SIZE = (640, 360)
FRAMES, RATE = 60, 12
SHOWN = (320, 180)
LIMIT = 2_000_000


def frames(folder):
    """Give the clip's frames in their order."""
    for index, path in enumerate(sorted((folder / "frames").glob("*.png"))):
        yield ClipFrame(read_image(path), index, Fraction(index, RATE), Fraction(1, RATE))


with tempfile.TemporaryDirectory() as scratch:
    made = main([
        *("synth", "clips", "-o", scratch, "--quiet", "--seed", str(SEED)),
        *("--plates", str(GENERATED / "plates"), "--cutouts", str(GENERATED / "cutouts")),
        *("--count", str(INDEX + 1), "--frames", str(FRAMES), "--frame-rate", str(RATE)),
        *("--size", f"{SIZE[0]}x{SIZE[1]}", "--speed", "0.4"),
    ])  # fmt: skip
    if made:
        raise SystemExit(made)
    clip = Path(scratch) / f"{INDEX:06}"
    scene = Predictor().scene(clip / "plate.png")
    background = StillBackground(ROOT / "examples" / "background.jpg", SIZE[::-1])
    loop = FrameLoop(scene, {"composite"}, background)
    pictures = []
    for frame, layers in zip(frames(clip), loop.layers(frames(clip)), strict=True):
        alpha = np.repeat(to_uint8(layers.alpha)[..., None], 3, axis=2)
        panels = [cv2.resize(p, SHOWN, interpolation=cv2.INTER_AREA)
                  for p in (frame.rgb, alpha, layers.composite)]  # fmt: skip
        pictures.append(Image.fromarray(np.hstack(panels)))
out = ROOT / "docs" / "images" / "clip.webp"
pictures[0].save(
    out,
    save_all=True,
    append_images=pictures[1:],
    duration=1000 // RATE,
    loop=0,
    quality=70,
    method=6,
)
if out.stat().st_size > LIMIT:
    raise SystemExit(f"{out}: {out.stat().st_size} bytes are more than {LIMIT}")
