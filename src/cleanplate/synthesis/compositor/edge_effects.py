"""Edge effects on a subject's alpha: hair, displacement, holes, defocus, motion blur."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from cleanplate.arrays import Plane
from cleanplate.synthesis.compositor.layer import Layer
from cleanplate.synthesis.compositor.settings import CompositorSettings


def apply_edge_effects(
    rng: np.random.Generator, layer: Layer, settings: CompositorSettings
) -> None:
    """Draw edge effects and apply them to the layer's alpha and colour in place."""
    if settings.edge_share and rng.random() < settings.edge_share:
        effect = int(np.searchsorted((0.36, 0.7, 0.9), rng.random(), "right"))
        (fringe, defocus, motion, holes)[effect](rng, layer)
    if settings.veil_share and rng.random() < settings.veil_share:
        layer.alpha *= np.float32(rng.uniform(0.3, 0.85))


def fringe(rng: np.random.Generator, layer: Layer) -> None:
    """Displace the edge finely, or add strands that stand out from it."""
    h, w = layer.alpha.shape
    reach = float(np.exp(rng.uniform(np.log(0.4), np.log(1.8)))) * max(1.0, h / 160)
    if rng.random() < 0.6:
        noise = _displacement_noise()
        y, x = int(rng.integers(256)), int(rng.integers(256))
        shift = np.take(np.take(noise, np.arange(y, y + h) % 256, 0), np.arange(x, x + w) % 256, 1)
        columns = np.arange(w, dtype=np.float32)[None] + shift[..., 0] * np.float32(reach)
        rows = np.arange(h, dtype=np.float32)[:, None] + shift[..., 1] * np.float32(reach)
        layer.alpha = np.asarray(
            cv2.remap(layer.alpha, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        )
    else:
        _strands(rng, layer)


def _strands(rng: np.random.Generator, layer: Layer) -> None:
    solid = (layer.alpha > 0.5).astype(np.uint8)
    found, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return
    contour = max(found, key=len)[:, 0, :].astype(np.float32)
    h, w = solid.shape
    count = int(rng.integers(20, 120))
    # Roots on one part of the outline, mostly near its top, like hair.
    start = int(contour[:, 1].argmin()) + int(rng.normal(0, 0.15) * len(contour))
    at = (start + rng.normal(0, rng.uniform(0.03, 0.2) * len(contour), count)).astype(int)
    root = contour[at % len(contour)]
    middle = contour.mean(0)
    out = root - middle
    out /= np.linalg.norm(out, axis=1, keepdims=True) + 1e-6
    out += rng.normal(0, 0.5, out.shape)
    length = rng.uniform(0.02, 0.09) * max(h, 24) * rng.random((count, 1))
    bend = rng.normal(0, 0.35, (count, 1)) * np.stack([-out[:, 1], out[:, 0]], -1)
    t = np.linspace(-0.3, 1, 7)[None, :, None]
    paths = root[:, None] + length[:, None] * (t * out[:, None] + t * t * bend[:, None])
    ink = np.zeros((h, w), np.uint8)
    curves = [np.rint(p * 16).astype(np.int32) for p in paths]
    cv2.polylines(ink, curves, False, (int(rng.integers(60, 230)),), 1, cv2.LINE_AA, 4)
    layer.alpha = np.maximum(layer.alpha, ink * np.float32(1 / 255))


def defocus(rng: np.random.Generator, layer: Layer) -> None:
    """Blur alpha and colour of the subject alike."""
    sigma = float(rng.uniform(0.4, 0.6 + 0.012 * max(layer.alpha.shape)))
    edge = cv2.BORDER_REPLICATE
    layer.alpha = np.asarray(cv2.GaussianBlur(layer.alpha, (0, 0), sigma, borderType=edge))
    layer.colour = np.asarray(cv2.GaussianBlur(layer.colour, (0, 0), sigma, borderType=edge))


def motion(rng: np.random.Generator, layer: Layer) -> None:
    """Blur the subject along a straight line, as a moving subject during the exposure."""
    length = int(rng.integers(3, 5 + max(layer.alpha.shape) // 24))
    kernel = np.zeros((length, length), np.float32)
    angle, half = rng.uniform(0, np.pi), (length - 1) / 2
    ends = half + half * np.array(
        [[-np.cos(angle), -np.sin(angle)], [np.cos(angle), np.sin(angle)]]
    )
    a, b = np.rint(ends * 16).astype(int).tolist()
    cv2.line(kernel, a, b, (1.0,), 1, cv2.LINE_8, 4)
    kernel /= max(float(kernel.sum()), 1.0)
    edge = cv2.BORDER_REPLICATE
    layer.alpha = np.asarray(cv2.filter2D(layer.alpha, -1, kernel, borderType=edge))
    layer.colour = np.asarray(cv2.filter2D(layer.colour, -1, kernel, borderType=edge))


def holes(rng: np.random.Generator, layer: Layer) -> None:
    """Cut openings through which the plate is seen: a grid, a fence or a few ellipses."""
    h, w = layer.alpha.shape
    if rng.random() < 0.6:
        pitch, angle = rng.uniform(5, 8 + 0.1 * h), rng.uniform(0, np.pi)
        bar = rng.uniform(0.35, 0.8)
        x = np.arange(w, dtype=np.float32)[None] * np.float32(np.cos(angle) / pitch)
        x = x + np.arange(h, dtype=np.float32)[:, None] * np.float32(np.sin(angle) / pitch)
        wave = np.abs((x % 1) - np.float32(0.5)) * np.float32(2 * pitch)
        open_ = np.clip(wave - np.float32(bar * pitch) + np.float32(0.5), 0, 1)
    else:
        ink = np.zeros((h, w), np.uint8)
        for _ in range(int(rng.integers(1, 6))):
            centre = (int(rng.integers(w)), int(rng.integers(h)))
            axes = (int(rng.uniform(0.03, 0.15) * w) + 1, int(rng.uniform(0.03, 0.15) * h) + 1)
            cv2.ellipse(ink, centre, axes, rng.uniform(0, 180), 0, 360, (255,), -1, cv2.LINE_AA)
        open_ = ink * np.float32(1 / 255)
    layer.alpha = np.asarray(layer.alpha * (1 - open_), np.float32)


@cache
def _displacement_noise() -> Plane:
    """(256, 256, 2) periodic fine noise of unit deviation."""
    noise = np.random.default_rng(0x0F12).standard_normal((256, 256, 2), np.float32)
    wide = cv2.copyMakeBorder(noise, 8, 8, 8, 8, cv2.BORDER_WRAP)
    fine = cv2.GaussianBlur(wide, (0, 0), 0.9) * 3 + cv2.GaussianBlur(wide, (0, 0), 2.5) * 5
    fine = fine[8:-8, 8:-8]
    return np.asarray(fine / fine.std(), np.float32)
