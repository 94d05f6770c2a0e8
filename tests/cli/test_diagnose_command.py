"""`cleanplate diagnose` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cleanplate.cli import main
from cleanplate.diagnosis.drawing import logit
from cleanplate.formats.pictures import write_image


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    """Sixteen good answers: arrays, and the same as folders of pictures."""
    rng = np.random.default_rng(0)
    targets = np.full((16, 24, 24), 0.3, np.float32)
    for target in targets:
        top, left = rng.integers(2, 14, 2)
        target[top : top + 8, left : left + 8] = 0.6
    np.save(tmp_path / "targets.npy", targets)
    np.save(tmp_path / "logits.npy", logit(targets)[:, None].astype(np.float32))
    for name in ("said", "truth", "frames"):
        (tmp_path / name).mkdir()
    for i, target in enumerate(targets):
        write_image(tmp_path / "truth" / f"{i}.png", target)
        np.save(tmp_path / "said" / f"{i}.npy", logit(target))
        write_image(tmp_path / "frames" / f"{i}.jpg", np.repeat(target[..., None], 3, 2))
    return tmp_path


def test_good_answers_end_with_0_and_the_figures(maps: Path, capsys) -> None:
    arrays = [str(maps / "logits.npy"), str(maps / "targets.npy"), "--kind", "logits"]
    assert main(["diagnose", *arrays, "--drawing", "sigmoid"]) == 0
    out = capsys.readouterr().out
    assert "Nothing found wrong." in out
    assert "... learned, of all that can be" in out
    assert "100.0 %" in out


def test_a_drawing_that_hides_everything_ends_with_1(maps: Path, capsys) -> None:
    arrays = [str(maps / "logits.npy"), str(maps / "targets.npy"), "--kind", "logits"]
    own = ["--drawing-scale", "58.395,57.12,57.375", "--drawing-shift", "123.675,116.28,103.53"]
    said = {}
    for name, options in (("own", own), ("named", ["--drawing", "imagenet255"])):
        assert main(["diagnose", *arrays, *options, "--json", "-"]) == 1
        said[name] = json.loads(capsys.readouterr().out)
    assert said["own"] == said["named"]
    (finding,) = said["own"]["findings"]
    assert finding["code"] == "drawing"
    assert main(["diagnose", *arrays, *own, "--drawing", "raw"]) == 2


def test_folders_are_joined_by_name(maps: Path, capsys) -> None:
    folders = [str(maps / "said"), str(maps / "truth"), "--inputs", str(maps / "frames")]
    assert main(["diagnose", *folders, "--kind", "logits"]) == 0
    assert "edges: input and own target" in capsys.readouterr().out
    (maps / "truth" / "3.png").rename(maps / "truth" / "30.png")
    assert main(["diagnose", *folders, "--kind", "logits"]) == 2
    assert "Files belong together by name" in capsys.readouterr().err
    (maps / "truth" / "30.png").unlink()
    assert main(["diagnose", *folders, "--kind", "logits"]) == 2
    assert "has 15 maps" in capsys.readouterr().err


def test_page_and_json_are_replaced_only_if_they_are_its_own(maps: Path, capsys) -> None:
    arrays = [str(maps / "logits.npy"), str(maps / "targets.npy"), "--kind", "logits", "--quiet"]
    page, told = maps / "page.html", maps / "told.json"
    both = ["--html", str(page), "--json", str(told)]
    for _ in range(2):
        assert main(["diagnose", *arrays, *both]) == 0
    assert "data:image/png;base64," in page.read_text(encoding="utf-8")
    assert json.loads(told.read_text(encoding="utf-8"))["findings"] == []
    page.write_text("mine", encoding="utf-8")
    assert main(["diagnose", *arrays, *both]) == 2
    assert page.read_text(encoding="utf-8") == "mine"
    assert main(["diagnose", *arrays, *both, "--overwrite"]) == 0
    assert capsys.readouterr().out == ""


def test_a_log_brings_the_schedule(maps: Path, capsys) -> None:
    log = maps / "metrics.csv"
    rates = [1e-3 * 0.01 ** (epoch // 2) for epoch in range(9)]
    lines = [f"{epoch},{0.67},{rate}" for epoch, rate in enumerate(rates)]
    log.write_text("\n".join(["epoch,loss,lr", *lines]), encoding="utf-8")
    arrays = [str(maps / "logits.npy"), str(maps / "targets.npy"), "--kind", "logits"]
    assert main(["diagnose", *arrays, "--log", str(log)]) == 1
    out = capsys.readouterr().out
    assert "[schedule] The learning rate falls too early" in out
    assert "spent after 22 %" in out
    assert main(["diagnose", *arrays, "--log", str(log), "--rate-column", "epoch"]) == 0


def test_a_file_that_is_no_array_is_named(maps: Path, capsys) -> None:
    broken = maps / "broken.npy"
    broken.write_bytes(b"text")
    assert main(["diagnose", str(broken), str(maps / "targets.npy")]) == 2
    assert "broken.npy: is not an array file" in capsys.readouterr().err
