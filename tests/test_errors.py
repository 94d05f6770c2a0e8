from __future__ import annotations

from pathlib import Path

import pytest

from cleanplate.errors import CleanplateError, MissingExtraError, install_command, require


def test_an_error_says_file_what_and_cure():
    error = CleanplateError("is empty", file="a/plate.png", cure="Save it again.")
    assert str(error) == "a/plate.png: is empty\nSave it again."
    assert (error.what, error.file, error.cure) == (
        "is empty",
        Path("a/plate.png"),
        "Save it again.",
    )


def test_an_error_without_file_or_cure_is_one_line():
    error = CleanplateError("no picture was given")
    assert str(error) == "no picture was given"
    assert error.file is None
    assert error.cure is None


def test_require_gives_the_module():
    assert require("json.decoder", "train").__name__ == "json.decoder"


def test_require_names_the_extra():
    with pytest.raises(MissingExtraError) as caught:
        require("no_such_library_anywhere", "train")
    assert caught.value.cure == install_command("train")
    assert caught.value.extra == "train"
    assert "no_such_library_anywhere" in str(caught.value)


def test_require_names_the_extra_for_a_submodule_of_a_missing_library():
    with pytest.raises(MissingExtraError, match="no_such_library_anywhere"):
        require("no_such_library_anywhere.part", "train")


def test_require_lets_the_fault_of_an_installed_library_through(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text(
        "import another_missing_library\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="another_missing_library"):
        require("half_installed", "train")
