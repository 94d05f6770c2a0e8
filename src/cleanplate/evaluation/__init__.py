"""Score predictors on pairs with known truth: reading, scoring, baselines, tables, sheets.

Names are loaded when they are first used, because they bring OpenCV.
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
    from cleanplate.evaluation.score import Row as Row
    from cleanplate.evaluation.score import Rules as Rules
    from cleanplate.evaluation.score import Scores as Scores
    from cleanplate.evaluation.score import evaluate as evaluate
    from cleanplate.evaluation.score import score_pair as score_pair
    from cleanplate.evaluation.score_sheet import draw_sheet as draw_sheet
    from cleanplate.evaluation.score_table import as_document as as_document
    from cleanplate.evaluation.score_table import as_table as as_table
    from cleanplate.pairs.pair_files import Pair as Pair
    from cleanplate.pairs.pair_files import View as View
    from cleanplate.pairs.pair_files import find_pairs as find_pairs
    from cleanplate.pairs.pair_files import variants as variants
    from cleanplate.pairs.protocols import Answer as Answer
    from cleanplate.pairs.protocols import PairPredictor as PairPredictor
    from cleanplate.pairs.protocols import PreparedScene as PreparedScene

_NAMES = {
    "baselines": (
        "BASELINES AlignedDifference ConstantDisparity FixedDifference MOG2 RowDisparity"
    ),
    "score": "Row Rules Scores evaluate score_pair",
    "score_sheet": "draw_sheet",
    "score_table": "as_document as_table",
    "pairs.pair_files": "Pair View find_pairs variants",
    "pairs.protocols": "Answer PairPredictor PreparedScene",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}

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


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        module = _MODULE_OF[name]
        package = "cleanplate" if module.startswith("pairs.") else __name__
        return getattr(import_module(f"{package}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
