"""Reflections of subjects on the scene: mirror image in the floor, and colour bleed."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays import Picture
from cleanplate.synthesis.compositor.layer import Layer
from cleanplate.synthesis.compositor.view import SceneView


def add_reflection(
    rng: np.random.Generator, background: Picture, view: SceneView, layer: Layer, colour: Picture
) -> Picture:
    """Mirror a grounded subject in a glossy floor, fading downwards. Linear light in and out.

    The floor's light is its own and what it mirrors of the surroundings, which the subject hides.
    So below the foot point the subject's reflection is added and light is lost, in the subject's
    shape: a floor gets darker and more colourful where a window's reflection is hidden. What is
    mirrored counts as white; it is the floor's darkest channel at most.
    """
    put = layer.placement
    foot = round(put.y)
    if put.how != "grounded" or not layer.rows.start < foot <= layer.rows.stop:
        return background
    count = min(foot - layer.rows.start, view.size[0] - foot)
    if count < 3:
        return background
    above = slice(foot - count - layer.rows.start, foot - layer.rows.start)
    fade = np.linspace(1, 0, count, dtype=np.float32) ** np.float32(rng.uniform(0.2, 3))
    weight = layer.alpha[above][::-1] * fade[:, None]
    # The subject's light, and how far it covers what the floor mirrors.
    mirrored = np.dstack([colour[above][::-1] * weight[..., None], weight])
    if rng.random() < 0.7:
        sigma = rng.uniform(0.5, 0.03 * count + 0.6)
        mirrored = np.asarray(cv2.GaussianBlur(mirrored, (0, 0), sigma), np.float32)
    strength, hidden = rng.uniform(0.03, 0.25), rng.uniform(0, 0.8)
    out = background.copy()
    floor = out[foot : foot + count, layer.columns]
    floor -= np.float32(hidden) * mirrored[..., 3:] * floor.min(2, keepdims=True)
    floor += np.float32(strength) * mirrored[..., :3]
    return np.minimum(out, 1, out=out)


def add_colour_bleed(
    rng: np.random.Generator, background: Picture, layer: Layer, colour: Picture
) -> Picture:
    """Multiply the scene near a subject by light of its mean colour: wide, weak, soft."""
    step = 8
    height, width = background.shape[:2]
    small = np.zeros((-(-height // step), -(-width // step)), np.float32)
    rows = slice(
        layer.rows.start // step, max(layer.rows.stop // step, layer.rows.start // step + 1)
    )
    columns = slice(
        layer.columns.start // step,
        max(layer.columns.stop // step, layer.columns.start // step + 1),
    )
    shape = (columns.stop - columns.start, rows.stop - rows.start)
    alpha = cv2.resize(layer.alpha, shape, interpolation=cv2.INTER_AREA)
    target = small[rows, columns]
    small[rows, columns] = np.asarray(alpha)[: target.shape[0], : target.shape[1]]
    sigma = 0.15 * max(shape) + 0.8
    glow = cv2.GaussianBlur(small, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    mean = np.asarray(cv2.mean(colour, (layer.alpha > 0.5).astype(np.uint8))[:3], np.float32)
    gain = 1 + np.asarray(glow)[..., None] * mean * np.float32(rng.uniform(0.05, 0.5))
    full = cv2.resize(gain, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.minimum(background * full, 1), np.float32)
