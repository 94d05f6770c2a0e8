"""Alpha compositing, foreground estimation, shadow and trimap; in linear light by default.

Pictures are (H, W, 3), sRGB-coded: uint8, uint16, or float32 in [0, 1]; results are float32.
Large pictures are processed in bands of rows, so temporary arrays take only a few megabytes.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Picture, Plane
from cleanplate.bands import bands, enclosing
from cleanplate.formats.pictures import resize, to_float
from cleanplate.light import linear_from_uint8, linear_to_srgb, srgb_to_linear

MixingSpace: TypeAlias = Literal["linear", "display"]
"""Space in which alpha mixes colours: linear light, or the sRGB-coded values of the display."""

_TRUSTED = np.float32(0.3)  # alpha from which the solved colour is used alone
_NOTHING = np.float32(1e-4)  # alpha below which colour is not solved
_EMPTY = 0.01  # below it everywhere, there is no subject
_PRIOR_SIDE = 512  # long side in pixels at which neighbouring colour is spread


def over(
    foreground: Coded | Picture,
    alpha: Plane,
    background: Coded | Picture,
    *,
    space: MixingSpace = "linear",
) -> Picture:
    """Composite a foreground over a background: `a F + (1 - a) B`.

    Porter & Duff 1984, "Compositing digital images", the over operator with straight colour.

    Args:
        foreground: (H, W, 3), straight colour.
        alpha: (H, W) in [0, 1].
        background: (H, W, 3).
        space: "linear" or "display", the space of the mixing; the foreground must have been
            solved in the same space.

    Returns:
        (H, W, 3) float32, sRGB-coded.

    Raises:
        ValueError: if the sizes differ.

    Examples:
        >>> white, black = np.ones((1, 1, 3), np.float32), np.zeros((1, 1, 3), np.float32)
        >>> alpha = np.full((1, 1), 0.5, np.float32)
        >>> round(float(over(white, alpha, black)[0, 0, 0]), 4)  # 1.055 * 0.5 ** (1 / 2.4) - 0.055
        0.7354
        >>> float(over(white, alpha, black, space="display")[0, 0, 0])  # 0.5 * 1 + (1 - 0.5) * 0
        0.5
    """
    _same_size(foreground, alpha, background)
    out = np.empty((*alpha.shape, 3), np.float32)
    for band in bands(alpha.shape):
        a = alpha[band][..., None]
        mixed = _decoded(background[band], space)
        mixed += a * (_decoded(foreground[band], space) - mixed)
        out[band] = _encoded(mixed, space)
    return out


def premultiply(
    foreground: Coded | Picture, alpha: Plane, *, space: MixingSpace = "linear"
) -> Picture:
    """Premultiply a straight foreground by its alpha: `a F`.

    Composited over a background in the same `space`, it gives `(a F) + (1 - a) B`.

    Args:
        foreground: (H, W, 3), straight colour.
        alpha: (H, W) in [0, 1].
        space: "linear" or "display", the space of the multiplication.

    Returns:
        (H, W, 3) float32, sRGB-coded.

    Raises:
        ValueError: if the sizes differ.

    Examples:
        >>> grey = np.full((1, 1, 3), 0.5, np.float32)
        >>> alpha = np.full((1, 1), 0.25, np.float32)
        >>> float(premultiply(grey, alpha, space="display")[0, 0, 0])  # 0.25 * 0.5
        0.125
    """
    _same_size(foreground, alpha)
    out = np.empty((*alpha.shape, 3), np.float32)
    for band in bands(alpha.shape):
        out[band] = _encoded(_decoded(foreground[band], space) * alpha[band][..., None], space)
    return out


def darken(plate: Coded | Picture, shadow: Plane) -> Picture:
    """Apply a shadow to a plate: `s B` in linear light.

    Args:
        plate: (H, W, 3).
        shadow: (H, W), factor in (0, 1], 1 = no shadow.

    Returns:
        (H, W, 3) float32, sRGB-coded.

    Raises:
        ValueError: if the sizes differ.

    Examples:
        >>> white, shadow = np.ones((1, 1, 3), np.float32), np.full((1, 1), 0.25, np.float32)
        >>> round(float(darken(white, shadow)[0, 0, 0]), 4)  # 1.055 * 0.25 ** (1 / 2.4) - 0.055
        0.5371
    """
    _same_size(plate, shadow)
    out = np.empty((*shadow.shape, 3), np.float32)
    for band in bands(shadow.shape):
        out[band] = linear_to_srgb(_linear(plate[band]) * shadow[band][..., None])
    return out


def solve_foreground(
    frame: Coded | Picture,
    plate: Coded | Picture,
    alpha: Plane,
    shadow: Plane | None = None,
    *,
    space: MixingSpace = "linear",
) -> Picture:
    """Estimate the subject's straight foreground colour at every pixel.

    With a known background B, the compositing equation `I = a F + (1 - a) s B` has the solution
    `F = (I - (1 - a) s B) / a`. Where alpha is 1, the result is the frame. Where it is at least
    0.3, the result is this formula, clipped to [0, 1]. Below 0.3, where the division amplifies
    noise and errors of alpha, the result is blended by the weight (a / 0.3)^2 with the colour of
    the nearest opaque regions, which also fills the outside (push-pull over an image pyramid,
    Gortler et al. 1996, "The lumigraph", weighted by a^4).

    Args:
        frame: (H, W, 3).
        plate: (H, W, 3), registered, with the frame's exposure.
        alpha: (H, W) in [0, 1].
        shadow: (H, W), factor in (0, 1] on the plate's linear light; None = no shadow.
        space: "linear" or "display", the space in which the equation is solved; the later
            compositing must use the same. "display" is for editors that mix coded values: over
            the plate itself, their composite then equals the frame.

    Returns:
        (H, W, 3) float32, sRGB-coded; the frame itself if alpha is below 0.01 everywhere.

    Raises:
        ValueError: if the sizes differ.

    Examples:
        >>> plate, frame = (np.full((1, 1, 3), value, np.float32) for value in (0.5, 0.625))
        >>> alpha = np.full((1, 1), 0.5, np.float32)
        >>> solved = solve_foreground(frame, plate, alpha, space="display")
        >>> float(solved[0, 0, 0])  # (0.625 - (1 - 0.5) * 0.5) / 0.5
        0.75
    """
    _same_size(frame, plate, alpha, *(() if shadow is None else (shadow,)))
    if alpha.max(initial=0) < _EMPTY:
        return np.array(to_float(frame))
    height, width = alpha.shape
    step = max(2, -(-max(height, width) // _PRIOR_SIDE))
    rows, columns = (enclosing(alpha.max(axis) >= _NOTHING, step) for axis in (1, 0))
    inside = _Layers(
        frame[rows, columns],
        plate[rows, columns],
        alpha[rows, columns],
        None if shadow is None else shadow[rows, columns],
        space,
    )
    prior = _surroundings(inside, step, (rows.start, columns.start), (height, width))
    out: Picture = resize(prior, (height, width))
    _solve_into(out[rows, columns], inside)
    return out


class _Layers(NamedTuple):
    """A part of a frame around its subject, and of what belongs to it; see `solve_foreground`."""

    frame: Coded | Picture
    plate: Coded | Picture
    alpha: Plane
    shadow: Plane | None
    space: MixingSpace

    def band(self, rows: slice) -> _Layers:
        """Give some rows."""
        shadow = None if self.shadow is None else self.shadow[rows]
        return _Layers(self.frame[rows], self.plate[rows], self.alpha[rows], shadow, self.space)

    def reduced(self, step: int) -> _Layers:
        """Average `step` x `step` pixels."""
        if step == 1:
            return self
        size = (-(-self.alpha.shape[0] // step), -(-self.alpha.shape[1] // step))
        return _Layers(
            resize(self.frame, size),
            resize(self.plate, size),
            resize(self.alpha, size),
            None if self.shadow is None else resize(self.shadow, size),
            self.space,
        )


def _solve_into(out: Picture, inside: _Layers) -> None:
    """Overwrite the colour of the surroundings in `out` where alpha is not 0."""
    for band in bands(inside.alpha.shape):
        frame, plate, alpha, shadow, space = inside.band(band)
        a = alpha.ravel()
        colour = out[band].reshape(-1, 3)  # a copy, if columns were left out
        own = frame.reshape(-1, 3)
        np.copyto(colour, to_float(own), where=(a >= 1)[:, None])
        soft = np.flatnonzero((a >= _NOTHING) & (a < 1))
        if soft.size:
            share = a[soft, None]
            dark = None if shadow is None else shadow.ravel()[soft, None]
            behind = _shadowed(np.take(plate.reshape(-1, 3), soft, axis=0), dark, space)
            behind *= 1 - share
            solved = (_decoded(np.take(own, soft, axis=0), space) - behind) / share
            np.clip(solved, 0, 1, out=solved)
            nearby = _decoded(np.take(colour, soft, axis=0), space)
            trust = np.minimum(share / _TRUSTED, 1) ** 2
            colour[soft] = _encoded(nearby + trust * (solved - nearby), space)
        out[band] = colour.reshape(*alpha.shape, 3)


def trimap(
    alpha: Plane, radius: float, low: float = 0.05, high: float = 0.95
) -> npt.NDArray[np.uint8]:
    """Compute a trimap from alpha: 0 = background, 128 = unknown, 255 = foreground.

    A pixel is background (foreground) if its alpha is at most `low` (at least `high`), and so is
    that of every pixel within `radius`. All other pixels are unknown.

    Args:
        alpha: (H, W) in [0, 1].
        radius: Euclidean distance in pixels.
        low: largest alpha of background.
        high: smallest alpha of foreground.

    Returns:
        (H, W) uint8.

    Examples:
        >>> alpha = np.array([[0, 0, 0, 0.5, 1, 1, 1]], np.float32)
        >>> trimap(alpha, 1).tolist()  # sure pixels farther than 1 from every pixel that is not
        [[0, 0, 128, 128, 128, 255, 255]]
    """
    out = np.full(alpha.shape, 128, np.uint8)
    for value, sure in ((0, alpha <= low), (255, alpha >= high)):
        if sure.all():
            out[:] = value
            continue
        distance = cv2.distanceTransform(sure.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        out[distance > radius] = value
    return out


def push_pull(weighted: npt.NDArray[np.float32], weight: Plane) -> npt.NDArray[np.float32]:
    """Interpolate weighted values by push-pull: pixels of low weight are filled from neighbours.

    Normalised convolution (Knutsson & Westin 1993) over an image pyramid (Gortler et al. 1996,
    "The lumigraph"). A pixel of weight 1 keeps its value; a pixel of weight 0 does not contribute.

    Args:
        weighted: (H, W) or (H, W, C) float32, each value times its weight.
        weight: (H, W) float32 in [0, 1].

    Returns:
        float32 of the shape of `weighted`; 0 if all weights are 0.

    Examples:
        >>> weighted, weight = (np.array([row], np.float32) for row in ([0.5, 0], [1, 0]))
        >>> push_pull(weighted, weight).tolist()  # the only known value is spread
        [[0.5, 0.5]]
    """
    height, width = weight.shape
    own = weight.reshape(height, width, *[1] * (weighted.ndim - 2))
    mean = np.asarray(weighted / np.maximum(own, np.float32(1e-12)), np.float32)
    if height == 1 and width == 1:
        return mean
    size = ((height + 1) // 2, (width + 1) // 2)
    # Weight sums over 2 x 2, clipped to 1: one pixel of weight 1 gives a coarse cell of weight 1.
    coarse: Plane = resize(weight, size)
    gain = np.minimum(coarse * np.float32(4), np.float32(1)) / np.maximum(coarse, np.float32(1e-12))
    small = resize(weighted, size) * gain.reshape(*size, *[1] * (weighted.ndim - 2))
    far: npt.NDArray[np.float32] = resize(push_pull(small, coarse * gain), (height, width))
    mean *= own
    far *= 1 - own
    mean += far
    return mean


def _surroundings(
    inside: _Layers, step: int, corner: tuple[int, int], shape: tuple[int, int]
) -> Picture:
    """Return the sRGB-coded colour of the nearest opaque regions, at a reduced size.

    Args:
        inside: a part; alpha is 0 elsewhere.
        step: pixels of a side that become one.
        corner: row and column at which the part begins, multiples of `step`.
        shape: (height, width) of the whole.
    """
    height, width = shape
    size = (-(-height // step), -(-width // step))
    colour: Picture = np.zeros((*size, 3), np.float32)
    weight: Plane = np.zeros(size, np.float32)
    top, left = (place // step for place in corner)
    columns = slice(left, left - (-inside.alpha.shape[1] // step))
    fine = max(1, step // 2)
    for band in bands(inside.alpha.shape, step):
        frame, plate, alpha, shadow, space = inside.band(band).reduced(fine)
        a = np.asarray(alpha[..., None], dtype=np.float32)
        dark = None if shadow is None else shadow[..., None]
        own = _decoded(frame, space)
        own -= _shadowed(plate, dark, space) * (1 - a)
        # Premultiplied colour, clipped to its possible range; times a^3 it is a^4 F.
        np.clip(own, 0, a, out=own)
        own *= a**3
        first = top + band.start // step
        rows = slice(first, first - ((band.start - band.stop) // step))
        small = (rows.stop - rows.start, columns.stop - columns.start)
        colour[rows, columns] = resize(own, small)
        weight[rows, columns] = resize(a[..., 0] ** 4, small)
    return _encoded(push_pull(colour, weight), inside.space)


def _decoded(picture: npt.NDArray[Any], space: MixingSpace) -> npt.NDArray[np.float32]:
    """Convert a picture to the mixing space, as a new array."""
    if space == "linear":
        return _linear(picture)
    return np.array(to_float(picture))


def _encoded(mixed: npt.NDArray[np.float32], space: MixingSpace) -> npt.NDArray[np.float32]:
    return linear_to_srgb(mixed) if space == "linear" else mixed


def _shadowed(
    plate: npt.NDArray[Any], shadow: npt.NDArray[np.float32] | None, space: MixingSpace
) -> npt.NDArray[np.float32]:
    """Return the shadowed plate in the mixing space; the shadow always scales linear light."""
    if shadow is None:
        return _decoded(plate, space)
    light = _linear(plate)
    light *= shadow
    return _encoded(light, "linear") if space == "display" else light


def _linear(picture: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    if picture.dtype == np.uint8:
        return linear_from_uint8(picture)
    return srgb_to_linear(to_float(picture))


def _same_size(*arrays: npt.NDArray[Any]) -> None:
    sizes = [array.shape[:2] for array in arrays]
    if len(set(sizes)) != 1:
        raise ValueError(f"sizes differ: {sizes}")
