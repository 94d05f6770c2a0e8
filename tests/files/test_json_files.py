"""JSON of other programs is read whatever mark it begins with, by every reader."""

from __future__ import annotations

import codecs
import json
import re
from pathlib import Path

import numpy as np
import pytest

import cleanplate
from cleanplate.evaluation import find_pairs
from cleanplate.files.json_files import parse_json, read_json
from cleanplate.formats.pictures import write_image
from cleanplate.synthesis.assets.sidecar import read_sidecar

MARKED = {
    "no mark": lambda text: text.encode(),
    "utf-8": lambda text: codecs.BOM_UTF8 + text.encode(),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16 big-endian": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "utf-32": lambda text: text.encode("utf-32"),
}


@pytest.mark.parametrize("mark", MARKED)
def test_json_is_read_with_and_without_a_byte_order_mark(tmp_path, mark):
    facts = {"world": "Küche", "fx": 100.5}
    data = MARKED[mark](json.dumps(facts, ensure_ascii=False))
    assert parse_json(data) == facts
    (tmp_path / "a.json").write_bytes(data)
    assert read_json(tmp_path / "a.json") == facts
    assert read_sidecar(tmp_path / "a.json") == facts


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe\x00", b"[" * 200_000, codecs.BOM_UTF8])
def test_what_is_no_json_is_a_value_error(data):
    with pytest.raises(ValueError):  # noqa: PT011 - which words Python finds is its own affair
        parse_json(data)


def test_a_pairs_facts_are_read_with_a_mark(tmp_path):
    for part in ("plate.png", "frame.png"):
        write_image(tmp_path / f"a_{part}", np.zeros((4, 5, 3), np.uint8))
    write_image(tmp_path / "a_alpha.png", np.zeros((4, 5), np.uint8))
    (tmp_path / "a.json").write_bytes(codecs.BOM_UTF8 + b'{"world": "kitchen"}')
    (pair,) = find_pairs(tmp_path)
    assert pair.facts == {"world": "kitchen"}


def test_a_log_is_read_with_a_mark(tmp_path):
    pytest.importorskip("torch")
    from cleanplate.training import json_log

    (tmp_path / "log").write_bytes(codecs.BOM_UTF8 + b'{"step": 1}\n{"step": 2}\n{"st')
    assert [line["step"] for line in json_log.read_log(tmp_path / "log")] == [1, 2]


def test_one_function_parses_json():
    """A text that is parsed elsewhere would meet the mark again."""
    package = Path(cleanplate.__file__).parent
    others = [
        f"{file.relative_to(package)}: {line.strip()}"
        for file in sorted(package.rglob("*.py"))
        # Errors need `installation`, and files need errors; what it reads pip has written.
        if file.name not in ("json_files.py", "installation.py")
        for line in file.read_text("utf-8").splitlines()
        if re.search(r"\bjson\.loads?\(", line) and "json.loads(json.dumps(" not in line
    ]
    assert others == []
