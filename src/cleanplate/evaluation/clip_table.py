"""Scores of clips as a plain text table and as a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cleanplate.evaluation.clip_score import ClipScores
from cleanplate.evaluation.score_table import Column, aligned_columns, json_number, versions

COLUMNS = (
    Column("mad", "MAD e3", 1e3, 2),
    Column("iou", "IoU"),
    Column("dtssd", "dtSSD", digits=2),
    Column("lag", "lag", digits=2),
    Column("depth_dtssd", "depth dtSSD", digits=2),
    Column("distance_error", "distance error %", 1e2, 1),
    Column("distance_jitter", "jitter %", 1e2, 2),
)

DEFINITIONS = {
    "mad": "mean |a - a*| over the picture, mean over frames",
    "iou": "of alpha >= 0.5, mean over frames",
    "dtssd": "100 sqrt(mean((change of a - change of a*)^2)), mean over steps (Erofeev 2015)",
    "lag": "frames by which alpha is late: lowest point of a V through the mean squared errors "
    "against the truth of the next, the same and the last frame",
    "depth_dtssd": "the same as dtssd of ln(depth), where a* > 0.9 before and after a step",
    "distance_error": "mean |ln(m / m*)|, m the median depth in metres where a* > 0.9",
    "distance_jitter": "root of the mean squared change of ln(m / m*) from frame to frame",
}
"""Metric -> its definition in words; all are means over clips."""


def clip_table(scores: Sequence[ClipScores]) -> str:
    """Format the means as plain text, a line per `ClipScores`."""
    means = [one.means for one in scores]
    shown = [column for column in COLUMNS if any(column.metric in one for one in means)]
    lines = [["model", "way", "clips", *(column.heading for column in shown)]]
    for one, mean in zip(scores, means, strict=True):
        cells = [
            f"{mean[c.metric] * c.factor:.{c.digits}f}" if c.metric in mean else "-" for c in shown
        ]
        lines.append([one.model, one.way, str(len(one.rows)), *cells])
    return aligned_columns(lines)


def clip_document(scores: Sequence[ClipScores]) -> dict[str, Any]:
    """Convert scores to a JSON document: versions, definitions, results."""
    return {
        "versions": versions(),
        "conventions": DEFINITIONS,
        "results": [
            {
                "model": one.model,
                "model_hash": one.model_hash,
                "way": one.way,
                "clips": len(one.rows),
                "failed": dict(one.failed),
                "means": {key: json_number(value) for key, value in one.means.items()},
                "rows": [
                    {
                        "name": row.name,
                        **{key: json_number(value) for key, value in row.values.items()},
                    }
                    for row in one.rows
                ],
            }
            for one in scores
        ],
    }
