"""The ONNX graphs of a model, run by ONNX Runtime.

A model gives alpha and shadow; whether it gives the disparity of plate and subject too, its graphs'
outputs tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import onnxruntime as ort

from cleanplate.arrays import Mask, Picture, Plane
from cleanplate.engines.cores import available_cores
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import resize
from cleanplate.models import Model, find_model
from cleanplate.predict.geometry.subject_depth import SubjectDepth
from cleanplate.predict.graph import Graph, SizedGraph
from cleanplate.predict.size import SMALLEST_SIDE, Size

CPU = "CPUExecutionProvider"
PLATE_INPUTS = ("plate", "plate_disparity", "plate_valid")
FRAME_INPUTS = ("frame", "plate")
FRAME_OUTPUTS = ("alpha", "shadow")
DISPARITY = "disparity"
SUBJECT_DISPARITY = "subject_disparity"
SMALLEST_SHADOW = 1e-3


class PlateFeatures(NamedTuple):
    """Outputs of the plate's graph for one plate."""

    plate: np.ndarray[Any, Any]  # (1, 3, h, w) float32, padded
    tensors: dict[str, np.ndarray[Any, Any]]
    disparity: Plane | None  # (h, w) relative disparity of the plate, not padded
    size: Size  # (height, width) at which the network takes plate and frame


class Compared(NamedTuple):
    """Outputs of the frame's graph, at working size."""

    alpha: Plane  # (h, w) in [0, 1]
    subject_disparity: Plane | None  # (h, w) relative, in the plate's normalisation
    shadow: Plane  # (h, w) in (0, 1]


class PairSession:
    """A model whose graphs are loaded.

    It can be pickled: another process opens the model's folder again, once per process. Threads
    may share it.

    Args:
        model: of `cleanplate.models.find_model`.
        threads: CPU threads; None = as many as the process may use, at most four.
        providers: execution providers in order of preference; None = the CPU.
        fixed_size: open the frame's graph again for each size, see `SizedGraph`.

    Raises:
        CleanplateError: a provider is not there, or the graphs are not of this kind.
    """

    def __init__(
        self,
        model: Model,
        threads: int | None = None,
        providers: Sequence[str] | None = None,
        *,
        fixed_size: bool = False,
    ):
        chosen = list(providers or [CPU])
        missing = [name for name in chosen if name not in ort.get_available_providers()]
        if missing:
            raise CleanplateError(
                f"ONNX Runtime here has no {', '.join(missing)}",
                cure=f"it has: {', '.join(ort.get_available_providers())}",
            )
        if threads is not None and threads < 1:
            raise CleanplateError(f"{threads} threads are not possible", cure="give 1 or more")
        self.model = model
        self.threads = threads or min(4, available_cores())
        self._plate = Graph(model.plate_graph, self.threads, chosen)
        kind = SizedGraph if fixed_size else Graph
        self._frame = kind(model.frame_graph, self.threads, chosen)
        self.providers = self._frame.providers
        # ONNX Runtime falls back to the CPU with no more than a log line.
        if chosen[0] not in self.providers:
            raise CleanplateError(
                f"{chosen[0]} is part of ONNX Runtime here but could not be started",
                cure="check its libraries and the device; the CPU works without either",
            )
        self._plate.require(PLATE_INPUTS, ())
        self._frame.require(FRAME_INPUTS[:1], FRAME_OUTPUTS)
        unknown = set(self._frame.inputs) - {*FRAME_INPUTS, *self._plate.outputs}
        if unknown:
            raise CleanplateError(
                f"the graph wants {', '.join(sorted(unknown))}, which no plate output gives",
                file=model.frame_graph,
                cure="export both graphs together",
            )
        made = (*FRAME_OUTPUTS, SUBJECT_DISPARITY)
        self._made = [name for name in made if name in self._frame.outputs]
        self._plate_depth = _open_plate_depth(model, self.threads, chosen)
        self._chosen, self._fixed_size = tuple(chosen), fixed_size
        file = model.subject_depth
        self.subject_depth = None if file is None else SubjectDepth.read(file)

    @property
    def estimates_plate(self) -> bool:
        """Whether the model estimates a plate's disparity from its picture."""
        return self._plate_depth is not None or DISPARITY in self._plate.outputs

    @property
    def places_subjects(self) -> bool:
        """Whether the model estimates the subjects' disparity, given the plate's."""
        return self.subject_depth is not None or SUBJECT_DISPARITY in self._made

    def __reduce__(self) -> tuple[Callable[..., PairSession], tuple[Any, ...]]:
        return _reopened, (
            self.model.folder.resolve(),
            self.threads,
            self._chosen,
            self._fixed_size,
        )

    def encode_plate(
        self,
        plate: Picture,
        disparity: Plane | None = None,
        valid: Mask | None = None,
        size: Size | None = None,
    ) -> PlateFeatures:
        """Run the plate's graph: everything that depends on the plate alone.

        Args:
            plate: (h, w, 3) sRGB in [0, 1] at working size.
            disparity: (h, w) relative disparity; None = unknown everywhere.
            valid: (h, w), True where `disparity` is known; None = where it is finite.
            size: (height, width) to which the network's inputs are enlarged, and from which its
                outputs are reduced again; None = the plate's own.
        """
        height, width = plate.shape[:2]
        size = size or (height, width)
        if disparity is None:
            disparity = np.zeros((height, width), np.float32)
            valid = np.zeros((height, width), bool)
        elif valid is None:
            valid = np.isfinite(disparity)
        known = np.where(valid, disparity, np.float32(0)).astype(np.float32)
        padded = _to_network(_enlarged(plate, size))
        feed = {
            "plate": padded,
            "plate_disparity": _to_network(_repeated(known, size)),
            "plate_valid": _to_network(_repeated(valid.astype(np.float32), size)),
        }
        outputs = dict(zip(self._plate.outputs, self._plate.run(None, feed), strict=True))
        tensors = {name: outputs[name] for name in self._frame.inputs if name in outputs}
        own = outputs.get(DISPARITY)
        relative = None if own is None else _reduced(own, size, (height, width))
        return PlateFeatures(padded, tensors, relative, size)

    def plate_disparity(self, plate: Picture) -> Plane:
        """Estimate a plate's relative disparity, (h, w), larger = nearer, of arbitrary scale.

        By the graph for it, else by the plate's graph.

        Args:
            plate: (h, w, 3) sRGB in [0, 1].
        """
        if self._plate_depth is None:
            disparity = self.encode_plate(plate, None, None).disparity
            assert disparity is not None, "see `estimates_plate`"
            return disparity
        height, width = plate.shape[:2]
        (estimate,) = self._plate_depth.run([DISPARITY], {"plate": _to_network(plate)})
        return np.asarray(estimate[0, 0, :height, :width], np.float32).copy()

    def compare(self, frame: Picture, features: PlateFeatures) -> Compared:
        """Run the frame's graph.

        Args:
            frame: (h, w, 3) sRGB in [0, 1] at the plate's working size.
            features: of `encode_plate`.
        """
        height, width = frame.shape[:2]
        feed = {"frame": _to_network(_enlarged(frame, features.size)), **features.tensors}
        if "plate" in self._frame.inputs:
            feed["plate"] = features.plate
        tensors = dict(zip(self._made, self._frame.run(self._made, feed), strict=True))
        own = features.size
        planes = {name: _reduced(one, own, (height, width)) for name, one in tensors.items()}
        return Compared(
            np.clip(planes["alpha"], 0, 1),
            planes.get(SUBJECT_DISPARITY),
            np.clip(planes["shadow"], SMALLEST_SHADOW, 1),
        )


def providers_for(name: str) -> list[str]:
    """Give the execution providers for a name, with the CPU as the fallback.

    Args:
        name: in full or without "ExecutionProvider", in any case: "cuda", "CoreML", "cpu".

    Raises:
        CleanplateError: ONNX Runtime here has no such provider.
    """
    there = ort.get_available_providers()
    wanted = name.casefold().removesuffix("executionprovider")
    for provider in there:
        if provider.removesuffix("ExecutionProvider").casefold() == wanted:
            return [provider] if provider == CPU else [provider, CPU]
    raise CleanplateError(
        f"ONNX Runtime here has no execution provider {name!r}", cure=f"it has: {', '.join(there)}"
    )


@lru_cache(maxsize=4)
def _reopened(
    folder: Path, threads: int, providers: tuple[str, ...], fixed_size: bool
) -> PairSession:
    """Open a pickled session's model again; what comes with many tasks is opened once."""
    return PairSession(find_model(folder), threads, providers, fixed_size=fixed_size)


def _open_plate_depth(model: Model, threads: int, providers: list[str]) -> Graph | None:
    if model.plate_depth_graph is None:
        return None
    graph = Graph(model.plate_depth_graph, threads, providers)
    graph.require(("plate",), (DISPARITY,))
    return graph


def _enlarged(picture: Picture, size: Size) -> Picture:
    """Enlarge (h, w, 3) in [0, 1] to `size`, smoothly."""
    if picture.shape[:2] == size:
        return picture
    large = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(large, 0, 1), np.float32)


def _repeated(plane: Plane, size: Size) -> Plane:
    """Enlarge (h, w) to `size` without values in between."""
    if plane.shape == size:
        return plane
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_NEAREST), np.float32)


def _reduced(tensor: np.ndarray[Any, Any], own: Size, size: Size) -> Plane:
    """Take (h, w) of a padded (1, 1, H, W) tensor of a network that works at size `own`."""
    plane = tensor[0, 0, : own[0], : own[1]]
    return plane.copy() if own == size else np.asarray(resize(plane, size), np.float32)


def _to_network(array: Picture | Plane) -> np.ndarray[Any, Any]:
    """(h, w[, 3]) to (1, C, H, W) float32, padded at the far edges by repeating them."""
    short = [max(0, SMALLEST_SIDE - side) for side in array.shape[:2]]
    if any(short):
        array = np.pad(
            array, ((0, short[0]), (0, short[1]), *[(0, 0)] * (array.ndim - 2)), mode="edge"
        )
    planes = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    return np.ascontiguousarray(planes[None], dtype=np.float32)
