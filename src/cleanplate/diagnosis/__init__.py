"""Find out why a network's maps are blank, constant or no better than a mean map.

Built for depth and mattes, usable for any network that gives one map a picture. `Diagnosis` takes
predictions, targets and inputs batch by batch, as NumPy arrays or torch tensors; its report names
what is wrong and what to do:

    >>> import numpy as np
    >>> from cleanplate.diagnosis import diagnose
    >>> targets = np.random.default_rng(0).random((16, 8, 8))
    >>> report = diagnose(np.full((16, 8, 8), 0.4), targets)
    >>> [finding.code for finding in report.findings]
    ['constant']

`cleanplate diagnose` does the same with files.
"""

from __future__ import annotations

from cleanplate.diagnosis.accumulator import Diagnosis, diagnose
from cleanplate.diagnosis.diagnosis_report import DiagnosisReport
from cleanplate.diagnosis.drawing import Drawing, drawn_share
from cleanplate.diagnosis.findings import Finding
from cleanplate.diagnosis.learning_rate import (
    TrainingLog,
    read_training_log,
    relative_updates,
    spent_after,
)
from cleanplate.diagnosis.loss_floors import cross_entropy, loss_floors

__all__ = [
    "Diagnosis",
    "DiagnosisReport",
    "Drawing",
    "Finding",
    "TrainingLog",
    "cross_entropy",
    "diagnose",
    "drawn_share",
    "loss_floors",
    "read_training_log",
    "relative_updates",
    "spent_after",
]
