"""How well each transparent format gives the frame again: the table of docs/video.md.

    python -m benchmarks.video_formats

A synthetic scene with exact truth is written by the package and decoded by FFmpeg's own program
(OpenCV and the OpenEXR library for pictures). Printed is the error of
`alpha F + (1 - alpha) shadow plate` against the frame, in 1/255 of the sRGB-coded value.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np

from cleanplate.video import ClipWriter, Output, frame_coding, frame_layers, output_of, ycbcr
from tests.video.ffmpeg_program import planes
from tests.video.scenes import Scene, coded, grown, linear, rgb_of, scene

Decoded = tuple[np.ndarray, np.ndarray]


def decoded(path: Path, given: Scene) -> Decoded:
    """Colour (sRGB-coded; of EXR linear) and alpha, in [0, 1]."""
    size = given.alpha.shape
    if path.suffix == ".mov":
        *colour, alpha = planes(path, "yuva444p12le", given.size)[-1]
        return np.clip(rgb_of(colour, "bt709", False, 12), 0, 1), alpha / 4095
    if path.suffix == ".webm":
        luma, blue, red, alpha = planes(path, "yuva420p", given.size, "-c:v", "libvpx-vp9")[-1]
        full = [luma, grown(blue, size), grown(red, size)]
        return np.clip(rgb_of(full, "bt709", False, 8), 0, 1), alpha / 255
    if path.suffix == ".exr":
        import OpenEXR

        pixels = OpenEXR.File(str(path)).channels()["RGBA"].pixels.astype(np.float64)
    else:
        stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        pixels = stored[..., [2, 1, 0, 3]] / float(np.iinfo(stored.dtype).max)
    return pixels[..., :3], pixels[..., 3]


def identity_error(output: Output, found: Decoded, given: Scene) -> np.ndarray:
    """Error at every soft pixel and channel, in 1/255."""
    colour, alpha = found
    space = output.space
    own = linear(colour) if space == "linear" and output.suffix != ".exr" else colour
    own = own if output.premultiplied else own * alpha[..., None]
    made, truth = own + (1 - alpha[..., None]) * given.behind(space), given.frame(space)
    if space == "linear":
        made, truth = coded(made), coded(truth)
    return 255 * np.abs(made - truth)[given.soft]


def measured(output: Output, given: Scene) -> tuple[np.ndarray, int]:
    """Errors, and bytes per frame."""
    with ClipWriter([output], given.facts()) as writer:
        for index in range(8):
            writer.write(given.layers(index))
    files = [path for path in writer.written if path.suffix != ".json"]
    size = sum(path.stat().st_size for path in files) // 8
    return identity_error(output, decoded(files[-1], given), given), size


def main() -> None:
    """Print the table."""
    given = scene(640, 360)
    # What a subject's colour is where nobody looks: here green, as bad as can be.
    unseen = np.where(given.alpha[..., None] > 0, given.foreground, np.float32([0, 1, 0]))
    bare = Scene(unseen, given.alpha, given.shadow, given.plate, given.depth)
    print("| format | alpha | mixed in | median | 95 % | largest | kB a frame |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        rows: list[tuple[str, Output, Scene, bool]] = []
        for bits in (8, 16):
            rows.append((f"PNG {bits} bits", output_of(f"p{bits}.%d.png", bits=bits), given, True))
        for packing in ("zip", "dwaa"):
            output = output_of(f"{packing}.%d.exr", compression=packing)
            rows.append((f"EXR {packing.upper()}", output, given, True))
        for premultiplied in (True, False):
            for space in ("display", "linear"):
                how = {"premultiplied": premultiplied, "space": space}
                file = f"{space}{premultiplied}"
                rows.append(("ProRes 4444", output_of(f"{file}.mov", **how), given, True))
                for quality in (10, 18, 28):
                    output = output_of(f"{file}{quality}.webm", quality=quality, **how)
                    rows.append((f"VP9 4:2:0, quality {quality}", output, given, True))
        rows.append(("VP9 18, green outside", output_of("g.webm"), bare, True))
        rows.append(("the same, not filled", output_of("n.webm"), bare, False))
        for label, output, picture, filled in rows:
            with ExitStack() as stack:
                if not filled:
                    stack.enter_context(patch.object(frame_layers, "bled", lambda c, a: c))
                    plain = lambda chroma, coding, weight=None: ycbcr.halved(chroma, coding)  # noqa: E731
                    stack.enter_context(patch.object(frame_coding, "halved", plain))
                error, size = measured(output, picture)
            alpha = "premultiplied" if output.premultiplied else "straight"
            numbers = " | ".join(
                f"{value:.2f}"
                for value in (np.median(error), np.percentile(error, 95), error.max())
            )
            print(f"| {label} | {alpha} | {output.space} | {numbers} | {size / 1000:.0f} |")


if __name__ == "__main__":
    main()
