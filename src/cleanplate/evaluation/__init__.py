"""Evaluation of predictors on pairs with known truth: metrics, baselines, tables, picture sheets.

Takes a predictor (`cleanplate.pairs.protocols`) and pairs; gives `Scores`, a table, a JSON
document, a picture sheet. Names are loaded on first use, because they import OpenCV.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cleanplate.evaluation.baselines import BASELINES as BASELINES
    from cleanplate.evaluation.baselines import MOG2 as MOG2
    from cleanplate.evaluation.baselines import AlignedDifference as AlignedDifference
    from cleanplate.evaluation.baselines import ConstantDisparity as ConstantDisparity
    from cleanplate.evaluation.baselines import FixedDifference as FixedDifference
    from cleanplate.evaluation.baselines import RowDisparity as RowDisparity
    from cleanplate.evaluation.pair_metrics import MetricSettings as MetricSettings
    from cleanplate.evaluation.score import PairScore as PairScore
    from cleanplate.evaluation.score import Scores as Scores
    from cleanplate.evaluation.score import evaluate as evaluate
    from cleanplate.evaluation.score import score_pair as score_pair
    from cleanplate.evaluation.score_sheet import draw_sheet as draw_sheet
    from cleanplate.evaluation.score_table import as_document as as_document
    from cleanplate.evaluation.score_table import as_table as as_table
    from cleanplate.pairs.pair_files import Pair as Pair
    from cleanplate.pairs.pair_files import PairVariant as PairVariant
    from cleanplate.pairs.pair_files import find_pairs as find_pairs
    from cleanplate.pairs.pair_files import variants as variants
    from cleanplate.pairs.protocols import PairPredictor as PairPredictor
    from cleanplate.pairs.protocols import PlainPrediction as PlainPrediction
    from cleanplate.pairs.protocols import PreparedScene as PreparedScene

_NAMES = {
    "baselines": (
        "BASELINES AlignedDifference ConstantDisparity FixedDifference MOG2 RowDisparity"
    ),
    "pair_metrics": "MetricSettings",
    "score": "PairScore Scores evaluate score_pair",
    "score_sheet": "draw_sheet",
    "score_table": "as_document as_table",
    "pairs.pair_files": "Pair PairVariant find_pairs variants",
    "pairs.protocols": "PlainPrediction PairPredictor PreparedScene",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}

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


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        module = _MODULE_OF[name]
        package = "cleanplate" if module.startswith("pairs.") else __name__
        return getattr(import_module(f"{package}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
