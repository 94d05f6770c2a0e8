from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import opened, replacing
from cleanplate.files.listing import find_pictures, natural_key


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_replacing_writes_the_whole_file(tmp_path):
    target = tmp_path / "a.png"
    with replacing(target) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"
        assert temporary.name.startswith(".")
        temporary.write_bytes(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["a.png"]


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt, SystemExit])
def test_replacing_leaves_the_old_file_on_any_exception(tmp_path, fault):
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    with pytest.raises(fault), replacing(target) as temporary:  # noqa: PT012
        temporary.write_bytes(b"half")
        raise fault
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a.png"]


def test_replacing_says_when_the_disk_is_full(tmp_path):
    target = tmp_path / "a.png"
    with pytest.raises(CleanplateError, match=r"a\.png: the disk is full"), replacing(target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_replacing_says_when_the_disk_really_is_full(tmp_path):
    target = tmp_path / "a.png"
    with (  # noqa: PT012
        pytest.raises(CleanplateError, match="the disk is full"),
        replacing(target) as temporary,
    ):
        temporary.unlink()
        temporary.symlink_to("/dev/full")
        temporary.write_bytes(b"x" * 100)
    assert names(tmp_path) == []


def test_replacing_lets_the_fault_of_another_file_through(tmp_path):
    with pytest.raises(FileNotFoundError, match="other"), replacing(tmp_path / "a.png"):
        (tmp_path / "other").read_bytes()
    assert names(tmp_path) == []


def test_replacing_says_when_there_is_no_folder(tmp_path):
    with (
        pytest.raises(CleanplateError, match="folder does not exist") as caught,
        replacing(tmp_path / "no" / "a.png"),
    ):
        pass
    assert caught.value.file == tmp_path / "no" / "a.png"
    assert caught.value.cure


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_replacing_says_when_the_folder_is_not_writable(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(CleanplateError, match="may not be written"):
            replacing(tmp_path / "a.png").__enter__()
    finally:
        tmp_path.chmod(0o700)


def test_replacing_refuses_a_folder_and_a_device(tmp_path):
    with pytest.raises(CleanplateError, match="is a folder"):
        replacing(tmp_path).__enter__()
    if os.name != "nt":
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(CleanplateError, match="not a plain file"):
            replacing(tmp_path / "pipe").__enter__()


def test_replacing_follows_a_link_and_keeps_it(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").write_bytes(b"old")
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "real" / "a.png")
    with replacing(link) as temporary:
        temporary.write_bytes(b"new")
    assert link.is_symlink()
    assert (tmp_path / "real" / "a.png").read_bytes() == b"new"


def test_replacing_gives_ordinary_permissions(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    with replacing(tmp_path / "a.png") as temporary:
        temporary.write_bytes(b"new")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "a.png")}
    assert len(modes) == 1


def test_replacing_takes_the_longest_names(tmp_path):
    target = tmp_path / ("x" * 251 + ".png")
    with replacing(target) as temporary:
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"new"


@pytest.mark.skipif(os.name == "nt", reason="names have other limits there")
@pytest.mark.parametrize("name", ["x" * 252 + ".png", "x" * 4000 + ".png", "\u00e4" * 126 + ".png"])
def test_a_name_too_long_for_the_disk_is_an_error_that_names_it(tmp_path, name):
    with (
        pytest.raises(CleanplateError, match="the name is too long") as caught,
        replacing(tmp_path / name),
    ):
        pass
    assert caught.value.file == tmp_path / name
    assert caught.value.cure
    assert names(tmp_path) == []
    with pytest.raises(CleanplateError, match="the name is too long"):
        opened(tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="names have other limits there")
@pytest.mark.parametrize(
    "name", ["\u00e4" * 125 + ".png", "a." + "x" * 250, "\u732b" * 83 + ".jpg"]
)
def test_the_temporary_name_fits_wherever_the_name_does(tmp_path, name):
    with replacing(tmp_path / name) as temporary:
        assert temporary.name.startswith(".")
        temporary.write_bytes(b"new")
    assert (tmp_path / name).read_bytes() == b"new"
    assert names(tmp_path) == [name]


def test_a_killed_process_never_leaves_half_a_file(tmp_path):
    """SIGKILL in the middle of rewriting: the old file or a whole new one, never a part."""
    target = tmp_path / "a.bin"
    size = 1 << 20
    target.write_bytes(b"\0" * size)
    code = (
        "import sys; from cleanplate.files.atomic import replacing\n"
        "for i in range(1, 10**6):\n"
        "    with replacing(sys.argv[1]) as t:\n"
        f"        t.write_bytes(bytes([i % 256]) * {size})\n"
        "    print(i, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(target)],
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    for _ in range(3):
        assert process.stdout.readline()
    time.sleep(0.003)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    content = target.read_bytes()
    assert len(content) == size
    assert len(set(content)) == 1
    assert content[0] >= 3


def test_opened_gives_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with opened(tmp_path / "a") as stream:
        assert stream.read() == b"abc"


def touch(folder: Path, *files: str) -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_a_folder_gives_its_pictures_in_natural_order(tmp_path):
    touch(tmp_path, "f10.png", "f2.JPG", "f1.png", "notes.txt", ".hidden.png", "deep/f0.png")
    assert [p.name for p in find_pictures([tmp_path])] == ["f1.png", "f2.JPG", "f10.png"]


def test_a_pattern_gives_its_pictures(tmp_path):
    touch(tmp_path, "a1.png", "a10.png", "a2.png", "a3.json", "b.png", "deep/a7.png")
    found = find_pictures([str(tmp_path / "a*")])
    assert [p.name for p in found] == ["a1.png", "a2.png", "a10.png"]
    found = find_pictures([str(tmp_path / "**" / "a?.png")])
    assert [p.name for p in found] == ["a1.png", "a2.png", "a7.png"]


def test_the_order_of_arguments_is_kept_and_nothing_comes_twice(tmp_path):
    touch(tmp_path, "a.png", "b.png")
    found = find_pictures([tmp_path / "b.png", tmp_path, str(tmp_path / "*.png")])
    assert [p.name for p in found] == ["b.png", "a.png"]


def test_a_named_file_is_taken_whatever_its_suffix(tmp_path):
    touch(tmp_path, "frame.raw", "odd[1].png")
    assert find_pictures(tmp_path / "frame.raw") == [tmp_path / "frame.raw"]
    assert find_pictures(str(tmp_path / "odd[1].png")) == [tmp_path / "odd[1].png"]


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [("missing.png", "does not exist"), ("empty", "no picture in it"), ("x*.png", "matches")],
)
def test_nothing_found_is_an_error_that_names_the_argument(tmp_path, argument, complaint):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CleanplateError, match=complaint) as caught:
        find_pictures([tmp_path / argument])
    assert caught.value.file == tmp_path / argument
    assert caught.value.cure


def test_no_argument_is_an_error():
    with pytest.raises(CleanplateError, match="no picture was given"):
        find_pictures([])


def test_natural_order_of_known_names():
    ordered = ["1.png", "2.png", "10.png", "a", "A1", "a2", "A10", "b"]
    shuffled = ordered[::-1]
    assert sorted(shuffled, key=natural_key) == ordered


@given(st.lists(st.text(alphabet="aB0129._-é²", max_size=8), unique=True, max_size=12))
def test_natural_order_is_total(values):
    """Any names compare, and the order does not depend on where they started."""
    ordered = sorted(values, key=natural_key)
    values.reverse()
    assert sorted(values, key=natural_key) == ordered
