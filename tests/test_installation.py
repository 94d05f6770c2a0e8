"""The command that adds an extra is right for the way the package was installed."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from cleanplate import installation
from cleanplate.installation import declared, install_command


class Installed:
    """What `importlib.metadata` tells of a package."""

    def __init__(self, origin: object = None, *requires: str):
        self.origin, self.requires = origin, list(requires)
        self.metadata = self

    def get_all(self, key: str) -> list[str]:
        assert key == "Provides-Extra"
        return ["train", "render"]

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self.origin is None else json.dumps(self.origin)


@pytest.fixture
def installed(monkeypatch):
    def install(*args: object) -> None:
        monkeypatch.setattr(installation, "distribution", lambda _: Installed(*args))

    return install


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "a checkout"
    folder.mkdir()
    (folder / "constraints.txt").write_text("torch==1\n", encoding="utf-8")
    return folder


def words(extra: str = "train") -> list[str]:
    """What a shell makes of the command."""
    command = install_command(extra, "pip")
    assert "'" not in command  # which cmd.exe does not take for a quote
    return shlex.split(command)


def test_from_an_index_the_name_is_enough(installed):
    installed()
    assert words() == ["pip", "install", "cleanplate[train]"]


def test_a_checkout_is_installed_again_as_it_was(installed, checkout):
    origin = {"url": checkout.as_uri(), "dir_info": {"editable": True}}
    installed(origin)
    constraints = ["-c", str(checkout / "constraints.txt")]
    assert words() == ["pip", "install", "-e", f"{checkout}[train]", *constraints]
    installed({**origin, "dir_info": {}})
    assert words() == ["pip", "install", f"{checkout}[train]", *constraints]
    (checkout / "constraints.txt").unlink()
    assert words() == ["pip", "install", f"{checkout}[train]"]


def test_a_wheel_is_installed_again_from_its_file(installed, tmp_path):
    wheel = tmp_path / "cleanplate-1-py3-none-any.whl"
    wheel.touch()
    installed({"url": wheel.as_uri(), "archive_info": {}})
    assert words() == ["pip", "install", f"cleanplate[train] @ {wheel.as_uri()}"]


def test_where_the_wheel_is_gone_the_libraries_are_named(installed, tmp_path):
    gone = {"url": (tmp_path / "gone.whl").as_uri(), "archive_info": {}}
    installed(
        gone,
        "numpy>=1.26",
        "torch>=2.4; extra == 'train'",
        "tyro<2,>=1; (sys_platform != 'nowhere') and extra == 'train'",
        "winlib>=3; sys_platform == 'nowhere' and extra == 'train'",
    )
    assert words() == ["pip", "install", "torch>=2.4", "tyro<2,>=1"]


def test_a_repository_is_named_with_its_commit(installed):
    of = {"vcs": "git", "commit_id": "abc1"}
    installed({"url": "https://example.org/cleanplate.git", "vcs_info": of})
    assert words()[2] == "cleanplate[train] @ git+https://example.org/cleanplate.git@abc1"


def test_a_tree_that_was_never_installed_is_named(monkeypatch):
    def missing(_: str) -> None:
        raise PackageNotFoundError

    monkeypatch.setattr(installation, "distribution", missing)
    root = Path(installation.__file__).resolve().parents[2]
    assert words()[2:4] == ["-e", f"{root}[train]"]
    assert declared() == ([], {}, {})


def test_the_command_is_for_the_python_that_runs(installed, monkeypatch):
    installed()
    monkeypatch.setenv("PATH", "/nowhere")
    pip = shlex.split(install_command("train"))[:3]
    assert pip == [sys.executable, "-m", "pip"]


def test_pip_understands_each_form(installed, tmp_path):
    """Read by pip itself, without looking for anything."""
    read = "from pip._internal.req.constructors import install_req_from_line as r; import sys; "
    read += "print(*sorted(r(sys.argv[1]).extras))"
    project = tmp_path / "a project"
    project.mkdir()
    (project / "pyproject.toml").touch()
    wheel = tmp_path / "cleanplate-1-py3-none-any.whl"
    wheel.touch()
    for origin in (
        None,
        {"url": project.as_uri(), "dir_info": {}},
        {"url": wheel.as_uri(), "archive_info": {}},
        {"url": "https://example.org/c.git", "vcs_info": {"vcs": "git", "commit_id": "abc1"}},
    ):
        installed(origin)
        done = subprocess.run(
            [sys.executable, "-c", read, words()[-1]],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        )
        assert done.stdout.strip() == "train"
