"""The JSON beside an output: what it holds, how to mix it, and which files are our own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cleanplate.depth.depth_codec import EXCHANGE, RECORD
from cleanplate.video.clip import ClipFacts
from cleanplate.video.output_presets import Output


def record_path(output: Output) -> Path:
    """Give the JSON's path: that of a movie with ".json" added, of a sequence that of its stem."""
    if output.preset.kind == "sequence":
        names = output.names
        stem = names.before.rstrip("._- ") or "sequence"
        return names.folder / f"{stem}{names.suffix}.json"
    return output.path.with_name(output.path.name + ".json")


def sentence(output: Output) -> str:
    """Say in one line what an output holds; it stands in the file itself."""
    name = output.preset.name
    if name == "h264":
        return "composite; sRGB values, tagged BT.709"
    if name == "matte":
        return "matte: alpha as grey, linear coverage, no curve"
    if name == "depth":
        return "depth in millimetres; 0 = unknown, nothing hit or beyond 65.534 m"
    alpha = "premultiplied" if output.premultiplied else "straight"
    if name == "exr":
        return f"{alpha} alpha; linear light, BT.709 primaries"
    values = "linear light" if output.space == "linear" else "display (sRGB) values"
    return f"{alpha} alpha; colour solved for mixing in {values}"


def tags(output: Output) -> dict[str, Any]:
    """Give an output's tags for its JSON."""
    preset = output.preset
    found: dict[str, Any] = {"preset": preset.name, "holds": sentence(output), "bits": output.bits}
    if preset.transparent:
        found["alpha"] = "premultiplied" if output.premultiplied else "straight"
        found["mixed_in"] = output.space
        found["values"] = "linear light" if preset.name == "exr" else "sRGB-coded"
    if preset.name == "exr":
        found["compression"] = output.compression
    if preset.name == "depth":
        found |= {"unit": "m", "scale": 0.001, RECORD: EXCHANGE.name}
    elif output.with_depth:
        found["depth"] = {"channel": "Z", "unit": "m", "scale": 1, "nothing_hit": "inf"}
    if preset.name not in ("matte", "depth"):
        found["primaries"] = "bt709"
    return found


def document(
    output: Output,
    facts: ClipFacts,
    *,
    complete: bool,
    frames: int,
    first_index: int,
    timecode: str | None,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """Make the JSON's content.

    Args:
        output: what is written.
        facts: of the clip.
        complete: whether it was written to the end.
        frames: how many frames are in it.
        first_index: the first one's index in the clip.
        timecode: of the first one.
        more: further keys.
    """
    return {
        "output": tags(output),
        "clip": {
            "name": Path(facts.name).name,
            "size": [facts.width, facts.height],
            "frame_rate": str(facts.frame_rate),
            "variable": facts.variable,
            "tone_map": facts.tone_map,
            "notes": list(facts.notes),
        },
        "frames": frames,
        "first_index": first_index,
        "timecode": timecode,
        "complete": complete,
        **more,
    }
