"""Files of others in output folders are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from cleanplate.cli import main
from cleanplate.errors import CleanplateError
from cleanplate.files.ownership import fingerprint, write_sealed
from cleanplate.formats.pictures import write_image
from cleanplate.render.worker_pool import RenderRequest, _write_or_compare_plan
from cleanplate.synthesis.ingest.plate_from_photo import PhotoSettings, write_plate_from_photo
from cleanplate.synthesis.inspection.stats_report import JSON, OVERVIEW, check_report
from cleanplate.synthesis.procedural.procedural_files import write_plates


class Flat:
    """A depth network that sees a wall 3 m away, and counts how often it is asked."""

    metadata: ClassVar[dict[str, Any]] = {"model": "flat"}
    convention = "metric"

    def __init__(self) -> None:
        self.asked = 0

    def estimate(self, picture: np.ndarray) -> np.ndarray:
        self.asked += 1
        return np.full(picture.shape[:2], 3, np.float32)


def test_a_packed_file_is_replaced_only_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_plates(tmp_path / "rooms", 1, seed=3)
    archive = tmp_path / "rooms.tar.gz"
    archive.write_bytes(b"mine")
    arguments = ["synth", "pack", "plates", str(tmp_path / "rooms"), str(archive)]
    assert main(arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert archive.read_bytes() == b"mine"
    assert main([*arguments, "--overwrite"]) == 0
    assert archive.read_bytes().startswith(b"\x1f\x8b")


def test_a_report_replaces_only_reports(tmp_path: Path) -> None:
    write_image(tmp_path / OVERVIEW, np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(CleanplateError, match="did not write it"):
        check_report(tmp_path)
    check_report(tmp_path, overwrite=True)
    write_sealed(tmp_path / JSON, {}, {OVERVIEW: fingerprint(tmp_path / OVERVIEW)})
    check_report(tmp_path)


def test_a_plate_replaces_no_picture_of_others(tmp_path: Path) -> None:
    photo, other = tmp_path / "in" / "room.png", tmp_path / "out" / "room.png"
    photo.parent.mkdir()
    other.parent.mkdir()
    write_image(photo, np.full((40, 60, 3), 100, np.uint8))
    write_image(other, np.full((40, 60, 3), 7, np.uint8))
    mine, teacher = other.read_bytes(), Flat()
    with pytest.raises(CleanplateError, match="did not make it"):
        write_plate_from_photo(photo, teacher, other.parent, PhotoSettings())  # type: ignore[arg-type]
    assert other.read_bytes() == mine
    assert teacher.asked == 0
    other.unlink()
    for _ in range(2):
        write_plate_from_photo(photo, teacher, other.parent, PhotoSettings())  # type: ignore[arg-type]
    assert other.read_bytes() == photo.read_bytes()


def test_a_rendering_wants_a_folder_of_its_own(tmp_path: Path) -> None:
    rendering = RenderRequest("plates", tmp_path / "assets", tmp_path / "out", 1, 0, (8, 8), ())
    _write_or_compare_plan(rendering)
    _write_or_compare_plan(rendering)  # goes on
    other = RenderRequest("plates", tmp_path / "assets", tmp_path / "mine", 1, 0, (8, 8), ())
    other.out.mkdir()
    (other.out / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(CleanplateError, match="holds no rendering"):
        _write_or_compare_plan(other)
    assert json.dumps([path.name for path in other.out.iterdir()]) == '["photo.jpg"]'
