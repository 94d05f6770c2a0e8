"""A synthetic scene with exact truth, and the conversions that tests compare with, in float64."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.video.clip import ClipFacts
from cleanplate.video.frame_layers import FrameLayers

Array = npt.NDArray[np.float64]
RATE = Fraction(30000, 1001)


def linear(coded: npt.NDArray[np.floating]) -> Array:
    """IEC 61966-2-1, written out once more."""
    coded = np.asarray(coded, np.float64)
    return np.where(
        coded <= 0.04045, coded / 12.92, ((np.maximum(coded, 0) + 0.055) / 1.055) ** 2.4
    )


def coded(light: npt.NDArray[np.floating]) -> Array:
    light = np.asarray(light, np.float64)
    return np.where(
        light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055
    )


KR_KB = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114), "bt2020": (0.2627, 0.0593)}


def ycbcr(rgb: npt.NDArray[np.floating], matrix: str, full: bool, bits: int) -> list[Array]:
    """R'G'B' in [0, 1] to codes, not rounded: BT.709-6, items 3.2 to 3.4; BT.2020; JFIF."""
    kr, kb = KR_KB[matrix]
    red, green, blue = (np.asarray(rgb[..., i], np.float64) for i in range(3))
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    if full:
        top = 2**bits - 1
        return [luma * top, cb * top + 2 ** (bits - 1), cr * top + 2 ** (bits - 1)]
    scale = 2 ** (bits - 8)
    return [(16 + 219 * luma) * scale, (128 + 224 * cb) * scale, (128 + 224 * cr) * scale]


def rgb_of(planes: list[npt.NDArray[np.generic]], matrix: str, full: bool, bits: int) -> Array:
    """Codes of full size to R'G'B', not clipped."""
    kr, kb = KR_KB[matrix]
    luma, cb, cr = (np.asarray(plane, np.float64) for plane in planes)
    if full:
        top = 2**bits - 1
        luma, cb, cr = luma / top, (cb - 2 ** (bits - 1)) / top, (cr - 2 ** (bits - 1)) / top
    else:
        scale = 2 ** (bits - 8)
        luma = (luma / scale - 16) / 219
        cb, cr = (cb / scale - 128) / 224, (cr / scale - 128) / 224
    red, blue = luma + (2 - 2 * kr) * cr, luma + (2 - 2 * kb) * cb
    return np.stack([red, (luma - kr * red - kb * blue) / (1 - kr - kb), blue], axis=-1)


def grown(chroma: npt.NDArray[np.generic], size: tuple[int, int]) -> Array:
    """4:2:0 chroma to (height, width), linear, co-sited with even columns, between rows."""
    rows, columns = chroma.shape
    height, width = size
    y = np.clip((np.arange(height) + 0.5) / 2 - 0.5, 0, rows - 1)
    x = np.clip(np.arange(width) / 2, 0, columns - 1)
    y0, x0 = y.astype(int), x.astype(int)
    y1, x1 = np.minimum(y0 + 1, rows - 1), np.minimum(x0 + 1, columns - 1)
    fy, fx = (y - y0)[:, None], x - x0
    plane = np.asarray(chroma, np.float64)
    top = plane[y0][:, x0] * (1 - fx) + plane[y0][:, x1] * fx
    low = plane[y1][:, x0] * (1 - fx) + plane[y1][:, x1] * fx
    return top * (1 - fy) + low * fy


def smooth(
    rng: np.random.Generator, size: tuple[int, int], cell: int = 24
) -> npt.NDArray[np.float32]:
    """A picture of soft colours, (H, W, 3) in [0.1, 0.9]."""
    height, width = size
    small = rng.random((height // cell + 2, width // cell + 2, 3)).astype(np.float32)
    return np.clip(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), 0.1, 0.9)


@dataclass(frozen=True)
class Scene:
    """Truth: straight colour, alpha, shadow, plate (sRGB-coded, [0, 1]) and depth in metres."""

    foreground: npt.NDArray[np.float32]
    alpha: npt.NDArray[np.float32]
    shadow: npt.NDArray[np.float32]
    plate: npt.NDArray[np.float32]
    depth: npt.NDArray[np.float32]

    @property
    def size(self) -> tuple[int, int]:
        return self.alpha.shape[1], self.alpha.shape[0]

    @property
    def soft(self) -> npt.NDArray[np.bool_]:
        return (self.alpha > 0.02) & (self.alpha < 0.98)

    def behind(self, space: str) -> Array:
        """The shadowed plate in the values that are mixed; a shadow is a factor on light."""
        light = linear(self.plate) * self.shadow[..., None]
        return light if space == "linear" else coded(light)

    def frame(self, space: str) -> Array:
        """`a F + (1 - a) s B`, in the values that are mixed."""
        colour = linear(self.foreground) if space == "linear" else self.foreground
        a = self.alpha[..., None].astype(np.float64)
        return a * colour + (1 - a) * self.behind(space)

    def layers(self, index: int = 0, time: Fraction | None = None) -> FrameLayers:
        return FrameLayers(
            index,
            index / RATE if time is None else time,
            None,
            composite=coded(self.frame("linear")).astype(np.float32),
            foreground_display=self.foreground,
            foreground_linear=self.foreground,
            alpha=self.alpha,
            depth=self.depth,
        )

    def facts(self, **more: object) -> ClipFacts:
        width, height = self.size
        known = {"name": "clip.mp4", "frame_rate": RATE, "time_base": Fraction(1, 30000)}
        return ClipFacts(width=width, height=height, **(known | more))


def scene(width: int = 192, height: int = 128, seed: int = 0) -> Scene:
    """A disc with a soft edge and strands of hair, on another picture, with a soft shadow."""
    rng = np.random.default_rng(seed)
    size = (height, width)
    matte = np.zeros(size, np.float32)
    centre, radius = (width // 2, height // 2), min(size) // 4
    cv2.circle(matte, centre, radius, 1, -1, cv2.LINE_AA)
    for angle in np.linspace(0, 2 * np.pi, 40, endpoint=False):
        tip = radius * rng.uniform(1.2, 1.7)
        end = (int(centre[0] + tip * np.cos(angle)), int(centre[1] + tip * np.sin(angle)))
        cv2.line(matte, centre, end, 1, 1, cv2.LINE_AA)
    matte = np.clip(cv2.GaussianBlur(matte, (0, 0), 1.0), 0, 1)
    matte[matte < 1 / 255] = 0
    shade = np.zeros(size, np.float32)
    cv2.ellipse(
        shade, (centre[0] + radius, centre[1] + radius), (radius, radius // 2), 0, 0, 360, 1, -1
    )
    shadow = 1 - 0.5 * cv2.GaussianBlur(shade, (0, 0), 5)
    depth = np.where(matte > 0.5, np.float32(2.345), np.float32(np.inf))
    depth[0, :4] = np.nan
    return Scene(smooth(rng, size), matte, shadow, smooth(rng, size), depth)
