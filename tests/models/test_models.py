"""The registry: models are found, checked against their cards, and refused with a reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cleanplate import CleanplateError, Predictor, models


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "copy"))


def test_a_folder_is_found_by_path(tiny: Path) -> None:
    model = models.find_model(tiny)
    assert model.name == "tiny"
    assert model.plate_graph.is_file()
    assert model.frame_graph.is_file()
    assert len(model.hash) == 64


def test_the_hash_tells_weights_apart(tiny: Path, copy: Path) -> None:
    assert models.find_model(copy).hash == models.find_model(tiny).hash
    data = (copy / "frame.onnx").read_bytes() + b"\0"
    (copy / "frame.onnx").write_bytes(data)
    card = json.loads((copy / "card.json").read_text(encoding="utf-8"))
    import hashlib

    card["sha256"]["frame.onnx"] = hashlib.sha256(data).hexdigest()
    (copy / "card.json").write_text(json.dumps(card), encoding="utf-8")
    assert models.find_model(copy).hash != models.find_model(tiny).hash


def test_a_model_may_have_a_working_size_of_its_own(tiny: Path, copy: Path) -> None:
    card = json.loads((copy / "card.json").read_text(encoding="utf-8"))
    (copy / "card.json").write_text(json.dumps({**card, "working_size": 384}), encoding="utf-8")
    assert models.find_model(tiny).working_size is None
    plate = np.zeros((450, 900, 3), np.uint8)
    assert Predictor(tiny).scene(plate).network_size == (256, 512)
    assert Predictor(copy).scene(plate).network_size == (192, 384)
    assert Predictor(copy, working_size=640).scene(plate).network_size == (320, 640)
    small = plate[:320, :480]
    assert Predictor(copy).scene(small).network_size == (427, 640)
    (copy / "card.json").write_text(json.dumps({**card, "working_size": "x"}), encoding="utf-8")
    with pytest.raises(CleanplateError, match=r"card\.json: working_size is 'x'"):
        Predictor(copy)


def test_a_changed_graph_is_refused(copy: Path) -> None:
    with (copy / "plate.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(CleanplateError, match="SHA-256 differs") as caught:
        models.find_model(copy)
    assert caught.value.file == copy / "plate.onnx"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("card.json", None, "needs a card"),
        ("card.json", "{", "cannot be read"),
        ("card.json", "[]", "not a JSON object"),
        ("card.json", "{}", "names no"),
        ("frame.onnx", None, "lacks this graph"),
    ],
)
def test_a_damaged_folder_is_refused(
    copy: Path, name: str, content: str | None, message: str
) -> None:
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_text(content, encoding="utf-8")
    with pytest.raises(CleanplateError, match=message) as caught:
        models.find_model(copy)
    assert caught.value.file == copy / name


def test_an_unknown_name_lists_the_known(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "SHIPPED", tiny.parent)
    with pytest.raises(CleanplateError, match="no model 'large'") as caught:
        models.find_model("large")
    assert "tiny" in str(caught.value)


def test_the_only_model_is_the_default(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "SHIPPED", tiny.parent)
    assert models.available_models() == ["tiny"]
    assert models.find_model().folder == tiny
    assert models.find_model("tiny").folder == tiny


def test_of_several_the_card_says_which(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        shutil.copytree(tiny, tmp_path / name)
    monkeypatch.setattr(models, "SHIPPED", tmp_path)
    with pytest.raises(CleanplateError, match="no single default"):
        models.find_model()
    card = json.loads((tmp_path / "b" / "card.json").read_text(encoding="utf-8"))
    (tmp_path / "b" / "card.json").write_text(
        json.dumps({**card, "default": True}), encoding="utf-8"
    )
    assert models.find_model().folder == tmp_path / "b"


def test_an_installation_without_models_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "SHIPPED", tmp_path)
    with pytest.raises(CleanplateError, match="has no model"):
        models.find_model()
