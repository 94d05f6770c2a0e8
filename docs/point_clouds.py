"""Draw point clouds of pairs from two sides, for docs/subject_depth.md.

python docs/point_clouds.py --model FOLDER
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.depth import Intrinsics, disparity_to_depth, point_cloud
from cleanplate.formats.pictures import write_image
from cleanplate.predict.predictor import Predictor
from cleanplate.training.data.shard_reader import Shards

HERE = Path(__file__).resolve().parent
PAIRS = (57, 78, 8)
SIDE = (360, 270)
FARTHEST = 9.0
"""Metres: what is farther away is not drawn."""
TURNS = (-38.0, 38.0)
"""Degrees by which the cloud is turned about its middle."""

Floats = npt.NDArray[np.float32]


def splat(points: Floats, colours: npt.NDArray[Any], turn: float, middle: float) -> Any:
    """Draw points (N, 3) turned by `turn` degrees about the vertical through `middle` metres."""
    angle = math.radians(turn)
    x, y, z = points[:, 0], points[:, 1], points[:, 2] - middle
    across = math.cos(angle) * x + math.sin(angle) * z
    ahead = -math.sin(angle) * x + math.cos(angle) * z + middle * 1.25
    width, height = SIDE
    # Raised a little and looking down, so that the floor is seen as a surface.
    tilt = math.radians(12)
    down = math.cos(tilt) * y + math.sin(tilt) * (middle * 1.25 - ahead)
    ahead = math.cos(tilt) * ahead + math.sin(tilt) * y
    seen = ahead > 0.2
    focal = 0.85 * width
    u = (focal * across[seen] / ahead[seen] + width / 2).astype(int)
    v = (focal * down[seen] / ahead[seen] + height / 2).astype(int)
    picture = np.full((height, width, 3), 24, np.uint8)
    order = np.argsort(-ahead[seen])
    for dy in (0, 1):
        for dx in (0, 1):
            inside = (u + dx >= 0) & (u + dx < width) & (v + dy >= 0) & (v + dy < height)
            chosen = order[inside[order]]
            picture[v[chosen] + dy, u[chosen] + dx] = colours[seen][chosen]
    return picture


def row(depth: Floats, picture: npt.NDArray[Any], lens: Intrinsics, middle: float) -> Any:
    """Draw one depth map from both sides."""
    near = np.where(depth < FARTHEST, depth, np.float32(np.nan))
    points, colours = point_cloud(near, picture, lens)
    return np.hstack([splat(points, colours, turn, middle) for turn in TURNS])


def main() -> None:
    """Write one picture for each pair: above the truth, below the prediction."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=Path, default=HERE.parent / "data" / "pairs")
    parser.add_argument("--model")
    parser.add_argument("--out", type=Path, default=HERE / "images")
    parser.add_argument("--numbers", type=int, nargs="*", default=list(PAIRS))
    options = parser.parse_args()
    shards = Shards(options.pairs)
    for number in options.numbers:
        pair = shards.read(number)
        height, width = pair["alpha"].shape
        focal = float(pair["facts"]["fx"])
        lens = Intrinsics(focal, focal, width / 2, height / 2)
        depth = disparity_to_depth(pair["plate_disparity"])
        scene = Predictor(options.model).scene(pair["plate"], depth, focal=focal)
        result = scene.predict(pair["frame"], "depth")
        truth = disparity_to_depth(pair["disparity"])
        subject = truth[(pair["alpha"] > 0.9) & np.isfinite(truth)]
        middle = float(np.median(subject))
        pictures = [row(depth, pair["frame"], lens, middle) for depth in (truth, result.depth)]
        frame = cv2.resize(pair["frame"], SIDE, interpolation=cv2.INTER_AREA)
        left = np.vstack([frame, np.full_like(frame, 24)])
        sheet = np.hstack([left, np.vstack(pictures)])
        for place, text in ((12, "truth"), (12 + SIDE[1], "prediction")):
            spot = (SIDE[0] + 8, place + 12)
            cv2.putText(sheet, text, spot, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (230, 230, 230), 1)
        write_image(options.out / f"subject_depth_{number}.jpg", sheet, quality=72)


if __name__ == "__main__":
    main()
