"""The model that `tests.predict` predicts with."""

from tests.predict.conftest import tiny

__all__ = ["tiny"]
