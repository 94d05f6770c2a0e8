"""Disturbances between a plate and its frame, such as exposure, shift and noise, with truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.formats.pictures import resize, to_float, to_uint8
from cleanplate.light import linear_to_srgb, srgb_to_linear
from cleanplate.matte import over
from cleanplate.predict.alignment.homography import warp

Eight = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]


class Sample(NamedTuple):
    """A plate and a frame, (H, W, 3) uint8, and the true matte of the frame, (H, W)."""

    plate: Eight
    frame: Eight
    alpha: Plane


class Disturbance(NamedTuple):
    """A named change of a sample. `other` is a sample of another scene, of any size."""

    name: str
    make: Callable[[Sample, Sample], Sample]


def disturbances() -> Iterator[Disturbance]:
    """Yield the disturbances of the table, the undisturbed pair first."""
    yield Disturbance("undisturbed", lambda one, other: one)
    yield from _of_the_light()
    yield from _of_the_camera()
    yield Disturbance("plate of another scene", _other_plate)
    yield Disturbance(
        "plate = frame", lambda one, other: Sample(one.frame, one.frame, np.zeros_like(one.alpha))
    )
    for share in (10, 30, 50, 70, 90):
        yield Disturbance(
            f"subject over {share} % of the picture",
            lambda one, other, s=share: enlarged_subject(one, s / 100),
        )


def _of_the_light() -> Iterator[Disturbance]:
    for stops in (-4, -3, -2, -1, -0.4, 0.4, 1, 2, 3, 4):
        yield _on("frame", f"exposure {stops:+g} stops", lambda p, s=stops: exposed(p, 2.0**s))
    for stops in (-4, -3, -2, -1, -0.4, 0.4, 1, 2, 3, 4):
        yield _on("plate", f"exposure {stops:+g} stops", lambda p, s=stops: exposed(p, 2.0**s))
    for share in (5, 20, 60):
        red = 1 + share / 100
        yield _on("frame", f"white balance {share} %", lambda p, r=red: exposed(p, (r, 1, 1 / r)))
    for role in ("plate", "frame"):
        yield _on(role, "channels swapped", lambda p: p[..., ::-1].copy())
    for stops in (-2, -4, -6):
        yield Disturbance(
            f"both: darkness, {stops} stops, noise 3", lambda one, other, s=stops: _dark(one, s)
        )
    for stops in (1, 2, 4):
        yield Disturbance(
            f"both: clipped highlights, {stops:+d} stops",
            lambda one, other, s=stops: _both(one, lambda p: exposed(p, 2.0**s)),
        )


def _of_the_camera() -> Iterator[Disturbance]:
    yield _on("plate", "mirrored", lambda p: p[:, ::-1].copy())
    yield _on("plate", "upside down", lambda p: p[::-1].copy())
    for share in (0.001, 0.0025, 0.005, 0.01, 0.03, 0.1):
        name = f"shifted by {share:.2%} of the width"
        yield _on("plate", name, lambda p, s=share: shifted(p, s * p.shape[1]))
    for degrees in (0.3, 1, 4):
        yield _on("plate", f"turned by {degrees:g} degrees", lambda p, d=degrees: turned(p, d))
    for sigma in (1, 2, 4):
        for role in ("plate", "frame"):
            yield _on(role, f"blurred, sigma {sigma} px", lambda p, s=sigma: blurred(p, s))
    for sigma in (5, 10, 20, 40):
        yield Disturbance(
            f"both: noise, sigma {sigma} levels",
            lambda one, other, s=sigma: Sample(
                noisy(one.plate, s, 1), noisy(one.frame, s, 2), one.alpha
            ),
        )
    yield _on("frame", "noise, sigma 20 levels", lambda p: noisy(p, 20, 2))
    for quality in (50, 25, 10):
        yield _on("frame", f"JPEG, quality {quality}", lambda p, q=quality: compressed(p, q))


def _on(role: str, name: str, change: Callable[[Eight], Eight]) -> Disturbance:
    return Disturbance(
        f"{role}: {name}",
        lambda one, other: one._replace(**{role: change(getattr(one, role))}),
    )


def _both(one: Sample, change: Callable[[Eight], Eight]) -> Sample:
    return Sample(change(one.plate), change(one.frame), one.alpha)


def exposed(picture: Eight, gain: float | tuple[float, float, float]) -> Eight:
    """Multiply linear light, clip and encode in 8 bits, as a camera does."""
    light = srgb_to_linear(to_float(picture)) * np.asarray(gain, np.float32)
    return to_uint8(linear_to_srgb(np.clip(light, 0, 1)))


def shifted(picture: Eight, pixels: float) -> Eight:
    """Move the content right, and down by a third of that; the edge is repeated."""
    matrix = np.eye(3)
    matrix[:2, 2] = pixels, pixels / 3
    return np.asarray(warp(picture, matrix), np.uint8)


def turned(picture: Eight, degrees: float) -> Eight:
    """Rotate about the centre; the edge is repeated."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return np.asarray(warp(picture, np.vstack([matrix, [0, 0, 1]])), np.uint8)


def blurred(picture: Eight, sigma: float) -> Eight:
    """Blur in linear light, for a picture 960 px wide in pixels, in proportion otherwise."""
    light = srgb_to_linear(to_float(picture))
    light = cv2.GaussianBlur(light, (0, 0), sigma * picture.shape[1] / 960)
    return to_uint8(linear_to_srgb(light))


def noisy(picture: Eight, sigma: float, seed: int) -> Eight:
    """Add independent Gaussian noise of `sigma` levels."""
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def compressed(picture: Eight, quality: int) -> Eight:
    """Store as JPEG and read again."""
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def _dark(one: Sample, stops: float) -> Sample:
    plate, frame = (exposed(p, 2.0**stops) for p in (one.plate, one.frame))
    return Sample(noisy(plate, 3, 3), noisy(frame, 3, 4), one.alpha)


def _other_plate(one: Sample, other: Sample) -> Sample:
    return one._replace(plate=resize(other.plate, one.alpha.shape))


def enlarged_subject(one: Sample, share: float) -> Sample:
    """Scale the subject until it covers `share` of the picture, and lay it over the plate."""
    box = cv2.boundingRect((one.alpha > 0.5).astype(np.uint8))
    x, y, wide, high = box
    colour, alpha = one.frame[y : y + high, x : x + wide], one.alpha[y : y + high, x : x + wide]
    # Not by bisection: where a subject has a hole, a larger scale may cover less.
    best, scale = 0.0, 1.0
    for candidate in 0.2 * 1.05 ** np.arange(90):
        covered = float((_placed(alpha, candidate, one.alpha.shape) > 0.5).mean())
        if covered > best:
            best, scale = covered, float(candidate)
        if covered >= share:
            break
    matte = _placed(alpha, scale, one.alpha.shape)
    subject = _placed(colour, scale, one.alpha.shape)
    frame = to_uint8(over(subject, matte, one.plate))
    return Sample(one.plate, noisy(frame, 1, 5), matte)


def _placed(array: npt.NDArray[Any], scale: float, size: tuple[int, ...]) -> Any:
    """Scale about the array's centre, laid on the picture's centre."""
    height, width = array.shape[:2]
    matrix = np.array(
        [
            [scale, 0, size[1] / 2 - scale * width / 2],
            [0, scale, size[0] / 2 - scale * height / 2],
        ]
    )
    return cv2.warpAffine(array, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR)


def composed(plate: Eight, cutout: Eight, matte: Plane, seed: int) -> Sample:
    """Composite a cutout of three quarters of the plate's height, with camera noise."""
    height, width = plate.shape[:2]
    scale = 0.75 * height / cutout.shape[0]
    scale = min(scale, 0.8 * width / cutout.shape[1])
    matrix = np.array(
        [
            [scale, 0, width / 2 - scale * cutout.shape[1] / 2],
            [0, scale, 0.95 * height - scale * cutout.shape[0]],
        ]
    )
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    alpha = np.asarray(cv2.warpAffine(matte, matrix, (width, height), flags=flags), np.float32)
    colour = cv2.warpAffine(cutout, matrix, (width, height), flags=flags,
                            borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    frame = to_uint8(over(np.asarray(colour, np.uint8), alpha, plate))
    return Sample(noisy(plate, 1.5, 2 * seed), noisy(frame, 1.5, 2 * seed + 1), alpha)
