"""The pairs that `tests.evaluation` scores."""

from tests.evaluation.conftest import pairs_folder

__all__ = ["pairs_folder"]
