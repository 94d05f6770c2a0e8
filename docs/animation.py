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
from cleanplate.cli import main as cleanplate
from cleanplate.formats.pictures import to_uint8
from cleanplate.video.backgrounds import StillBackground
from cleanplate.video.clip import ClipFrame
from cleanplate.video.frame_loop import FrameLoop

ROOT = Path(__file__).resolve().parent.parent
GENERATED = ROOT / "data" / "generated"
OUT = ROOT / "docs" / "images" / "clip.webp"
INDEX, SEED = 9, 21
WIDTH, HEIGHT = 640, 360
FRAMES, RATE = 60, 12
SHOWN = (320, 180)
LIMIT = 2_000_000


def clip_frames(folder):
    """Give the clip's frames in their order."""
    for index, path in enumerate(sorted((folder / "frames").glob("*.png"))):
        yield ClipFrame(read_image(path), index, Fraction(index, RATE), Fraction(1, RATE))


def panels(folder):
    """Give frame, matte and composite of each frame, side by side."""
    scene = Predictor().scene(folder / "plate.png")
    background = StillBackground(ROOT / "examples" / "background.jpg", (HEIGHT, WIDTH))
    loop = FrameLoop(scene, {"composite"}, background)
    for frame, layers in zip(clip_frames(folder), loop.layers(clip_frames(folder)), strict=True):
        matte = np.repeat(to_uint8(layers.alpha)[..., None], 3, axis=2)
        yield np.hstack([
            cv2.resize(one, SHOWN, interpolation=cv2.INTER_AREA)
            for one in (frame.rgb, matte, layers.composite)
        ])  # fmt: skip


def main():
    """Make the clip and the picture."""
    with tempfile.TemporaryDirectory() as scratch:
        made = cleanplate([
            *("synth", "clips", "-o", scratch, "--quiet", "--seed", str(SEED)),
            *("--plates", str(GENERATED / "plates"), "--cutouts", str(GENERATED / "cutouts")),
            *("--count", str(INDEX + 1), "--frames", str(FRAMES), "--frame-rate", str(RATE)),
            *("--size", f"{WIDTH}x{HEIGHT}", "--speed", "0.4"),
        ])  # fmt: skip
        if made:
            raise SystemExit(made)
        first, *others = (Image.fromarray(one) for one in panels(Path(scratch) / f"{INDEX:06}"))
    duration = 1000 // RATE
    first.save(OUT, save_all=True, append_images=others, duration=duration, loop=0, quality=70)
    if OUT.stat().st_size > LIMIT:
        raise SystemExit(f"{OUT}: {OUT.stat().st_size} bytes are more than {LIMIT}")


if __name__ == "__main__":
    main()
