"""Monocular depth estimators: the protocol, and networks in one ONNX file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from cleanplate.arrays import Coded, Plane
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import resize, to_float

Convention = Literal["metric", "disparity", "relative-depth"]
"""What an estimator's numbers mean. `metric`: metres along the optical axis. `disparity`: larger is
nearer, up to scale and shift. `relative-depth`: larger is farther, likewise.
"""

CONVENTIONS: tuple[Convention, ...] = get_args(Convention)

COLOURS: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "bytes": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
}
"""Mean and standard deviation of the input's colours in [0, 1], by name."""

_SIDE = 384
_MULTIPLE = 32
"""Short side, and divisor of both sides, if a graph leaves its size open."""


@runtime_checkable
class DepthEstimator(Protocol):
    """A network that estimates the depth of one picture."""

    @property
    def convention(self) -> Convention:
        """What the numbers of `estimate` mean."""
        ...

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Name of the model and its settings, for the plate's JSON."""
        ...

    def estimate(self, picture: Coded) -> Plane:
        """Estimate depth of (H, W, 3) sRGB, uint8 or uint16: (H, W) float32 in `convention`."""
        ...


@dataclass(frozen=True)
class OnnxInput:
    """Input format of an ONNX graph.

    Args:
        colours: a key of `COLOURS`.
        side: short side in pixels, if the graph leaves its size open.
        multiple: both sides are then multiples of this.

    Raises:
        CleanplateError: if a value is not possible.
    """

    colours: str = "imagenet"
    side: int = _SIDE
    multiple: int = _MULTIPLE

    def __post_init__(self) -> None:
        if self.colours not in COLOURS:
            raise CleanplateError(
                f"there is no colour normalisation {self.colours!r}",
                cure=f"One of: {', '.join(COLOURS)}.",
            )
        if self.side < 1 or self.multiple < 1:
            raise CleanplateError("the side and its multiple are at least 1 pixel")


class OnnxDepthEstimator:
    """A depth network in one ONNX file: one picture in, one map out.

    The input is (1, 3, H, W) or (1, H, W, 3) of floats or bytes; of several outputs the first
    is used, and all its sides but two must be 1. What is not given is read from the file's
    metadata, under the keys `convention`, `colours`, `side` and `multiple`.

    Args:
        path: the .onnx file.
        convention: of its output; None = from the metadata.
        colours: a key of `COLOURS`; None = from the metadata, else "imagenet".
        side: short side in pixels if the graph leaves its size open; None = metadata, else 384.
        multiple: both sides are then multiples of this; None = metadata, else 32.
        threads: CPU threads; None = ONNX Runtime's choice.

    Raises:
        CleanplateError: if the file cannot be loaded, is of another form, or its convention is
            neither given nor in its metadata.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        convention: Convention | None = None,
        colours: str | None = None,
        side: int | None = None,
        multiple: int | None = None,
        threads: int | None = None,
    ):
        self.path = Path(path)
        self._threads = threads
        self._session = _open_session(self.path, threads)
        metadata_map = self._session.get_modelmeta().custom_metadata_map
        self.convention = _checked_convention(
            self.path, convention or metadata_map.get("convention")
        )
        self.input = OnnxInput(
            colours or metadata_map.get("colours", "imagenet"),
            side or _metadata_int(self.path, metadata_map, "side", _SIDE),
            multiple or _metadata_int(self.path, metadata_map, "multiple", _MULTIPLE),
        )
        given = self._session.get_inputs()
        if len(given) != 1 or len(given[0].shape) != 4:
            raise CleanplateError(
                f"takes {len(given)} inputs of the shapes {[list(g.shape) for g in given]}",
                file=path,
                cure="A depth network takes one picture, (1, 3, H, W) or (1, H, W, 3).",
            )
        self._name, shape = given[0].name, list(given[0].shape)
        self._type = _input_type(self.path, given[0].type)
        if shape[1] != 3 and shape[3] != 3:
            raise CleanplateError(f"takes {shape}, which is no colour picture", file=path)
        self._channels_last = shape[1] != 3
        sides = shape[1:3] if self._channels_last else shape[2:4]
        self._size = tuple(s if isinstance(s, int) and s > 0 else None for s in sides)

    def __reduce__(self) -> tuple[Callable[[], OnnxDepthEstimator], tuple[()]]:
        """Another process opens the file again."""
        settings: dict[str, Any] = {"convention": self.convention, "threads": self._threads}
        return partial(type(self), self.path, **settings, **asdict(self.input)), ()

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """Name and SHA-256 of the file, its convention and colour normalisation."""
        return {
            "model": self.path.name,
            "sha256": hashlib.sha256(self.path.read_bytes()).hexdigest(),
            "convention": self.convention,
            "colours": self.input.colours,
        }

    def size_for(self, height: int, width: int) -> tuple[int, int]:
        """Give the (height, width) at which the graph sees a picture of this size.

        A graph of fixed size stretches the picture; an open one keeps its aspect ratio as near as
        the multiple allows.
        """
        scale = self.input.side / min(height, width)
        wanted = (
            max(1, round(side * scale / self.input.multiple)) * self.input.multiple
            for side in (height, width)
        )
        rows, columns = (fixed or free for fixed, free in zip(self._size, wanted, strict=True))
        return rows, columns

    def estimate(self, picture: Coded) -> Plane:
        """Estimate depth of (H, W, 3) sRGB, uint8 or uint16: (H, W) float32 in `convention`.

        Raises:
            CleanplateError: if the graph fails or does not give one map.
        """
        height, width = picture.shape[:2]
        mean, deviation = np.asarray(COLOURS[self.input.colours], np.float32)
        small = to_float(resize(picture, self.size_for(height, width)))
        fed = (small - mean) / deviation
        if not self._channels_last:
            fed = fed.transpose(2, 0, 1)
        if self._type == np.uint8:
            fed = np.rint(fed)
        try:
            out = self._session.run(None, {self._name: np.ascontiguousarray(fed[None], self._type)})
        except Exception as error:  # ONNX Runtime's own errors share no base class
            raise CleanplateError(f"the graph fails: {error}", file=self.path) from error
        return resize(_single_map(self.path, out[0]), (height, width))


def _single_map(path: Path, output: npt.NDArray[Any]) -> Plane:
    sides = [side for side in output.shape if side != 1]
    if len(sides) != 2:
        raise CleanplateError(
            f"its output has the shape {list(output.shape)}, which is not one map",
            file=path,
            cure="The first output must be (1, 1, H, W), (1, H, W), (1, H, W, 1) or (H, W).",
        )
    return np.ascontiguousarray(output.reshape(sides), np.float32)


def _open_session(path: Path, threads: int | None) -> Any:
    if not path.is_file():
        raise CleanplateError("does not exist", file=path, cure="Check the spelling of the path.")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        raise CleanplateError(f"ONNX Runtime cannot load the graph: {error}", file=path) from error


def _checked_convention(path: Path, given: str | None) -> Convention:
    for known in CONVENTIONS:
        if given == known:
            return known
    what = "does not say" if given is None else f"says {given!r} of"
    raise CleanplateError(
        f"{what} what its output means",
        file=path,
        cure="Say it with --convention: metric (metres), disparity (larger is nearer) or "
        "relative-depth (larger is farther).",
    )


def _metadata_int(path: Path, metadata_map: Mapping[str, str], key: str, default: int) -> int:
    try:
        return int(metadata_map.get(key, default))
    except ValueError as error:
        raise CleanplateError(
            f"its metadata says {key} = {metadata_map[key]!r}", file=path
        ) from error


def _input_type(path: Path, name: str) -> type[np.generic]:
    types: dict[str, type[np.generic]] = {
        "tensor(float)": np.float32,
        "tensor(float16)": np.float16,
        "tensor(double)": np.float64,
        "tensor(uint8)": np.uint8,
    }
    if name not in types:
        raise CleanplateError(f"takes {name}, which is no picture", file=path)
    return types[name]
