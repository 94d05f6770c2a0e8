"""A clean plate from clips that never show the scene empty at once.

Frames are sampled evenly, laid over the middle one (a tripod shakes, a person at the tripod knocks
it), brought to its exposure, and each pixel's empty colour is estimated over time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cleanplate.arrays import Coded, Mask
from cleanplate.errors import CleanplateError
from cleanplate.predict.alignment.exposure import match_exposure
from cleanplate.predict.alignment.homography import covered, warp
from cleanplate.predict.alignment.keypoints import Keypoints
from cleanplate.predict.alignment.registration import REGISTRATION_SIZE, register
from cleanplate.predict.alignment.thumbnail import thumbnail
from cleanplate.video.temporal_estimate import TemporalEstimate, estimate_scene

MOST_SAMPLES = 128
"""Frames that are looked at. More bring little: the error of a mean falls with their root."""

FEWEST_SAMPLES = 5
"""From fewer frames no empty scene can be told from a subject."""

SAMPLE_BYTES = 640 << 20
"""Memory that sampled frames may take."""

STILL = 0.3
"""A corner that moves by less, in pixels, did not move: resampling would only blur."""


@dataclass(frozen=True)
class ClipPlate:
    """A clean plate and how it came about.

    estimate: picture, confidence, noise.
    samples: frames that were used, of `frames` in all.
    moved: largest displacement of a corner that was undone, in pixels.
    dropped: sampled frames that could not be registered, and why.
    """

    estimate: TemporalEstimate
    samples: int
    frames: int
    moved: float
    dropped: list[str] = field(default_factory=list)

    def share_above(self, confidence: float) -> float:
        """Share of the picture's pixels whose confidence is at least this."""
        return float((self.estimate.confidence >= confidence).mean())

    def as_report(self) -> dict[str, Any]:
        """Plain numbers for the report."""
        return {
            "frames": self.frames,
            "samples": self.samples,
            "moved_px": round(self.moved, 2),
            "noise": round(self.estimate.noise, 5),
            "confident_share": {str(c): round(self.share_above(c), 4) for c in (0.9, 0.98)},
            "dropped": self.dropped,
        }


def sample_evenly(frames: Iterable[Coded], most: int | None = None) -> tuple[list[Coded], int]:
    """Keep at most `most` frames, evenly spread, of a stream whose length is not known.

    Every n-th frame is kept; when there are too many, every other one is let go and n doubles.

    Args:
        frames: (H, W, 3) uint8 or uint16, all of one size and type.
        most: by default as many as `SAMPLE_BYTES` holds, at most `MOST_SAMPLES`.

    Returns:
        the frames, at least half of `most` if there were as many, and how many there were in all.

    Raises:
        CleanplateError: frames differ in size.
    """
    kept: list[Coded] = []
    step, count = 1, 0
    for frame in frames:
        if kept and frame.shape != kept[0].shape:
            raise CleanplateError(
                f"frame {count} is {frame.shape[1]} x {frame.shape[0]}, the first one "
                f"{kept[0].shape[1]} x {kept[0].shape[0]}",
                cure="give clips of one camera at one size",
            )
        if most is None:
            most = int(np.clip(SAMPLE_BYTES // frame.nbytes, 24, MOST_SAMPLES))
        if count % step == 0:
            kept.append(frame.copy())
            if len(kept) > most:
                kept = kept[::2]
                step *= 2
        count += 1
    return kept, count


def plate_of(
    frames: Iterable[Coded],
    *,
    stabilise: bool = True,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> ClipPlate:
    """Estimate the clean plate of frames of one locked camera.

    Args:
        frames: (H, W, 3) uint8 or uint16 RGB, sRGB-coded; see `sample_evenly`.
        stabilise: whether to undo movement of the camera.
        progress: wraps the numbers of sampled frames as they are worked on.

    Raises:
        CleanplateError: there are too few frames, they differ in size, or most of them show
            another view.
    """
    samples, count = sample_evenly(frames)
    if len(samples) < FEWEST_SAMPLES:
        raise CleanplateError(
            f"{len(samples)} frames are too few to tell the empty scene from what moves in it",
            cure=f"give at least {FEWEST_SAMPLES}, better a hundred over ten seconds or more",
        )
    reference = len(samples) // 2
    middle = samples[reference]
    size = (middle.shape[0], middle.shape[1])
    points = Keypoints.of(thumbnail(middle, REGISTRATION_SIZE)) if stabilise else None
    stack = np.empty((len(samples), *middle.shape), middle.dtype)
    known: Mask | None = None
    dropped, moved, used = [], 0.0, 0
    for index in progress(range(len(samples))):
        frame = samples[index]
        if index != reference:
            if points is not None:
                found = register(Keypoints.of(thumbnail(frame, REGISTRATION_SIZE)), points, size)
                if not found.trusted:
                    dropped.append(f"sample {index}: {found.why_not}")
                    continue
                if found.moved > STILL and found.kind != "none":
                    moved = max(moved, found.moved)
                    frame = warp(frame, found.matrix)
                    if known is None:
                        known = np.ones((len(samples), *size), np.bool_)
                    known[used] = covered(size, found.matrix)
            exposure = match_exposure(frame, middle)
            stack[used] = exposure.apply(frame)
        else:
            stack[used] = frame
        used += 1
    if used < max(FEWEST_SAMPLES, len(samples) // 2):
        raise CleanplateError(
            f"{len(dropped)} of {len(samples)} frames do not show the same view ({dropped[0]})",
            cure="give clips of a locked camera, or leave out the frames in which it is moved",
        )
    estimate = estimate_scene(stack[:used], None if known is None else known[:used])
    return ClipPlate(estimate, used, count, moved, dropped)
