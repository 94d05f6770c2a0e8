"""Tar files by position: what the standard library finds, and every damage it passes over."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from cleanplate.errors import CleanplateError
from cleanplate.training.data import tar_index
from cleanplate.training.data.tar_index import members

FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


def write_tar(file, entries, *, form=tarfile.USTAR_FORMAT, mtime=0.0):
    """Write (name, contents) entries; contents None = a folder."""
    with tarfile.open(file, "w", format=form) as tar:
        for name, data in entries:
            member = tarfile.TarInfo(name)
            member.mtime = mtime
            member.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            member.size = len(data or b"")
            tar.addfile(member, io.BytesIO(data or b""))
    return file


def contents(file, found):
    data = file.read_bytes()
    return [
        (name.decode(), data[offset : offset + size])
        for name, offset, size in zip(found.names, found.offsets, found.sizes, strict=True)
    ]


names = st.text("abcxyz0123456789._-/äß", min_size=1, max_size=130).filter(
    lambda name: not name.startswith("/") and not name.endswith("/") and "//" not in name
)


@settings(deadline=None, max_examples=60)
@given(
    entries=st.lists(st.tuples(names, st.binary(max_size=1500)), max_size=8),
    form=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    mtime=st.sampled_from([0.0, 1700000000.25]),
)
def test_any_tar_file_is_read_as_it_was_written(tmp_path_factory, entries, form, mtime):
    file = tmp_path_factory.mktemp("tar") / "a.tar"
    write_tar(file, entries, form=form, mtime=mtime)
    assert contents(file, members(file)) == entries


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("mtime", [0.0, 1700000000.25])
def test_what_builders_write_goes_the_quick_way(tmp_path, monkeypatch, form, mtime):
    entries = [(f"{n:09}.{part}", bytes([n]) * n * 200) for n in range(9) for part in "abc"]
    file = write_tar(tmp_path / "a.tar", entries, form=form, mtime=mtime)
    monkeypatch.setattr(tar_index, "_by_tarfile", None)  # not reached
    monkeypatch.setattr(tar_index, "_HEADERS_AT_ONCE", 4)  # several rounds
    assert contents(file, members(file)) == entries


def test_folders_are_no_files_and_an_empty_tar_has_none(tmp_path):
    file = write_tar(tmp_path / "a.tar", [("d", None), ("d/x.a", b"1")])
    assert contents(file, members(file)) == [("d/x.a", b"1")]
    assert members(write_tar(tmp_path / "b.tar", [])).names == []


@pytest.mark.parametrize("place", [0, 60, 126, 150, 156, 258, 400])
@pytest.mark.parametrize("member", [0, 2])
def test_a_changed_byte_in_any_header_is_an_error(tmp_path, place, member):
    file = write_tar(tmp_path / "a.tar", [(f"{n}.a", b"x" * 700) for n in range(4)])
    data = bytearray(file.read_bytes())
    data[member * 1536 + place] ^= 0x15
    file.write_bytes(data)
    with pytest.raises(CleanplateError, match=r"a\.tar: the shard (is damaged|cannot be read)"):
        members(file)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 4 * 1536 + 511))
def test_a_tar_file_cut_anywhere_before_its_end_is_an_error(tmp_path_factory, length):
    file = tmp_path_factory.mktemp("tar") / "a.tar"
    write_tar(file, [(f"{n}.a", b"x" * 700) for n in range(4)])
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(CleanplateError, match=r"a\.tar: the shard (is|cannot)"):
        members(file)


def test_offsets_are_wide_enough_for_large_files(tmp_path):
    """A sparse file of 5 GB: what lies behind is found."""
    file = tmp_path / "a.tar"
    large = tarfile.TarInfo("a.large")
    large.size = 5 << 30
    small = tarfile.TarInfo("b.small")
    small.size = 3
    with file.open("wb") as raw:
        raw.write(large.tobuf(tarfile.USTAR_FORMAT))
        raw.seek(large.size, io.SEEK_CUR)
        raw.write(small.tobuf(tarfile.USTAR_FORMAT) + b"end".ljust(512, b"\0") + bytes(1024))
    found = members(file)
    assert found.sizes.tolist() == [5 << 30, 3]
    with file.open("rb") as raw:
        raw.seek(int(found.offsets[1]))
        assert raw.read(3) == b"end"
    assert found.offsets.dtype == np.int64
