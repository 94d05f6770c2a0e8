"""What may be replaced: files that this package wrote and that nobody changed since."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.files.ownership import (
    check_folder,
    check_replaceable,
    check_target,
    fingerprint,
    is_own,
    own_names,
    read_record,
    replacing_own,
    sealed,
    write_sealed,
)
from cleanplate.files.picture_text import bears_seal, is_sealed, with_seal, with_text
from cleanplate.formats.pictures import read_image, write_image


def picture(path: Path) -> bytes:
    rng = np.random.default_rng(0)
    write_image(path, rng.integers(0, 255, (20, 30, 3)).astype(np.uint8))
    return path.read_bytes()


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_sealed_picture_is_known_until_a_byte_changes(tmp_path: Path, name: str) -> None:
    plain = picture(tmp_path / name)
    assert not is_sealed(plain)
    data = with_seal(plain)
    assert is_sealed(data)
    assert bears_seal(data)
    (tmp_path / name).write_bytes(data)
    assert is_own(tmp_path / name)
    np.testing.assert_array_equal(
        read_image(tmp_path / name), read_image(_file(tmp_path / f"plain{name}", plain))
    )
    for place in (40, len(data) // 2, len(data) - 20):
        changed = bytearray(data)
        changed[place] ^= 1
        assert not is_sealed(bytes(changed))


def _file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_a_text_stands_in_a_png_where_readers_find_it(tmp_path: Path) -> None:
    from PIL import Image

    data = with_text(picture(tmp_path / "a.png"), "straight alpha")
    with Image.open(_file(tmp_path / "b.png", data)) as image:
        assert image.info["Comment"] == "straight alpha"
        image.load()
    with Image.open(_file(tmp_path / "b.jpg", with_text(picture(tmp_path / "a.jpg"), "x"))) as jpeg:
        assert jpeg.info["comment"] == b"x"


def test_a_record_is_known_until_somebody_changes_it(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_sealed(path, {"é": [1.5, None], "name": "fr\udcc3"}, {"a.npy": None})
    assert read_record(path) is not None
    assert is_own(path)
    text = path.read_text(encoding="utf-8")
    path.write_text("\ufeff" + text.replace("\n", "\r\n"), encoding="utf-8")
    assert read_record(path) is not None  # form is no content
    path.write_text(text.replace("1.5", "1.6"), encoding="utf-8")
    assert read_record(path) is None
    assert read_record(path, changed=True) is not None
    assert own_names(tmp_path) == {"a.npy"}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"tool": "cleanplate"}', "{", '{"version": "5"}']
)
def test_json_of_other_tools_is_no_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text, encoding="utf-8")
    assert read_record(tmp_path / "other.json", changed=True) is None
    assert own_names(tmp_path) == set()
    with pytest.raises(CleanplateError, match="did not write it"):
        check_replaceable([tmp_path / "other.json"])


def test_a_recorded_file_is_replaced_and_a_changed_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"ours")
    owns = {"a.npy": fingerprint(path)}
    with replacing_own(path, owns) as temporary:
        temporary.write_bytes(b"new!")
    assert path.read_bytes() == b"new!"
    for content in (b"mine", b"ours, longer"):
        path.write_bytes(content)
        with (
            pytest.raises(CleanplateError, match="did not write it"),
            replacing_own(path, owns) as temporary,
        ):
            temporary.write_bytes(b"lost")
        assert path.read_bytes() == content
    with replacing_own(path, owns, overwrite=True) as temporary:
        temporary.write_bytes(b"wanted")
    assert path.read_bytes() == b"wanted"
    assert [p.name for p in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_comes_while_ours_is_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "no hard links here")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "a.png"

    def disturbed(ours: bytes, theirs: bytes, owns: dict | None = None) -> None:
        with replacing_own(path, owns) as temporary:
            temporary.write_bytes(ours)
            path.write_bytes(theirs)

    with pytest.raises(CleanplateError, match="is there already"):
        disturbed(b"ours", b"theirs")
    assert path.read_bytes() == b"theirs"
    path.unlink()
    with replacing_own(path) as temporary:
        temporary.write_bytes(b"ours")
    assert path.read_bytes() == b"ours"
    with pytest.raises(CleanplateError, match="is there already"):
        disturbed(b"newer", b"edited meanwhile", {"a.png": fingerprint(path)})
    assert path.read_bytes() == b"edited meanwhile"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_link_to_somebodys_file_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_bytes(b"mine")
    (tmp_path / "out.png").symlink_to("mine.png")
    with pytest.raises(CleanplateError, match=r"out\.png"):
        check_replaceable([tmp_path / "out.png"])


def test_a_writer_that_fails_names_the_file_that_was_wanted(tmp_path: Path) -> None:
    with pytest.raises(CleanplateError) as caught, replacing_own(tmp_path / "a.png") as temporary:
        raise CleanplateError("the disk is full", file=temporary)
    assert caught.value.file == tmp_path / "a.png"
    assert list(tmp_path.iterdir()) == []


def test_targets_are_checked_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for path, message in (
        ("no/such.json", "its folder does not exist"),
        (".", "is a folder"),
        ("file", "did not write it"),
        ("a.gif", "cannot be written as"),
        ("x" * 300 + ".png", "too long"),
    ):
        with pytest.raises(CleanplateError, match=message):
            check_target(tmp_path / path, (".png",) if path.endswith("gif") else None)
    check_target(tmp_path / "file", overwrite=True)
    check_folder(tmp_path / "new" / "er")
    with pytest.raises(CleanplateError, match="is not a folder"):
        check_folder(tmp_path / "file" / "out")


def test_the_seal_does_not_depend_on_the_order_of_keys() -> None:
    one, two = sealed({"a": 1, "b": 2}), sealed({"b": 2, "a": 1})
    assert one["seal"] == two["seal"]
    assert json.loads(json.dumps(one)) == one
