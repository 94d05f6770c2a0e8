"""Score predictors on pairs with known truth: reading, scoring, baselines, tables, sheets."""

from __future__ import annotations

from cleanplate.evaluation.baselines import (
    BASELINES,
    MOG2,
    AlignedDifference,
    ConstantDisparity,
    FixedDifference,
    RowDisparity,
)
from cleanplate.evaluation.score import Row, Rules, Scores, evaluate, score_pair
from cleanplate.evaluation.score_sheet import draw_sheet
from cleanplate.evaluation.score_table import as_document, as_table
from cleanplate.pairs.pair_files import Pair, View, find_pairs, variants
from cleanplate.pairs.protocols import Answer, PairPredictor, PreparedScene

__all__ = [
    "BASELINES",
    "MOG2",
    "AlignedDifference",
    "Answer",
    "ConstantDisparity",
    "FixedDifference",
    "Pair",
    "PairPredictor",
    "PreparedScene",
    "Row",
    "RowDisparity",
    "Rules",
    "Scores",
    "View",
    "as_document",
    "as_table",
    "draw_sheet",
    "evaluate",
    "find_pairs",
    "score_pair",
    "variants",
]
