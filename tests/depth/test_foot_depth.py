"""Depth within a cutout as codes: known answers, and there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cleanplate.depth import read_depth
from cleanplate.depth.depth_codec import EXCHANGE
from cleanplate.depth.foot_depth import decode_foot_depth, encode_foot_depth
from cleanplate.formats.pictures import write_image


def test_codes_by_hand():
    depth = np.array([[0, -0.3, 1.25, -6, 9, np.nan]])
    known = np.array([[True, True, True, True, True, False]])
    assert encode_foot_depth(depth, known).tolist() == [[50000, 47000, 62500, 1, 65535, 0]]


def test_a_file_reads_back(tmp_path: Path):
    rng = np.random.default_rng(3)
    depth = rng.uniform(-4.9, 1.5, (9, 11))
    known = rng.random((9, 11)) > 0.3
    write_image(tmp_path / "a_depth.png", encode_foot_depth(depth, known))
    read = decode_foot_depth(read_depth(tmp_path / "a_depth.png", convention=EXCHANGE))
    assert read.dtype == np.float32
    assert np.array_equal(np.isfinite(read), known)
    assert np.abs(read - depth)[known].max() <= 0.5e-4 + 1e-6
