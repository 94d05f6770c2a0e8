"""Foreground estimation: the subject's straight colour, from frame, plate and alpha.

Pictures are (H, W, 3), sRGB-coded: uint8, uint16, or float32 in [0, 1]; results are float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Picture, Plane
from cleanplate.bands import bands, enclosing
from cleanplate.formats.pictures import resize, to_float
from cleanplate.matte.compositing import check_same_size
from cleanplate.matte.interpolation import push_pull
from cleanplate.matte.mixing_space import MixingSpace, decoded, encoded, to_linear

Region: TypeAlias = tuple[slice, slice]
"""Rows and columns of a part of a picture."""

_TRUSTED = np.float32(0.3)  # alpha from which the solved colour is used alone
_NOTHING = np.float32(1e-4)  # alpha below which colour is not solved
_EMPTY = 0.01  # below it everywhere, there is no subject
_PRIOR_SIDE = 512  # long side in pixels at which neighbouring colour is spread


class Layers(NamedTuple):
    """A part of a frame, and of what belongs to it; arguments of `solve_foreground`."""

    frame: Coded | Picture
    plate: Coded | Picture
    alpha: Plane
    shadow: Plane | None
    space: MixingSpace

    def band(self, rows: slice) -> Layers:
        """Give some rows."""
        shadow = None if self.shadow is None else self.shadow[rows]
        return Layers(self.frame[rows], self.plate[rows], self.alpha[rows], shadow, self.space)

    def reduced(self, step: int) -> Layers:
        """Average `step` x `step` pixels."""
        if step == 1:
            return self
        size = (-(-self.alpha.shape[0] // step), -(-self.alpha.shape[1] // step))
        return Layers(
            resize(self.frame, size),
            resize(self.plate, size),
            resize(self.alpha, size),
            None if self.shadow is None else resize(self.shadow, size),
            self.space,
        )


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
    check_same_size(frame, plate, alpha, *(() if shadow is None else (shadow,)))
    region = subject_region(alpha)
    if region is None:
        return np.array(to_float(frame))
    dark = None if shadow is None else shadow[region]
    layers = Layers(frame[region], plate[region], alpha[region], dark, space)
    return spread_foreground(layers, region, alpha.shape)


def subject_region(alpha: Plane) -> Region | None:
    """Find the rows and columns that `solve_foreground` looks at; None if there is no subject.

    Args:
        alpha: (H, W) in [0, 1].
    """
    if alpha.max(initial=0) < _EMPTY:
        return None
    step = _step(alpha.shape)
    rows, columns = (enclosing(alpha.max(axis) >= _NOTHING, step) for axis in (1, 0))
    return rows, columns


def spread_foreground(inside: Layers, region: Region, shape: tuple[int, ...]) -> Picture:
    """Do what `solve_foreground` does, from what lies in the subject's region alone.

    Args:
        inside: the part of each layer in the region.
        region: of `subject_region`.
        shape: (H, W) of the whole.

    Returns:
        (H, W, 3) float32, sRGB-coded.
    """
    prior = _surroundings(inside, region, shape)
    out: Picture = resize(prior, (shape[0], shape[1]))
    _solve_into(out[region], inside)
    return out


def _step(shape: tuple[int, ...]) -> int:
    """Give the pixels of a side that become one where neighbouring colour is spread."""
    return max(2, -(-max(shape[:2]) // _PRIOR_SIDE))


def _solve_into(out: Picture, inside: Layers) -> None:
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
            solved = (decoded(np.take(own, soft, axis=0), space) - behind) / share
            np.clip(solved, 0, 1, out=solved)
            nearby = decoded(np.take(colour, soft, axis=0), space)
            trust = np.minimum(share / _TRUSTED, 1) ** 2
            colour[soft] = encoded(nearby + trust * (solved - nearby), space)
        out[band] = colour.reshape(*alpha.shape, 3)


def _surroundings(inside: Layers, region: Region, shape: tuple[int, ...]) -> Picture:
    """Return the sRGB-coded colour of the nearest opaque regions, at a reduced size.

    Args:
        inside: a part; alpha is 0 elsewhere.
        region: where the part lies.
        shape: (height, width) of the whole.
    """
    height, width = shape[:2]
    step = _step(shape)
    size = (-(-height // step), -(-width // step))
    colour: Picture = np.zeros((*size, 3), np.float32)
    weight: Plane = np.zeros(size, np.float32)
    top, left = (place // step for place in (region[0].start, region[1].start))
    columns = slice(left, left - (-inside.alpha.shape[1] // step))
    fine = max(1, step // 2)
    for band in bands(inside.alpha.shape, step):
        frame, plate, alpha, shadow, space = inside.band(band).reduced(fine)
        a = np.asarray(alpha[..., None], dtype=np.float32)
        dark = None if shadow is None else shadow[..., None]
        own = decoded(frame, space)
        own -= _shadowed(plate, dark, space) * (1 - a)
        # Premultiplied colour, clipped to its possible range; times a^3 it is a^4 F.
        np.clip(own, 0, a, out=own)
        own *= a**3
        first = top + band.start // step
        rows = slice(first, first - ((band.start - band.stop) // step))
        small = (rows.stop - rows.start, columns.stop - columns.start)
        colour[rows, columns] = resize(own, small)
        weight[rows, columns] = resize(a[..., 0] ** 4, small)
    return encoded(push_pull(colour, weight), inside.space)


def _shadowed(
    plate: npt.NDArray[Any], shadow: npt.NDArray[np.float32] | None, space: MixingSpace
) -> npt.NDArray[np.float32]:
    """Return the shadowed plate in the mixing space; the shadow always scales linear light."""
    if shadow is None:
        return decoded(plate, space)
    light = to_linear(plate)
    light *= shadow
    return encoded(light, "linear") if space == "display" else light
