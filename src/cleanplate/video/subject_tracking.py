"""Subjects followed from frame to frame, each with a filtered distance.

A subject of this frame is the last frame's if their regions overlap and no other subject lays claim
to either: where two walk into each other and become one region, that region begins anew, and where
they part again both do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cleanplate.video.distance_filter import DistanceFilter

OVERLAP = 0.3
"""Share of the smaller one of two regions that overlaps when they can be the same subject."""

FRAGMENT = 0.2
"""A region smaller than this share of another one lays no claim: it is a part that came off."""

PATIENCE = 3
"""Frames for which a subject that is not seen is kept where it was."""

MOST_SAMPLES = 64
"""Distances that are kept of one subject for the report; more are thinned out evenly."""

MOST_SUBJECTS = 200
"""Subjects that are listed; more are only counted."""

Labels = npt.NDArray[np.int32]


class Measurement(NamedTuple):
    """Of one subject in one frame: its distance, and half of the 68 % interval of the logarithm."""

    distance: float
    uncertainty: float


@dataclass
class TrackedSubject:
    """What is listed of one subject.

    number: of the subject, from 0 in the order of appearance.
    first, last: frames in which it was seen.
    samples: (frame, metres) at every `step`-th frame of it, `MOST_SAMPLES` at most.
    """

    number: int
    first: int
    last: int
    samples: list[tuple[int, float]] = field(default_factory=list)
    step: int = 1
    seen: int = 0

    def add(self, frame: int, distance: float) -> None:
        """Take the distance in a frame."""
        self.last = frame
        if self.seen % self.step == 0:
            self.samples.append((frame, distance))
            if len(self.samples) > MOST_SAMPLES:
                self.samples = self.samples[::2]
                self.step *= 2
        self.seen += 1

    def as_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "subject": self.number,
            "first_frame": self.first,
            "last_frame": self.last,
            "distance_m": [[frame, float(f"{metres:.4g}")] for frame, metres in self.samples],
        }


@dataclass
class _Track:
    listed: TrackedSubject
    filter: DistanceFilter
    region: npt.NDArray[np.bool_]
    area: int
    frame: int
    seconds: float


class SubjectTracker:
    """Follows the subjects of a clip; memory does not grow with it.

    count: subjects so far.
    listed: the first `MOST_SUBJECTS` of them.
    """

    def __init__(self) -> None:
        self.count = 0
        self.listed: list[TrackedSubject] = []
        self._tracks: list[_Track] = []

    def update(
        self, regions: Labels, found: Sequence[Measurement], frame: int, seconds: float
    ) -> list[float]:
        """Take the subjects of the next frame; give the filtered distance of each.

        Args:
            regions: (h, w) number of the subject at each of its pixels, -1 where there is none.
            found: their measurements, by number.
            frame: its number in the clip.
            seconds: its time, later than the last one's.
        """
        self._tracks = [one for one in self._tracks if frame - one.frame <= PATIENCE]
        areas = np.bincount(regions[regions >= 0], minlength=len(found))
        partners = self._partners(regions, areas)
        tracks, distances = [], []
        for number, measured in enumerate(found):
            partner = partners.get(number)
            region = regions == number
            if partner is None:
                track = self._begin(measured, region, frame, seconds)
            else:
                track = self._tracks[partner]
                track.filter.update(*measured, seconds - track.seconds)
                track.region, track.area = region, int(areas[number])
                track.frame, track.seconds = frame, seconds
            track.listed.add(frame, track.filter.distance)
            tracks.append(track)
            distances.append(track.filter.distance)
        taken = set(partners.values())
        covered = regions >= 0
        tracks += [  # not seen: kept, unless something else is there now
            one
            for place, one in enumerate(self._tracks)
            if place not in taken and (one.region & covered).sum() < OVERLAP * one.area
        ]
        self._tracks = tracks
        return distances

    def reset(self) -> None:
        """Forget where subjects are, as after a cut."""
        self._tracks = []

    def as_json(self) -> dict[str, Any]:
        """Give the number of subjects, and the distances over time of the first ones."""
        return {"count": self.count, "listed": [one.as_json() for one in self.listed]}

    def _partners(self, regions: Labels, areas: npt.NDArray[np.intp]) -> dict[int, int]:
        """Match new regions with tracks: number -> place in `_tracks`, where nobody else claims."""
        claims: list[tuple[int, int]] = []
        for place, track in enumerate(self._tracks):
            inside = regions[track.region]
            shared = np.bincount(inside[inside >= 0], minlength=len(areas))
            claims += [
                (int(number), place)
                for number in np.flatnonzero(shared)
                if shared[number] >= OVERLAP * min(areas[number], track.area)
            ]
        sizes_old = [track.area for track in self._tracks]
        free: dict[int, int] = {}
        for number, place in claims:
            rivals_old = [sizes_old[p] for n, p in claims if n == number and p != place]
            rivals_new = [areas[n] for n, p in claims if p == place and n != number]
            smaller = max([0, *rivals_old]) < FRAGMENT * sizes_old[place]
            if smaller and max([0, *rivals_new]) < FRAGMENT * areas[number]:
                free[int(number)] = place
        return free

    def _begin(
        self, measured: Measurement, region: npt.NDArray[np.bool_], frame: int, seconds: float
    ) -> _Track:
        listed = TrackedSubject(self.count, frame, frame)
        if self.count < MOST_SUBJECTS:
            self.listed.append(listed)
        self.count += 1
        area = int(np.count_nonzero(region))
        return _Track(listed, DistanceFilter(*measured), region, area, frame, seconds)
