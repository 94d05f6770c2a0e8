"""Hair at full size: single strands before large pictures, with exact alpha.

    python -m benchmarks.hair_edges --plates FOLDER --cutouts FOLDER [--count 16] [--json FILE]

People and animals stand before `--plates`, pictures of 900 rows or more, cropped to 1920 x 1080;
strands one to three half pixels thick are drawn from the upper outline of each, mixed in linear
light, with a camera's noise and JPEG. The network sees 512 pixels of that. Near the matte's edge
three rules compute alpha at full size from the frame I, the plate B and a colour F of the subject's
inside:

- the guided filter alone, which does not look at the plate;
- what ships: where a pixel shows the plate, I = B within the noise, and F is another colour, alpha
  falls to the projection of I - B on F - B (`cleanplate.predict.gaps`);
- that projection everywhere, as far as F - B stands out of noise.

With `--contrast`, what ships is measured at several contrasts of alpha instead (`upsample`).

Errors are those of alpha, over the zone of the strands and over the rest; and over `--pairs`,
rendered scenes without loose hair, where a rule must not lose (at the size of the pairs, or with
`--working-size` at less).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.disturbances import compressed, noisy
from cleanplate import Predictor
from cleanplate.arrays import Mask, Picture, Plane
from cleanplate.files.listing import find_pictures
from cleanplate.formats.pictures import read_image, resize, to_float
from cleanplate.light import linear_to_srgb, srgb_to_linear
from cleanplate.markdown_table import markdown_table
from cleanplate.matte.fill import fill_outside
from cleanplate.predict import upsample
from cleanplate.predict.alignment.exposure import Exposure
from cleanplate.predict.gaps import Gaps, standing_out
from cleanplate.predict.result import Result
from cleanplate.predict.scene import AlignedFrame
from cleanplate.predict.upsample import upsample_alpha
from cleanplate.synthesis.assets.catalogue import CutoutFolder
from cleanplate.training.data.shard_reader import Shards

SIZE = (1080, 1920)
_FINE = 4
"""Fractional bits of strand coordinates (OpenCV's `shift`)."""

Points = npt.NDArray[np.float64]


class HairPair(NamedTuple):
    """plate and frame (H, W, 3) uint8, true alpha (H, W), and where there is hair."""

    plate: npt.NDArray[np.uint8]
    frame: npt.NDArray[np.uint8]
    alpha: Plane
    hair: Mask


def hair_pairs(plates: Path, cutouts: Path, count: int, seed: int) -> Iterator[HairPair]:
    """Make pairs; the same seed makes the same ones of the same folders."""
    pictures = [one for one in map(read_image, find_pictures(plates)) if len(one) >= 900]
    folder = CutoutFolder.open(cutouts)
    alive = sorted(number for kind in ("person", "animal") for number in folder.kinds[kind])
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        plate = _filling(pictures[number % len(pictures)])
        plate = plate[:, ::-1] if rng.random() < 0.5 else plate
        cutout = folder[alive[int(rng.integers(len(alive)))]]
        rgba = np.dstack([cutout.colour, cutout.alpha])
        scale = rng.uniform(0.75, 1.5) * SIZE[0] / len(rgba)
        colour, alpha = _placed(rng, cv2.resize(rgba, None, fx=scale, fy=scale))
        strands, colour = _with_strands(rng, alpha, colour)
        whole = np.maximum(alpha, strands)
        mixed = srgb_to_linear(to_float(plate)) * (1 - whole[..., None])
        mixed += srgb_to_linear(colour) * whole[..., None]
        sharp = np.rint(linear_to_srgb(mixed) * 255).astype(np.uint8)
        sigma = float(rng.uniform(1, 2.5))
        frame, seen = (
            compressed(noisy(one, sigma, 2 * number + place), 93)
            for place, one in enumerate((sharp, np.ascontiguousarray(plate)))
        )
        near = cv2.dilate((strands > 0.02).astype(np.uint8), np.ones((5, 5))) > 0
        inside = cv2.erode((alpha > 0.98).astype(np.uint8), np.ones((9, 9))) > 0
        yield HairPair(seen, frame, whole, near & ~inside)


def _filling(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Scale a picture to fill `SIZE`, and crop it."""
    height, width = SIZE
    scale = max(height / picture.shape[0], width / picture.shape[1])
    size = (round(picture.shape[0] * scale), round(picture.shape[1] * scale))
    return np.asarray(resize(to_float(picture), size)[:height, :width] * 255, np.uint8)


def _placed(rng: np.random.Generator, rgba: npt.NDArray[np.uint8]) -> tuple[Picture, Plane]:
    """Put a cutout into a picture of `SIZE`: straight colour, defined everywhere, and alpha."""
    height, width = SIZE
    left = int(rng.uniform(0.2, 0.8) * width - rgba.shape[1] / 2)
    top = int(rng.uniform(0.12, 0.3) * height)
    canvas = np.zeros((*SIZE, 4), np.float32)
    rows = slice(max(0, top), min(height, top + rgba.shape[0]))
    columns = slice(max(0, left), min(width, left + rgba.shape[1]))
    part = rgba[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    canvas[rows, columns] = to_float(part)
    alpha = np.clip((canvas[..., 3] - 0.5) * 2 + 0.5, 0, 1)  # sharp again after enlarging
    return fill_outside(canvas[..., :3].copy(), alpha > 0.9), alpha


def _with_strands(rng: np.random.Generator, alpha: Plane, colour: Picture) -> tuple[Plane, Picture]:
    """Draw locks of strands from the upper outline; their alpha, and the colour with theirs."""
    contours, _ = cv2.findContours(
        (alpha > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    outline = max(contours, key=len)[:, 0, :].astype(float)
    top, bottom = outline[:, 1].min(), outline[:, 1].max()
    crown = outline[outline[:, 1] < top + 0.14 * (bottom - top)]
    middle = crown.mean(0)
    middle[1] += 0.042 * (bottom - top)
    clear = np.ones(alpha.shape, np.float32)
    for _ in range(int(rng.integers(25, 70))):
        _draw_lock(rng, crown, middle, clear)
    strands = 1 - clear
    x, y = crown.astype(int).T
    tone = np.median(colour[(y + 4).clip(0, len(alpha) - 1), x.clip(0, alpha.shape[1] - 1)], 0)
    tone = np.clip(tone * rng.uniform(0.6, 1.3) + rng.normal(0, 0.03, 3), 0.01, 1)
    share = strands / np.maximum(np.maximum(alpha, strands), 1e-3) * (1 - alpha)
    return strands, (colour + share[..., None] * (tone - colour)).astype(np.float32)


def _draw_lock(rng: np.random.Generator, crown: Points, middle: Points, clear: Plane) -> None:
    """Multiply `clear` by what strands of a common root and direction let through."""
    count, t = int(rng.integers(3, 14)), np.linspace(0, 1, 14)[None, :, None]
    root = crown[(int(rng.integers(len(crown))) + rng.integers(-6, 7, count)) % len(crown)]
    out = root - middle
    out /= np.linalg.norm(out, axis=1, keepdims=True) + 1e-3
    out = out + rng.normal(0, 0.4, 2) + rng.normal(0, 0.15, out.shape)
    side = np.stack([-out[:, 1], out[:, 0]], -1) * rng.normal(0, 0.8)
    length = np.ptp(crown[:, 0]) * rng.uniform(0.08, 0.5) * rng.uniform(0.4, 1, (count, 1, 1))
    fall = np.array([0.0, rng.uniform(0, 0.9)]) * t**2
    paths = (root - 6 * out)[:, None] + length * (t * out[:, None] + t**2 * side[:, None] + fall)
    low = np.maximum(paths.reshape(-1, 2).min(0) - 6, 0).astype(int)
    high = np.minimum(paths.reshape(-1, 2).max(0) + 6, clear.shape[::-1]).astype(int)
    if (high <= low).any():
        return
    width, height = (high - low).tolist()
    ink = np.zeros((2 * height, 2 * width), np.uint8)
    curves = [np.rint((path - low) * 2 * 2**_FINE).astype(np.int32) for path in paths]
    thick = int(rng.choice([1, 2, 2, 3]))
    cv2.polylines(ink, curves, False, (255,), thick, cv2.LINE_AA, _FINE)
    cover = to_float(cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA))
    clear[low[1] : high[1], low[0] : high[0]] *= 1 - cover * np.float32(rng.uniform(0.5, 1))


def guided(aligned: AlignedFrame, result: Result) -> Plane:
    """Upsample by the guided filter alone."""
    return upsample_alpha(result.sources.matte.small, aligned.scaled.working, result.pixels)


def opened(aligned: AlignedFrame, result: Result) -> Plane:
    """Give the matte of the package, whose gaps are opened."""
    return result.alpha


def projected(aligned: AlignedFrame, result: Result) -> Plane:
    """Take the projection wherever the matte is unsure, as far as F - B stands out of noise."""
    alpha, small = guided(aligned, result), result.sources.matte.small
    plate, frame = to_float(aligned.plate.full()), to_float(result.pixels.rgb)
    gaps = Gaps.of(small, aligned.scaled.working, plate, Exposure())
    if gaps is None:
        return alpha
    across = resize(gaps.subject, alpha.shape) - plate
    power = (across**2).sum(2)
    projection = np.clip(((frame - plate) * across).sum(2) / np.maximum(power, 1e-6), 0, 1)
    unsure = (alpha > 0) & (alpha < 1)
    share = unsure * standing_out(power)
    return np.asarray(alpha + share * (projection - alpha), np.float32)


Rule = Callable[[AlignedFrame, Result], Plane]
RULES: dict[str, Rule] = {
    "guided filter alone": guided,
    "gaps opened (as it ships)": opened,
    "projection everywhere": projected,
}


def at_contrast(contrast: float) -> Rule:
    """Give what ships, with another contrast of alpha."""

    def matte(aligned: AlignedFrame, result: Result) -> Plane:
        with patch.object(upsample, "CONTRAST", contrast):
            return aligned.scene.compare(aligned).alpha

    return matte


def measured(
    predictor: Predictor,
    rules: dict[str, Rule],
    pairs: Iterator[HairPair],
    shards: Path | None,
) -> dict[str, dict[str, float]]:
    """Give each rule's mean error in the hair, in the rest x 1000, and on scenes without x 1000."""
    found: dict[str, dict[str, list[float]]] = {rule: {} for rule in rules}
    for pair in pairs:
        for name, alpha in _by_rule(predictor, rules, pair.plate, pair.frame).items():
            error = np.abs(alpha - pair.alpha)
            found[name].setdefault("hair", []).append(float(error[pair.hair].mean()))
            rest = 1000 * float((error * ~pair.hair).mean())
            found[name].setdefault("rest x 1000", []).append(rest)
    scenes = Shards(shards) if shards is not None else None
    for index in range(len(scenes) if scenes is not None else 0):
        assert scenes is not None
        sample = scenes.read(index)
        for name, alpha in _by_rule(predictor, rules, sample["plate"], sample["frame"]).items():
            error = 1000 * float(np.abs(alpha - sample["alpha"]).mean())
            found[name].setdefault("scenes x 1000", []).append(error)
    return {
        name: {part: float(np.mean(values)) for part, values in parts.items()}
        for name, parts in found.items()
    }


def _by_rule(
    predictor: Predictor,
    rules: dict[str, Rule],
    plate: npt.NDArray[np.uint8],
    frame: npt.NDArray[np.uint8],
) -> dict[str, Plane]:
    scene = predictor.scene(plate)
    aligned = scene.align(frame, "alpha")
    result = scene.compare(aligned)
    return {name: rule(aligned, result) for name, rule in rules.items()}


def main() -> None:
    """Print the table; write the JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hair_edges",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--plates", type=Path, required=True)
    parser.add_argument("--cutouts", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, help="Shards of pairs, such as data/pairs.")
    parser.add_argument("--model", help="default: the shipped one")
    parser.add_argument("--working-size", type=int, help="of the predictor")
    parser.add_argument("--contrast", type=float, nargs="+", default=[])
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    made = hair_pairs(options.plates, options.cutouts, options.count, options.seed)
    predictor = Predictor(options.model, working_size=options.working_size)
    contrasts = {f"contrast {value:g}": at_contrast(value) for value in options.contrast}
    found = measured(predictor, contrasts or RULES, made, options.pairs)
    parts = list(next(iter(found.values())))
    rows = [(name, *(f"{values[part]:.4g}" for part in parts)) for name, values in found.items()]
    print(markdown_table(("rule", *parts), rows, right_from=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
