"""Formulas of the matte: mixing, un-mixing, shadow, trimap. Mixed in linear light by default.

Every picture may be uint8, uint16 or float32 in [0, 1], (H, W, 3), sRGB-coded; every
result is float32. Large pictures are worked through in bands of rows, so that beside
arguments and result only a few megabytes are needed.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Picture, Plane
from cleanplate.bands import bands
from cleanplate.formats.pictures import resize, to_float
from cleanplate.light import linear_from_uint8, linear_to_srgb, srgb_to_linear

MixingSpace: TypeAlias = Literal["linear", "display"]
"""In which values alpha mixes colours: in light, or in the sRGB-coded values of the display."""

_TRUSTED = np.float32(0.3)  # alpha from which the division alone decides
_NOTHING = np.float32(1e-4)  # alpha under which there is nothing to divide
_PRIOR_SIDE = 1024  # pixels of the long side at which colour is spread


def over(
    foreground: Coded | Picture,
    alpha: Plane,
    background: Coded | Picture,
    *,
    space: MixingSpace = "linear",
) -> Picture:
    """Lay a foreground over a background: `a F + (1 - a) B`.

    Porter & Duff 1984, "Compositing digital images", with straight colour.

    Args:
        foreground: (H, W, 3), straight colour.
        alpha: (H, W) in [0, 1].
        background: (H, W, 3).
        space: in which values they are mixed; the foreground must have been solved for the same.

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
    """Multiply a straight foreground by its alpha: `a F`, coded again; (H, W, 3).

    Laid over a background in the same `space`, it is `(a F) + (1 - a) B`.

    Args:
        foreground: (H, W, 3), straight colour.
        alpha: (H, W) in [0, 1].
        space: in which values it is multiplied.

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
    """Darken a plate by a shadow: `s B` in linear light.

    Args:
        plate: (H, W, 3).
        shadow: (H, W), a factor in (0, 1], 1 = untouched.

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
    """Take the plate's share out of the frame: the subject's straight colour everywhere.

    With the background known, the compositing equation `I = a F + (1 - a) s B` (linear
    light) has one unknown, `F = (I - (1 - a) s B) / a`. Where alpha is 1 the result is the
    frame itself; down to 0.3 it is that formula, clipped to [0, 1]; below, where the
    division magnifies noise and every error of alpha, it goes over, as (a / 0.3)^2 falls,
    to the colour of the nearest opaque parts, which also fills the outside (push and pull
    over an image pyramid, Gortler et al. 1996, "The lumigraph", weighted by a^4).

    Args:
        frame: (H, W, 3).
        plate: (H, W, 3), registered and matched to the frame.
        alpha: (H, W) in [0, 1].
        shadow: (H, W), a factor in (0, 1] on the plate's linear light, None = untouched.
        space: in which values the result will be mixed with a new background; the equation is
            solved in these. In "display" a soft edge over the plate itself gives the frame again
            when editors mix coded values.

    Returns:
        (H, W, 3) float32, sRGB; the frame itself if alpha is below 0.01 everywhere.

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
    prior = _surroundings(frame, plate, alpha, shadow, space)
    out = np.empty((*alpha.shape, 3), np.float32)
    for band in bands(alpha.shape):
        out[band] = to_float(frame[band])
        if prior is None:
            continue
        a = alpha[band].ravel()
        colour = out[band].reshape(-1, 3)
        fill = _band_of(prior, band, alpha.shape).reshape(-1, 3)
        np.copyto(colour, fill, where=(a < _NOTHING)[:, None])
        soft = np.flatnonzero((a >= _NOTHING) & (a < 1))
        if soft.size == 0:
            continue
        share = a[soft, None]
        dark = None if shadow is None else shadow[band].ravel()[soft, None]
        behind = _shadowed(plate[band].reshape(-1, 3)[soft], dark, space)
        behind *= 1 - share
        solved = (_decoded(frame[band].reshape(-1, 3)[soft], space) - behind) / share
        np.clip(solved, 0, 1, out=solved)
        nearby = _decoded(fill[soft], space)
        trust = np.minimum(share / _TRUSTED, 1) ** 2
        colour[soft] = _encoded(nearby + trust * (solved - nearby), space)
    return out


def trimap(
    alpha: Plane, radius: float, low: float = 0.05, high: float = 0.95
) -> npt.NDArray[np.uint8]:
    """Make a trimap: (H, W) uint8, 0 = background, 128 = unknown, 255 = subject.

    Sure are the pixels whose alpha is at most `low` (or at least `high`) and that have no
    other pixel within `radius` (pixels, Euclidean).

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
    """Spread values: themselves where their weight is 1, from ever farther away where it is less.

    Normalised convolution (Knutsson & Westin 1993) over an image pyramid (Gortler et al. 1996,
    "The lumigraph"): what has no weight mixes into nothing.

    Args:
        weighted: (H, W) or (H, W, C), each value times its weight.
        weight: (H, W) float32 in [0, 1].

    Returns:
        The values, of the shape of `weighted`, float32; 0 if there is no weight anywhere.

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
    # Sums over 2 x 2, kept within 1: a coarse cell that holds one full pixel is full.
    coarse: Plane = resize(weight, size)
    gain = np.minimum(coarse * np.float32(4), np.float32(1)) / np.maximum(coarse, np.float32(1e-12))
    small = resize(weighted, size) * gain.reshape(*size, *[1] * (weighted.ndim - 2))
    far: npt.NDArray[np.float32] = resize(push_pull(small, coarse * gain), (height, width))
    mean *= own
    far *= 1 - own
    mean += far
    return mean


def _surroundings(
    frame: Coded | Picture,
    plate: Coded | Picture,
    alpha: Plane,
    shadow: Plane | None,
    space: MixingSpace,
) -> Picture | None:
    """Coded colour of the nearest opaque parts at every pixel, at a reduced size.

    None if alpha is below 0.01 everywhere.
    """
    if alpha.max(initial=0) < 0.01:
        return None
    height, width = alpha.shape
    step = max(2, -(-max(height, width) // _PRIOR_SIDE))
    size = (-(-height // step), -(-width // step))
    colour: Picture = np.zeros((*size, 3), np.float32)
    weight: Plane = np.zeros(size, np.float32)
    for band in bands(alpha.shape, step):
        a = np.asarray(alpha[band, :, None], dtype=np.float32)
        if not a.any():
            continue
        dark = None if shadow is None else shadow[band, :, None]
        own = _decoded(frame[band], space)
        own -= _shadowed(plate[band], dark, space) * (1 - a)
        # Premultiplied colour within what is possible; a^3 times it is a^4 F.
        np.clip(own, 0, a, out=own)
        own *= a**3
        top = band.start // step
        rows = slice(top, top - (-len(a) // step))
        colour[rows] = resize(own, (rows.stop - rows.start, size[1]))
        weight[rows] = resize(a[..., 0] ** 4, (rows.stop - rows.start, size[1]))
    return _encoded(push_pull(colour, weight), space)


def _band_of(prior: Picture, band: slice, shape: tuple[int, ...]) -> Picture:
    """Enlarge `prior` linearly to `shape` and give the rows `band` of that."""
    height, width = shape
    centres = np.arange(band.start, band.stop, dtype=np.float32) + np.float32(0.5)
    y = np.clip(centres * (len(prior) / height) - 0.5, 0, len(prior) - 1)
    upper = y.astype(np.intp)
    share = (y - upper).astype(np.float32)[:, None, None]
    lower = np.minimum(upper + 1, len(prior) - 1)
    grown: Picture = resize(prior[upper] * (1 - share) + prior[lower] * share, (len(y), width))
    return grown


def _decoded(picture: npt.NDArray[Any], space: MixingSpace) -> npt.NDArray[np.float32]:
    """Give the values that mix, in an array of its own."""
    if space == "linear":
        return _linear(picture)
    return np.array(to_float(picture))


def _encoded(mixed: npt.NDArray[np.float32], space: MixingSpace) -> npt.NDArray[np.float32]:
    return linear_to_srgb(mixed) if space == "linear" else mixed


def _shadowed(
    plate: npt.NDArray[Any], shadow: npt.NDArray[np.float32] | None, space: MixingSpace
) -> npt.NDArray[np.float32]:
    """Give the darkened plate's values that mix: a shadow is a factor on light in either space."""
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
