"""What a frame loop did, for the report of the command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cleanplate.video.subject_tracking import SubjectTracker

MOST_LISTED = 1000
"""So many cuts and movements are listed by their frames; more are only counted."""


@dataclass
class LoopReport:
    """What happened in a clip.

    frames: that were worked on.
    without_plate: frames that do not show the plate's scene (after a cut, or before the subject
        left the lens): their alpha is 0.
    examined: frames at which the plate was examined in full.
    seconds: by stage, over all frames.
    wall: seconds from the first frame to the last.
    warnings: sentences of the plate's health, each once, with the frame that brought it.
    working_sizes: frame -> the working size (long side in pixels) from there on.
    subjects: that were followed, with their distances over time; none unless depth is needed.
    """

    frames: int = 0
    without_plate: list[int] = field(default_factory=list)
    examined: list[int] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    wall: float = 0.0
    warnings: dict[str, int] = field(default_factory=dict)
    working_sizes: dict[int, int] = field(default_factory=dict)
    subjects: SubjectTracker = field(default_factory=SubjectTracker)

    @property
    def rate(self) -> float:
        """Frames per second."""
        return self.frames / self.wall if self.wall else 0.0

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add a frame's seconds by stage."""
        for name, taken in seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + taken

    def as_json(self) -> dict[str, Any]:
        """Plain numbers and words."""
        return {
            "frames": self.frames,
            "frames_per_second": round(self.rate, 2),
            "without_plate": self.without_plate[:MOST_LISTED],
            "without_plate_count": len(self.without_plate),
            "examined": self.examined[:MOST_LISTED],
            "seconds": {name: round(taken, 3) for name, taken in self.seconds.items()},
            "warnings": [
                {"first_frame": first, "what": what} for what, first in self.warnings.items()
            ],
            "working_sizes": [
                {"first_frame": first, "long_side": size}
                for first, size in list(self.working_sizes.items())[:MOST_LISTED]
            ],
            "subjects": self.subjects.as_json(),
        }
