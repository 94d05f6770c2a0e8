"""An ONNX graph in ONNX Runtime, opened for any size, or again for each size that comes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from cleanplate.errors import CleanplateError
from cleanplate.predict.size import Size

Tensors = Mapping[str, np.ndarray[Any, Any]]

KEPT_SIZES = 2
"""Sizes for which a graph stays open: each holds its weights and buffers."""


class Graph:
    """A graph that is loaded. Threads may share it.

    inputs, outputs: their names, in order.
    providers: execution providers in use.

    Args:
        path: of the file.
        threads: CPU threads.
        providers: execution providers in order of preference.

    Raises:
        CleanplateError: ONNX Runtime cannot load it.
    """

    def __init__(self, path: Path, threads: int, providers: Sequence[str]):
        self.path = path
        self._threads, self._chosen = threads, list(providers)
        self._session = self._open({})
        self.inputs = [value.name for value in self._session.get_inputs()]
        self.outputs = [value.name for value in self._session.get_outputs()]
        self.providers: list[str] = self._session.get_providers()

    def run(self, outputs: Sequence[str] | None, feed: Tensors) -> list[np.ndarray[Any, Any]]:
        """Compute outputs, by name; None = all."""
        return list(self._session.run(outputs, feed))

    def require(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Raise if it lacks one of these names.

        Raises:
            CleanplateError: naming what it lacks.
        """
        for there, wanted in ((self.inputs, inputs), (self.outputs, outputs)):
            missing = [name for name in wanted if name not in there]
            if missing:
                raise CleanplateError(
                    f"not a Cleanplate graph: it lacks {', '.join(missing)}",
                    file=self.path,
                    cure="`cleanplate export` writes such graphs",
                )

    def _open(self, sizes: Mapping[str, int]) -> Any:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Waiting threads sleep: as quick on an idle machine, half the processor time, and much
        # quicker where other work runs beside.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        for name, size in sizes.items():
            options.add_free_dimension_override_by_name(name, size)
        try:
            return ort.InferenceSession(str(self.path), options, providers=self._chosen)
        except Exception as error:  # ONNX Runtime's own errors share no base class
            raise CleanplateError(
                f"ONNX Runtime cannot load the graph: {error}",
                file=self.path,
                cure="export it again",
            ) from error


class SizedGraph(Graph):
    """A graph that is opened again for each size of its inputs, when that comes first.

    With sizes known, ONNX Runtime computes shapes once and keeps tensors in its blocked layout
    through resizing. Opening takes about .1 s, so it pays for many frames. Results differ
    from those of `Graph` by rounding (1e-6).
    """

    def __init__(self, path: Path, threads: int, providers: Sequence[str]):
        super().__init__(path, threads, providers)
        self._free = {value.name: value.shape for value in self._session.get_inputs()}
        del self._session  # it told names and dimensions; its weights would be held for nothing
        self._kept: OrderedDict[Size, Any] = OrderedDict()
        self._lock = threading.Lock()

    def run(self, outputs: Sequence[str] | None, feed: Tensors) -> list[np.ndarray[Any, Any]]:
        """Compute outputs, by name; None = all. The size is that of the first input."""
        return list(self._of_size(feed).run(outputs, feed))

    def _of_size(self, feed: Tensors) -> Any:
        height, width = feed[self.inputs[0]].shape[2:]
        with self._lock:
            session = self._kept.get((height, width))
            if session is None:
                session = self._kept[height, width] = self._open(self._sizes(feed))
                while len(self._kept) > KEPT_SIZES:
                    self._kept.popitem(last=False)
            self._kept.move_to_end((height, width))
        return session

    def _sizes(self, feed: Tensors) -> dict[str, int]:
        """Give the size of each dimension that has a name instead of one."""
        return {
            dimension: size
            for name, shape in self._free.items()
            for dimension, size in zip(shape, feed[name].shape, strict=True)
            if isinstance(dimension, str)
        }
