"""A whole run to compare with and go on from; imports wait, for torch may be missing."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of twelve steps that nothing interrupted."""
    from tests.training.test_fit import run

    folder = tmp_path_factory.mktemp("whole")
    assert run(folder).status == "complete"
    return folder
