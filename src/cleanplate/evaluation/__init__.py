"""Evaluation of predictors on pairs with known truth: metrics, baselines, tables, picture sheets.

Takes a predictor (`cleanplate.pairs.protocols`) and pairs; gives `Scores`, a table, a JSON
document, a picture sheet.
"""

from __future__ import annotations

from cleanplate.evaluation.baselines import (
    BASELINES,
    MOG2,
    AlignedDifference,
    ConstantDisparity,
    FixedDifference,
    RowDisparity,
)
from cleanplate.evaluation.pair_metrics import MetricSettings
from cleanplate.evaluation.score import PairScore, Scores, evaluate, score_pair
from cleanplate.evaluation.score_sheet import draw_sheet
from cleanplate.evaluation.score_table import as_document, as_table
from cleanplate.pairs.pair_files import Pair, PairVariant, find_pairs, variants
from cleanplate.pairs.protocols import PairPredictor, PlainPrediction, PreparedScene

__all__ = [
    "BASELINES",
    "MOG2",
    "AlignedDifference",
    "ConstantDisparity",
    "FixedDifference",
    "MetricSettings",
    "Pair",
    "PairPredictor",
    "PairScore",
    "PairVariant",
    "PlainPrediction",
    "PreparedScene",
    "RowDisparity",
    "Scores",
    "as_document",
    "as_table",
    "draw_sheet",
    "evaluate",
    "find_pairs",
    "score_pair",
    "variants",
]
