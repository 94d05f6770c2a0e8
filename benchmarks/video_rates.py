"""Frame rates of a clip through decoding, matting, compositing and H.264, beside RVM in that loop.

    python -m benchmarks.video_rates [--peers FOLDER] [--model NAME ...] [--json FILE]

Every alternative decodes the same H.264 clip and encodes one H.264 composite over a picture, with
the same reader, writer and threads. COPY has nothing between: the lower bound of this loop. RVM
(RobustVideoMatting, MobileNetV3, recurrent, at 512 x 288) sees the frame shrunk by OpenCV, and its
alpha, enlarged, mixes the frame itself with the background by one OpenCV call: no foreground
estimation, the cheapest composite there is. FOLDER holds its `peers.py`, see `benchmarks.peers`;
without it RVM is left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.peers import load
from benchmarks.timing import Row, as_table, rows, side_by_side
from cleanplate import Predictor
from cleanplate.arrays import Bytes
from cleanplate.files.atomic import replacing
from cleanplate.formats.pictures import read_image, resize
from cleanplate.models import find_model
from cleanplate.video import ClipWriter, FrameLayers, open_clip, output_of
from cleanplate.video.backgrounds import StillBackground
from cleanplate.video.clip import ClipFacts, ClipFrame
from cleanplate.video.frame_loop import FrameLoop
from cleanplate.video.pipeline import drained, prefetched

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SIZES = ((720, 1280), (1080, 1920))
COPY = "decode and encode alone"
RVM = "RVM-MobileNetV3 512 x 288"
RVM_SIZE = (512, 288)

Loop = Callable[[Iterable[ClipFrame]], Iterator[FrameLayers]]


def write_clip(folder: Path, size: tuple[int, int], count: int) -> tuple[Path, Bytes]:
    """Write a clip of the example subject, which sways before the example plate; give the plate.

    Args:
        folder: for the clip.
        size: (H, W).
        count: frames, at 30 a second.
    """
    height, width = size
    pair = EXAMPLES / "pairs" / "kitchen"
    plate, subject = (read_image(f"{pair}_{name}.jpg") for name in ("plate", "frame"))
    rows_kept = round(plate.shape[1] * height / width)
    top = plate.shape[0] - rows_kept
    alpha = cv2.imread(f"{pair}_alpha.png", cv2.IMREAD_UNCHANGED)
    assert alpha is not None
    share = alpha[top:].astype(np.float32) / np.iinfo(alpha.dtype).max
    share = cv2.resize(share, (width, height))
    plate, subject = (np.asarray(resize(one[top:], size), np.uint8) for one in (plate, subject))
    random = np.random.default_rng(0)
    noise = random.normal(0, 2, (8, height, width, 1)).astype(np.float32)
    facts = ClipFacts("clip", width, height, Fraction(30), time_base=Fraction(1, 15360))
    path = folder / f"{width}x{height}.mp4"
    with ClipWriter([output_of(path)], facts) as writer:
        for index in range(count):
            move = np.float32([[1, 0, 0.1 * width * np.sin(index / 10)], [0, 1, 0]])
            moved, a = (cv2.warpAffine(one, move, (width, height)) for one in (subject, share))
            picture = plate + a[..., None] * (moved.astype(np.float32) - plate)
            picture = np.clip(picture + noise[index % len(noise)], 0, 255)
            layers = FrameLayers(index, Fraction(index, 30), composite=picture.astype(np.uint8))
            writer.write(layers)
    return path, plate


def run(clip: Path, out: Path, loop: Loop) -> None:
    """Decode, work and encode, as `cleanplate video` does."""
    with (
        open_clip(clip) as source,
        closing(prefetched(source.frames())) as frames,
        ClipWriter([output_of(out)], source.facts, overwrite=True) as writer,
        drained(writer.write) as drain,
    ):
        for layers in loop(frames):
            drain.put(layers)


def copied(frames: Iterable[ClipFrame]) -> Iterator[FrameLayers]:
    """Give each frame as its own composite."""
    for frame in frames:
        yield FrameLayers(frame.index, frame.time, frame.duration, composite=frame.picture)


def ours(model: str, plate: Bytes, background: StillBackground, threads: int) -> Loop:
    """Make the loop of `cleanplate video -o out.mp4 --background`."""
    ahead = 2 if threads > 1 else 0
    scene = Predictor(model, threads=max(1, threads // 2), fixed_size=True).scene(plate)
    return lambda frames: FrameLoop(scene, {"composite"}, background, ahead=ahead).layers(frames)


def rvm(peer: Any, background: Bytes) -> Loop:
    """Make the same loop with RVM."""
    size = background.shape[1::-1]

    def layers(frames: Iterable[ClipFrame]) -> Iterator[FrameLayers]:
        peer.reset()
        for frame in frames:
            small = cv2.resize(frame.rgb, RVM_SIZE, interpolation=cv2.INTER_AREA)
            alpha = cv2.resize(peer.predict(None, small)["alpha"], size)
            composite = cv2.blendLinear(frame.rgb, background, alpha, 1 - alpha)
            yield FrameLayers(frame.index, frame.time, frame.duration, composite=composite)

    return layers


def measured(
    peers: Path | None,
    models: list[str],
    *,
    threads: int,
    frames: int,
    rounds: int,
    sizes: Iterable[tuple[int, int]] = SIZES,
) -> list[Row]:
    """Measure at each size; seconds are of one frame, the ratio is RVM's time over each."""
    cv2.setNumThreads(threads)
    found: list[Row] = []
    peer = None if peers is None else load_rvm(peers, threads)
    with tempfile.TemporaryDirectory() as scratch:
        for size in sizes:
            clip, plate = write_clip(Path(scratch), size, frames)
            background = StillBackground(EXAMPLES / "background.jpg", size)
            loops: dict[str, Loop] = {COPY: copied}
            loops |= {
                f"cleanplate {Path(name).name}": ours(name, plate, background, threads)
                for name in models
            }
            if peer is not None:
                pixels = background.behind(next(iter(open_clip(clip).frames())))
                loops[RVM] = rvm(peer, pixels)
            out = Path(scratch) / "out.mp4"
            work = {name: partial(run, clip, out, loop) for name, loop in loops.items()}
            taken = side_by_side(work, rounds=rounds)
            seconds = {name: [one / frames for one in all_] for name, all_ in taken.items()}
            extra = {
                name: {"frames a second": 1 / statistics.median(one)}
                for name, one in seconds.items()
            }
            title = f"{size[1]} x {size[0]}, H.264 to one H.264 composite, {threads} threads"
            found += rows(title, seconds, RVM if RVM in seconds else COPY, extra=extra)
    return found


def load_rvm(peers: Path, threads: int) -> Any:
    """Make the peer with its recurrent state kept from frame to frame."""
    (peer,) = [one.network for one in load(peers, threads) if one.name.startswith("RVM")]
    return type(peer)(size=RVM_SIZE[::-1], recurrent=True, threads=threads)


def main() -> None:
    """Print the table; write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--model", action="append", help="may be repeated; default: the shipped")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    models = options.model or [find_model().name]
    found = measured(
        options.peers, models,
        threads=options.threads, frames=options.frames, rounds=options.rounds,
    )  # fmt: skip
    print(as_table(found))
    if options.json:
        document = {"rows": [row.as_json() for row in found]}
        with replacing(options.json) as part:
            part.write_text(json.dumps(document, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
