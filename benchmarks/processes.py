"""Whole processes: import, help, first prediction, and `predict` at 1080p and 4K."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from benchmarks.timing import Row, rows, side_by_side
from cleanplate.depth import read_depth, write_depth
from cleanplate.formats.pictures import read_image, resize, write_image
from cleanplate.models import Model
from cleanplate.predict.size import default_long_side, network_size

MEGABYTE = 2**20

BARE = """
import cv2, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = {threads}
plate, frame = (
    cv2.resize(cv2.imread(path), {size}).astype("float32")[..., ::-1].transpose(2, 0, 1)[None] / 255
    for path in ({plate!r}, {frame!r})
)
nothing = numpy.zeros((1, 1, *plate.shape[2:]), "float32")
encoder, comparer = (
    onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    for path in ({plate_graph!r}, {frame_graph!r})
)
given = {{"plate": plate, "plate_disparity": nothing, "plate_valid": nothing}}
names = [output.name for output in encoder.get_outputs()]
known = dict(zip(names, encoder.run(names, given))) | {{"plate": plate, "frame": frame}}
alpha = comparer.run(["alpha"], {{i.name: known[i.name] for i in comparer.get_inputs()}})[0]
assert alpha.shape[2:] == plate.shape[2:]
"""

OURS = """
from cleanplate import Predictor
predictor = Predictor({model!r}, threads={threads})
result = predictor.scene({plate!r}).predict({frame!r}, "alpha")
assert result.alpha.ndim == 2
"""


LAUNCHER = """
import json, os, subprocess, sys
for line in sys.stdin:
    child = subprocess.Popen(json.loads(line), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = child.stderr.read().decode()
    status, usage = os.wait4(child.pid, 0)[1:]
    print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss, errors]), flush=True)
"""


class Launcher:
    """A small process that starts the measured ones.

    The system counts the peak memory of a process from that of its parent on; this parent's is
    small.
    """

    def __enter__(self) -> Launcher:
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, arguments: list[str]) -> float:
        """Run Python with these arguments to its end; its peak memory in MB of 2^20 bytes."""
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None
        assert pipe_out is not None
        pipe_in.write(json.dumps([sys.executable, *arguments]).encode() + b"\n")
        pipe_in.flush()
        code, peak, errors = json.loads(pipe_out.readline())
        if code:
            raise RuntimeError(f"{arguments} ended with {code}:\n{errors}")
        return float(peak) * (1 if sys.platform == "darwin" else 1024) / MEGABYTE


@dataclass
class Child:
    """A command that is started in a new process each time; keeps the peak memory of each run."""

    launcher: Launcher
    arguments: list[str]
    peaks: list[float] = field(default_factory=list)

    def __call__(self) -> None:
        self.peaks.append(self.launcher.run(self.arguments))


class Codecs:
    """Lower bound: OpenCV reads the same inputs and writes the same pictures."""

    def __init__(self, inputs: list[Path], folder: Path, scratch: Path):
        self.inputs = inputs
        files = [path for path in sorted(folder.iterdir()) if path.suffix != ".json"]
        self.arrays = [
            (scratch / path.name, np.load(path) if path.suffix == ".npy" else _raw(path))
            for path in files
        ]

    def __call__(self) -> None:
        for path in self.inputs:
            _raw(path)
        for path, array in self.arrays:
            if path.suffix == ".npy":
                np.save(path, array)
            elif not cv2.imwrite(str(path), array):
                raise RuntimeError(f"OpenCV cannot write {path}")


def _raw(path: Path) -> np.ndarray:  # type: ignore[type-arg]
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise RuntimeError(f"OpenCV cannot read {path}")
    return picture


def starting(pair: tuple[Path, Path], model: Model, threads: int, rounds: int) -> list[Row]:
    """Measure import, help and the first prediction, against Python and ONNX Runtime alone."""
    python = "Python that does nothing"
    first = {
        python: ["-c", "pass"],
        "import cleanplate": ["-c", "import cleanplate"],
        "cleanplate --help": ["-m", "cleanplate", "--help"],
        "import onnxruntime, numpy, cv2": ["-c", "import onnxruntime, numpy, cv2"],
    }
    plate, frame = (str(path) for path in pair)
    size = read_image(plate).shape[:2]
    height, width = network_size(size, default_long_side(size, model.working_size))
    words = {
        "plate": plate,
        "frame": frame,
        "threads": threads,
        "plate_graph": str(model.plate_graph),
        "frame_graph": str(model.frame_graph),
        "model": str(model.folder),
        "size": (width, height),
    }
    bare = "bare onnxruntime, the same two graphs"
    second = {
        bare: ["-c", BARE.format(**words)],
        "Predictor, first result": ["-c", OURS.format(**words)],
    }
    return [
        *_timed("Starting a process", first, python, rounds),
        *_timed(f"Cold first prediction at {width} x {height}", second, bare, rounds),
    ]


def _timed(group: str, work: dict[str, list[str]], reference: str, rounds: int) -> list[Row]:
    with Launcher() as launcher:
        children = {name: Child(launcher, arguments) for name, arguments in work.items()}
        taken = side_by_side(children, rounds=rounds)
    peaks = {name: {"peak MB": max(child.peaks)} for name, child in children.items()}
    return rows(group, taken, reference, extra=peaks)


def predicting(
    examples: Path, model: Model, threads: int, rounds: int, scratch: Path
) -> tuple[list[Row], dict[str, dict[str, float]]]:
    """Measure `cleanplate predict` at 1080p and 4K: rows, and seconds by stage."""
    ours = "cleanplate predict, every file"
    made: list[Row] = []
    stages: dict[str, dict[str, float]] = {}
    for title, (width, height) in {"1080p": (1920, 1080), "4K": (3840, 2160)}.items():
        folder = scratch / title
        enlarged(examples, folder, (height, width))
        plate, frame, out = folder / "plate.jpg", folder / "frame.jpg", folder / "out"
        arguments = [
            *("-m", "cleanplate", "predict", "--plate", str(plate), str(frame), "-o", str(out)),
            *("--plate-depth", str(folder / "plate_depth.png"), "--background", "white"),
            *("--model", str(model.folder), "--threads", str(threads), "--quiet"),
        ]
        with Launcher() as launcher:
            child = Child(launcher, arguments)
            child()
            codecs = Codecs([plate, frame, folder / "plate_depth.png"], out, folder)
            alone = f"OpenCV alone: reads 3 pictures, writes the same {len(codecs.arrays)}"
            taken = side_by_side({alone: codecs, ours: child}, rounds=rounds)
        stages[title] = json.loads((out / "frame.json").read_text(encoding="utf-8"))["seconds"]
        made += rows(
            f"Predict at {width} x {height}, {threads} threads",
            taken,
            alone,
            extra={ours: {"peak MB": max(child.peaks)}},
        )
    return made, stages


def enlarged(examples: Path, folder: Path, size: tuple[int, int]) -> None:
    """Crop and enlarge the example pair to (H, W), with added noise as in a real picture."""
    folder.mkdir()
    height, width = size
    for number, name in enumerate(("plate.jpg", "frame.jpg")):
        picture = resize(_cut(read_image(examples / name), size), size)
        grain = np.random.default_rng(number).normal(0, 2, (height, width, 1))
        noisy = np.clip(np.rint(picture + grain), 0, 255).astype(np.uint8)
        write_image(folder / name, noisy, quality=92)
    depth = _cut(read_depth(examples / "plate_depth.png"), size)
    write_depth(folder / "plate_depth.png", resize(depth, size))


def _cut(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:  # type: ignore[type-arg]
    """The lowest rows, so many that the shape is that of `size`."""
    return array[-round(array.shape[1] * size[0] / size[1]) :]
