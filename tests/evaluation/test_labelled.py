"""Frames with masks of labels: the two layouts, the figures, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cleanplate.cli import main
from cleanplate.errors import CleanplateError
from cleanplate.evaluation.labelled import find_labelled, score_labelled
from cleanplate.formats.pictures import write_image
from cleanplate.pairs.protocols import PlainPrediction

HEIGHT, WIDTH = 40, 60
PLATE = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)


def frame_and_labels(left: int) -> tuple[np.ndarray, np.ndarray]:
    """A bright square with a dark shadow to its right and an unknown rim."""
    frame, labels = PLATE.copy(), np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[9:31, left - 1 : left + 11] = 170
    frame[10:30, left : left + 10], labels[10:30, left : left + 10] = 230, 255
    frame[10:30, left + 11 : left + 15], labels[10:30, left + 11 : left + 15] = 60, 50
    labels[:3] = 85
    return frame, labels


class Bright:
    """Takes for the subject what is brighter than the plate, or darker, too."""

    def __init__(self, darker: bool = False):
        self.darker, self.scenes = darker, 0

    def scene(self, plate, depth=None):
        self.scenes += 1
        return self

    def predict(self, frame):
        difference = frame[..., 0].astype(int) - PLATE[..., 0]
        taken = np.abs(difference) > 20 if self.darker else difference > 20
        return PlainPrediction(taken.astype(np.float32))


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    for name, left in (("b2", 10), ("b10", 20)):
        frame, labels = frame_and_labels(left)
        write_image(tmp_path / f"{name}_plate.png", PLATE)
        write_image(tmp_path / f"{name}_frame.png", frame)
        write_image(tmp_path / f"{name}_labels.png", labels)
    return tmp_path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """In CDnet's layout."""
    for part in ("input", "groundtruth"):
        (tmp_path / part).mkdir()
    write_image(tmp_path / "plate.png", PLATE)
    for number in range(1, 6):
        frame, labels = frame_and_labels(5 + 5 * number)
        write_image(tmp_path / "input" / f"in{number:06d}.png", frame)
        write_image(tmp_path / "groundtruth" / f"gt{number:06d}.png", labels)
    (tmp_path / "temporalROI.txt").write_text("2 4", encoding="ascii")
    return tmp_path


def test_pairs_are_found_and_scored(pairs):
    frames = find_labelled(pairs)
    assert [one.name for one in frames] == ["b2", "b10"]
    for _, counts in score_labelled(Bright(), frames):
        assert (counts.f_measure, counts.shadow_share) == (1.0, 0.0)
        assert counts.found == 200
        assert counts.counted == HEIGHT * WIDTH - 3 * WIDTH - (22 * 12 - 200)
    for _, counts in score_labelled(Bright(darker=True), frames):
        assert (counts.recall, counts.shadow_share) == (1.0, 1.0)
        assert counts.precision == pytest.approx(200 / 280)


def test_a_video_of_cdnet_is_read_with_its_plate(video):
    frames = find_labelled(video)
    assert [one.name for one in frames] == ["gt000002", "gt000003", "gt000004"]
    bright = Bright()
    assert all(counts.f_measure == 1 for _, counts in score_labelled(bright, frames))
    assert bright.scenes == 1, "the plate is prepared once"


def test_the_command_prints_and_writes_them(video, capsys):
    assert main(["evaluate", str(video), "--labels", "--baseline", "difference", "--quiet"]) == 0
    assert main(["evaluate", str(video), "--labels", "--baseline", "difference"]) == 0
    assert "all 3" in capsys.readouterr().out
    assert (
        main(["evaluate", str(video), "--labels", "--baseline", "difference", "--json", "-"]) == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert len(told["frames"]) == 3
    assert told["all"]["found"] == sum(one["found"] for one in told["frames"])
    assert told["all"]["recall"] > 0.95, "the baseline rounds corners"


@pytest.mark.parametrize(
    ("gone", "message"),
    [("plate.png", "no plate"), ("input/in000003.png", "lacks in000003")],
)
def test_what_is_missing_is_named(video, gone, message):
    (video / gone).unlink()
    with pytest.raises(CleanplateError, match=message):
        find_labelled(video)


def test_other_folders_and_files_are_refused(video, tmp_path):
    (video / "temporalROI.txt").write_text("all", encoding="ascii")
    with pytest.raises(CleanplateError, match="two numbers"):
        find_labelled(video)
    (video / "temporalROI.txt").unlink()
    assert len(find_labelled(video)) == 5
    write_image(video / "groundtruth" / "gt000003.png", np.full((HEIGHT, WIDTH), 7, np.uint8))
    with pytest.raises(CleanplateError, match="not 7"):
        list(score_labelled(Bright(), find_labelled(video)))
    write_image(video / "groundtruth" / "gt000003.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(CleanplateError, match="differs in size"):
        list(score_labelled(Bright(), find_labelled(video)))
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "none"):
        with pytest.raises(CleanplateError):
            find_labelled(folder)


def test_options_that_say_nothing_of_labels_are_refused(pairs, capsys):
    assert main(["evaluate", str(pairs), "--labels", "--sheet", "sheet.png"]) == 2
    assert "not with --labels" in capsys.readouterr().err
