"""Metrics of a matte against a mask of labels, in which shadows and doubtful pixels are marked.

Labels are those of CDnet (Goyette et al. 2012, "Changedetection.net: a new change detection
benchmark dataset"; Wang et al. 2014, "CDnet 2014"): 0 static, 50 hard shadow, 85 outside the region
of interest, 170 unknown motion (also the mixed pixels along an outline), 255 moving.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from cleanplate.arrays import Bytes, Plane

STATIC, SHADOW, OUTSIDE, UNKNOWN, SUBJECT = 0, 50, 85, 170, 255
LABELS = (STATIC, SHADOW, OUTSIDE, UNKNOWN, SUBJECT)


@dataclass(frozen=True)
class LabelCounts:
    """Pixels by label and by what the matte says; sums of several frames are those of all.

    Pixels that are labelled outside or unknown are counted nowhere; shadow is no subject.

    found, missed: subject pixels that the matte has, and has not.
    wrong: pixels of no subject, shadow included, that the matte has.
    right: those that it has not.
    shadow, shadow_taken: shadow pixels, and those of them that the matte has.
    """

    found: int = 0
    missed: int = 0
    wrong: int = 0
    right: int = 0
    shadow: int = 0
    shadow_taken: int = 0

    def __add__(self, other: LabelCounts) -> LabelCounts:
        return LabelCounts(
            **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        )

    @property
    def counted(self) -> int:
        """Pixels that count."""
        return self.found + self.missed + self.wrong + self.right

    @property
    def precision(self) -> float:
        """Share of the matte's pixels that are the subject's; nan if it has none."""
        return _share(self.found, self.found + self.wrong)

    @property
    def recall(self) -> float:
        """Share of the subject's pixels that the matte has; nan if there are none."""
        return _share(self.found, self.found + self.missed)

    @property
    def f_measure(self) -> float:
        """Harmonic mean of precision and recall; nan if there is neither subject nor matte."""
        return _share(2 * self.found, 2 * self.found + self.missed + self.wrong)

    @property
    def iou(self) -> float:
        """Intersection over union of subject and matte; nan if both are empty."""
        return _share(self.found, self.found + self.missed + self.wrong)

    @property
    def shadow_share(self) -> float:
        """Share of shadow pixels that the matte takes for the subject; nan if there are none."""
        return _share(self.shadow_taken, self.shadow)


def label_counts(alpha: Plane, labels: Bytes, *, threshold: float = 0.5) -> LabelCounts:
    """Count pixels by label and by {alpha >= threshold}.

    Args:
        alpha: (H, W) predicted, float in [0, 1].
        labels: (H, W) uint8, of `LABELS`.
        threshold: alpha from which a pixel belongs to the matte.

    Raises:
        ValueError: the shapes differ, or there is another label.

    Examples:
        >>> alpha = np.array([[1.0, 1.0, 1.0, 0.0, 1.0]])
        >>> labels = np.array([[255, 50, 0, 255, 170]], np.uint8)
        >>> counts = label_counts(alpha, labels)
        >>> counts.found, counts.missed, counts.wrong  # 1st; 4th; 2nd and 3rd; the last is unknown
        (1, 1, 2)
        >>> counts.shadow_share  # one shadow pixel of one
        1.0
        >>> round(counts.f_measure, 3)  # 2 * 1 / (2 * 1 + 1 + 2)
        0.4
    """
    if alpha.shape != labels.shape:
        raise ValueError(f"alpha is {alpha.shape}, labels are {labels.shape}")
    numbers = np.bincount(labels.ravel(), minlength=256)
    other = [label for label in np.flatnonzero(numbers).tolist() if label not in LABELS]
    if other:
        raise ValueError(f"labels are {', '.join(map(str, LABELS))}, not {other[0]}")
    taken = np.bincount(labels[alpha >= threshold].ravel(), minlength=256)
    left = numbers - taken
    return LabelCounts(
        found=int(taken[SUBJECT]),
        missed=int(left[SUBJECT]),
        wrong=int(taken[STATIC] + taken[SHADOW]),
        right=int(left[STATIC] + left[SHADOW]),
        shadow=int(numbers[SHADOW]),
        shadow_taken=int(taken[SHADOW]),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
