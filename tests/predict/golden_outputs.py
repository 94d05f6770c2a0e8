"""Stored inputs and outputs of the shipped graphs: `python -m tests.predict.golden_outputs`.

Run it after a model was replaced. The test beside it holds the graphs to what was stored, on other
processors and with other versions of ONNX Runtime.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from cleanplate.formats.pictures import read_image, resize, to_float
from cleanplate.models import available_models, find_model

GOLDEN = Path(__file__).parent / "golden"
PAIR = Path(__file__).resolve().parents[2] / "examples" / "pairs" / "kitchen"
SIZE = (144, 96)


def stored_inputs() -> dict[str, np.ndarray]:
    """Plate and frame of the example, shrunk: (H, W, 3) uint8."""
    return {
        part: np.asarray(resize(read_image(f"{PAIR}_{part}.jpg"), SIZE), np.uint8)
        for part in ("plate", "frame")
    }


def outputs(name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run both graphs of a shipped model: its frame's outputs, each (H, W) float32."""
    model = find_model(name)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    plate, frame = (
        np.ascontiguousarray(to_float(inputs[part]).transpose(2, 0, 1)[None])
        for part in ("plate", "frame")
    )
    known = np.zeros((1, 1, *SIZE), np.float32)
    values = {"plate": plate, "frame": frame, "plate_disparity": known, "plate_valid": known}
    for graph in (model.plate_graph, model.frame_graph):
        session = onnxruntime.InferenceSession(
            str(graph), options, providers=["CPUExecutionProvider"]
        )
        feed = {one.name: values[one.name] for one in session.get_inputs()}
        names = [one.name for one in session.get_outputs()]
        made = dict(zip(names, session.run(None, feed), strict=True))
        values |= made
    return {key: value[0, 0] for key, value in made.items()}


def main() -> None:
    """Store them again."""
    GOLDEN.mkdir(exist_ok=True)
    inputs = stored_inputs()
    for name in available_models():
        found = {key: value.astype(np.float16) for key, value in outputs(name, inputs).items()}
        np.savez_compressed(GOLDEN / f"{name}.npz", **inputs, **found)


if __name__ == "__main__":
    main()
