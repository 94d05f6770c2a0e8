"""Broken files give a result or a plain error; and the trial of them sees what would be neither."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from cleanplate.depth import read_depth
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import read_rgba
from tests.mutation import seeds
from tests.mutation.__main__ import SEED, main
from tests.mutation.mutants import mutant
from tests.mutation.trial import PEAK, READERS, Limits, trial

needs_signals = pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")


@pytest.mark.parametrize(("kind", "count"), [("pictures", 500), ("depths", 200)])
@pytest.mark.timeout(600)
def test_mutated_files_give_a_result_or_a_plain_error(kind: str, count: int) -> None:
    outcome = trial(getattr(seeds, kind)(), READERS[kind], range(count), SEED)
    assert outcome.faults == []
    assert outcome.read + outcome.refused == count
    # Neither all harmless nor all stopped at the first bytes.
    assert 0.1 * count < outcome.read < 0.9 * count
    assert outcome.peak < PEAK


def test_every_format_that_is_read_has_a_whole_file(tmp_path: Path) -> None:
    files = seeds.pictures()
    suffixes = {Path(name).suffix for name in files}
    assert suffixes >= {".png", ".jpg", ".mpo", ".webp", ".tif", ".bmp", ".gif", ".ppm", ".pgm"}
    assert suffixes >= {".pbm", ".tga", ".jp2"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        colour, alpha = read_rgba(tmp_path / name)
        if name != seeds.HEIC.name:
            size = seeds.SIZE[::-1] if name in TURNED else seeds.SIZE
            assert colour.shape == (*size, 3), name
        assert colour.std() > 0.1 * np.iinfo(colour.dtype).max, name
        if name not in ROUNDED:
            assert ("16" in name) == (colour.dtype == np.uint16), name
        assert (alpha is not None) == ("rgba" in name or name in WITH_ALPHA), name


TURNED = {"rgb.png", "baseline.jpg", "lossy.webp", "rgb.avif"}
ROUNDED = {"table16.png", "deep.ppm"}
"""16 bits that are read as 8: a profile of tables, and what Pillow makes of it."""
WITH_ALPHA = {"palette.png", "lossless.webp", "still.gif", "packed.tga"}


def test_every_whole_depth_file_reads_as_the_same_depth(tmp_path: Path) -> None:
    for name, data in seeds.depths().items():
        (tmp_path / name).write_bytes(data)
        depth = read_depth(tmp_path / name)
        assert depth.shape == seeds.SIZE, name
        assert depth[8] == pytest.approx(6 - 4.5 * 8 / 39, abs=0.01), name
        assert depth[-1] == pytest.approx(1.5, abs=0.01), name


def test_one_seed_gives_the_same_mutants_everywhere() -> None:
    files = {"a.png": b"\x89PNG\r\n\x1a\n" + bytes(range(200)), "b.npy": bytes(range(256)) * 4}
    told = [mutant(files, 1, index) for index in range(200)]
    assert told == [mutant(files, 1, index) for index in range(200)]
    assert [name for name, _, _ in told[:4]] == ["a.png", "b.npy"] * 2
    assert sum(data == files[name] for name, data, _ in told) < 20
    assert told != [mutant(files, 2, index) for index in range(200)]


def fine(path: Path) -> None:
    """Reads."""


def refuses(path: Path) -> None:
    raise CleanplateError("is odd", file=path)


def raises(path: Path) -> None:
    raise ZeroDivisionError


def warns(path: Path) -> None:
    np.float64(1e300).astype(np.float32)


def dies(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def ends(path: Path) -> None:
    os._exit(3)


def hangs(path: Path) -> None:
    time.sleep(600)


def works_long(path: Path) -> None:
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass


def takes_much(path: Path) -> None:
    assert np.ones(200 * 2**17).all()  # 200 MB


def of(reader: str, **limits: float) -> tuple[int, int, list[str]]:
    """Two files read by a function of this module: read, refused, faults."""
    outcome = trial(
        {"a.bin": bytes(100)},
        f"tests.mutation.test_mutation:{reader}",
        range(2),
        0,
        limits=Limits(**limits),
    )
    return outcome.read, outcome.refused, outcome.faults


def test_results_and_plain_errors_are_no_faults() -> None:
    assert of("fine") == (2, 0, [])
    assert of("refuses") == (0, 2, [])


@pytest.mark.parametrize(
    ("reader", "limits", "said"),
    [
        ("raises", {}, "ZeroDivisionError"),
        ("warns", {}, "RuntimeWarning: overflow"),
        ("ends", {}, "ended with 3"),
        ("hangs", {"hangs": 5.0}, "hangs: no answer in 5 s"),
        ("works_long", {"seconds": 0.1}, r"takes 0\.\d s"),
        pytest.param("dies", {}, "died of signal 11: .*Segmentation fault", marks=needs_signals),
        pytest.param("takes_much", {"peak": 150.0}, r"takes \d+ MB", marks=needs_signals),
    ],
)
def test_each_kind_of_fault_is_seen_and_named(reader: str, limits: dict, said: str) -> None:
    read, refused, faults = of(reader, **limits)
    assert (read, refused, len(faults)) == (0, 0, 2)
    for index, fault in enumerate(faults):
        assert re.match(rf"{index}, a\.bin \(.+\): .*{said}", fault, re.DOTALL), fault


def test_one_mutant_can_be_had_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--only", "depths", "--index", "7", "--keep", str(tmp_path)]
    assert main(arguments) == 0
    assert "depths: 1 mutants:" in capsys.readouterr().out
    name, data, _ = mutant(seeds.depths(), SEED, 7)
    assert (tmp_path / f"depths-7-{name}").read_bytes() == data
