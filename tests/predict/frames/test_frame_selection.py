"""Frames' files have names that can be seen, tell the frames apart and stay in their folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanplate.predict.frames.frame_names import stems


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (["../f.jpg", "f.jpg"], ["shoot_f", "day1_f"]),
        (["f.jpg", "./../day2/f.jpg"], ["day1_f", "day2_f"]),
        (["../../f.jpg", "../f.jpg"], ["project_f", "shoot_f"]),
        ([".cache/f.jpg", "f.jpg"], ["cache_f", "day1_f"]),
        ([".f.jpg"], ["f"]),
        (["..f.jpg"], ["f"]),
        (["_DSC0001.jpg"], ["_DSC0001"]),
        (["../f.png", "f.png", "f.jpg"], ["shoot_f_png", "day1_f_png", "day1_f_jpg"]),
    ],
)
def test_names_are_visible_and_say_the_folders_real_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: list[str], expected: list[str]
) -> None:
    folder = tmp_path / "project" / "shoot" / "day1"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    assert stems([Path(frame) for frame in frames]) == expected


def test_a_frame_in_the_root_does_not_lead_out_of_the_folder() -> None:
    found = stems([Path("/f.jpg"), Path("/tmp/f.jpg")])
    assert len(set(found)) == 2
    for name in found:
        assert Path("out", name).parent == Path("out")
        assert not name.startswith(".")
