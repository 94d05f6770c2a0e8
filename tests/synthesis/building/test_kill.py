"""Builds that are killed, stopped or out of disk: real processes, real signals."""

from __future__ import annotations

import ctypes
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from cleanplate.synthesis.building.build import build
from cleanplate.synthesis.building.local_engine import run_here
from tests.synthesis.small_sets import (
    ROOT,
    command,
    digests,
    environment,
    run,
    small_request,
    unfinished,
    write_assets_folder,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")

SHAPE = {
    "realistic": (["--count", "150"], {"count": 150}),
    "assignment": (["--preset", "assignment", "--placements", "40"], {"placements": 40}),
}
"""Sets of about a second's work in ten shards: as the command and as a build request."""
SIZE = (["--size", "160x128", "--shard-size", "15"], {"size": (128, 160), "shard_size": 15})
PIECES = {"realistic": 10, "assignment": 32}


def arguments(preset: str, *more: str) -> list[str]:
    return [*SHAPE[preset][0], *SIZE[0], *more]


@pytest.fixture(scope="module")
def asset_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_assets_folder(tmp_path_factory.mktemp("asset_folder"))


@pytest.fixture(scope="module")
def whole(
    asset_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, str]]:
    """Digests of sets that nothing interrupted, made in this process."""
    found = {}
    for preset, (_, shape) in SHAPE.items():
        out = tmp_path_factory.mktemp(preset)
        build(small_request(asset_folder, out, preset, **{**shape, **SIZE[1]}), run_here)
        found[preset] = digests(out)
    return found


def started(asset_folder: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    """The command at the head of a process group of its own, as under a shell."""
    return subprocess.Popen(
        command(asset_folder, out, *more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment(),
        start_new_session=True,
    )


def children(process: subprocess.Popen[str]) -> list[int]:
    """Worker processes, which multiprocessing names by `spawn_main`."""
    file = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    found = []
    with suppress(FileNotFoundError, ProcessLookupError):  # one that has just ended
        for child in map(int, file.read_text(encoding="utf-8").split()):
            with suppress(FileNotFoundError, ProcessLookupError):
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(child)
    return found


def files_in(out: Path) -> int:
    """How many there are, begun ones too."""
    return sum(1 for _ in out.rglob("*"))


def wait_for_life(process: subprocess.Popen[str], out: Path) -> bool:
    """Wait until the build has made a file; False if it ended before."""
    before, until = files_in(out), time.monotonic() + 300
    while process.poll() is None and time.monotonic() < until:
        if out.is_dir() and files_in(out) > before:
            return True
        time.sleep(0.005)
    return False


@pytest.mark.parametrize(("preset", "workers"), [("realistic", "3"), ("assignment", "1")])
def test_killed_again_and_again(
    asset_folder: Path, whole: dict[str, dict[str, str]], tmp_path: Path, preset: str, workers: str
):
    """The whole group by SIGKILL, at random moments; then the same command, left alone."""
    out, draw = tmp_path / "set", random.Random(7)
    out.mkdir()
    killed = halves = 0
    for _ in range(40):
        if killed >= 3 and halves:
            break
        if (out / "dataset.json").exists():  # it was faster than the kills: from the beginning
            shutil.rmtree(out)
            out.mkdir()
        process = started(asset_folder, out, *arguments(preset, "--workers", workers))
        if wait_for_life(process, out):
            time.sleep(draw.uniform(0, 0.25))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
        process.communicate()
        records = len(list((out / "records").glob("[0-9]*.json")))
        if preset == "assignment":
            halves += len(list((out / "fg_bg").glob("*"))) % 15 > 0
        else:
            halves += bool(unfinished(out))
        for name, digest in digests(out).items():
            if name.startswith(("records/0", "plan")):
                assert digest == whole[preset][name], f"{name} is not what it has to be"
        assert not (out / "dataset.json").exists() or records == PIECES[preset]
    assert killed >= 3
    assert halves, "no kill met a file that was being written"
    done = run(command(asset_folder, out, *arguments(preset, "--workers", workers)))
    assert done.returncode == 0, done.stderr
    assert digests(out) == whole[preset]
    assert unfinished(out) == []


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds workers in /proc")
def test_a_worker_killed_alone_is_replaced(
    asset_folder: Path, whole: dict[str, dict[str, str]], tmp_path: Path
):
    """As a system short of memory does; the build neither hangs nor fails."""
    out = tmp_path / "set"
    out.mkdir()
    process = started(asset_folder, out, *arguments("realistic", "--workers", "2"))
    kills, before = 0, 0
    while kills < 3 and process.poll() is None:
        workers, made = children(process), len(list(out.glob("records/[0-9]*.json")))
        # A shard is done between two kills: three in a row are too many for the build.
        if len(workers) == 2 and made > before:
            before = made
            with suppress(ProcessLookupError):
                os.kill(workers[kills % 2], signal.SIGKILL)
                kills += 1
            while process.poll() is None and set(workers) & set(children(process)):
                time.sleep(0.005)
        time.sleep(0.005)
    _, told = process.communicate(timeout=400)
    assert process.returncode == 0, told
    assert kills >= 2
    assert digests(out) == whole["realistic"]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds workers in /proc")
def test_workers_that_always_die_are_given_up(asset_folder: Path, tmp_path: Path):
    out = tmp_path / "set"
    process = started(
        asset_folder, out, *arguments("realistic", "--workers", "1", "--shard-size", "150")
    )
    while process.poll() is None:
        for worker in children(process):
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        time.sleep(0.01)
    _, told = process.communicate(timeout=400)
    assert process.returncode == 2
    assert "worker processes were killed 3 times" in told
    assert "fewer --workers" in told


def test_workers_that_die_before_they_have_begun_are_given_up(tmp_path: Path):
    """A script without a file has no main module that a worker could import.

    With a plan larger than a pipe holds (64 KB), the build once waited for ever.
    """
    asset_folder = write_assets_folder(tmp_path / "asset_folder")
    metadata = asset_folder / "plates" / "room0.json"
    metadata.write_text(
        json.dumps({**json.loads(metadata.read_text(encoding="utf-8")), "source": "x" * 300_000}),
        encoding="utf-8",
    )
    script = f"""
from functools import partial
from pathlib import Path
from cleanplate.errors import CleanplateError
from cleanplate.synthesis.building.build import build
from cleanplate.synthesis.building.local_engine import run_local
from tests.synthesis.small_sets import small_request
wanted = small_request(Path({str(asset_folder)!r}), Path({str(tmp_path / "set")!r}))
try:
    build(wanted, partial(run_local, workers=2))
except CleanplateError as error:
    print(error)
"""
    path = os.pathsep.join([str(ROOT), environment()["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, "-"],
        input=script,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=200,
    )
    assert "worker processes were killed 3 times" in done.stdout, done.stderr
    assert "__main__" in done.stdout
    assert sorted(f.name for f in (tmp_path / "set").iterdir()) == [".lock", "plan.json", "records"]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds workers in /proc")
def test_orphans_end_with_their_build(
    asset_folder: Path, whole: dict[str, dict[str, str]], tmp_path: Path
):
    """The build alone is killed; a new one waits until the last worker has gone."""
    out = tmp_path / "set"
    out.mkdir()
    process = started(asset_folder, out, *arguments("realistic", "--workers", "2"))
    assert wait_for_life(process, out)
    while not (orphans := children(process)):
        time.sleep(0.01)
    process.kill()
    done = run(command(asset_folder, out, *arguments("realistic", "--workers", "2")))
    assert done.returncode == 0, done.stderr
    assert digests(out) == whole["realistic"]
    assert not any(alive(orphan) for orphan in orphans)
    process.communicate()


def alive(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False


def interrupt(process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C: it reaches the whole group, and the build ends as it should."""
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=400)
    assert process.returncode == 130, told
    assert "the same command resumes" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("preset", ["realistic", "assignment"])
def test_control_c(
    asset_folder: Path, whole: dict[str, dict[str, str]], tmp_path: Path, preset: str
):
    out = tmp_path / "set"
    out.mkdir()
    process = started(asset_folder, out, *arguments(preset, "--workers", "2"))
    while not list(out.glob("records/[0-9]*.json")) and process.poll() is None:
        time.sleep(0.005)
    interrupt(process)
    assert unfinished(out) == []
    assert not (out / "dataset.json").exists()
    if preset == "assignment":
        chunks = len(list(out.glob("records/*.json")))
        assert len(list(out.glob("mask/*"))) == chunks * 15, "nothing of an unfinished chunk"
    assert run(command(asset_folder, out, *arguments(preset, "--workers", "0"))).returncode == 0
    assert digests(out) == whole[preset]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds workers in /proc")
def test_control_c_while_workers_still_import(asset_folder: Path, tmp_path: Path):
    out = tmp_path / "set"
    out.mkdir()
    process = started(asset_folder, out, *arguments("realistic", "--workers", "2"))
    while not children(process):
        time.sleep(0.001)
    interrupt(process)


def small_files() -> None:
    """No file of this process and its children grows beyond 60 kB; told by an error."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))


def test_a_file_that_the_disk_does_not_take(
    asset_folder: Path, whole: dict[str, dict[str, str]], tmp_path: Path
):
    out = tmp_path / "set"
    call = command(asset_folder, out, *arguments("realistic", "--workers", "0"))
    done = run(call, preexec_fn=small_files)
    assert done.returncode == 2
    assert "000000.tar: is larger than the disk allows" in done.stderr
    assert "Traceback" not in done.stderr
    assert unfinished(out) == []
    assert run(call).returncode == 0
    assert digests(out) == whole["realistic"]


NEW_NAMESPACE, NEW_USER = 0x00020000, 0x10000000


def small_disk(folder: Path, size: str) -> bool:
    """Mount a disk of that size there, for this process and its children alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_NAMESPACE | (NEW_USER if os.getuid() else 0)):
        return False
    libc.mount(b"none", b"/", None, ctypes.c_ulong(0x44000), None)  # private, all of it
    flags = ctypes.c_ulong(0)
    return libc.mount(b"none", str(folder).encode(), b"tmpfs", flags, size.encode()) == 0


@pytest.mark.parametrize(
    ("preset", "size"), [("realistic", "size=2m"), ("assignment", "size=900k")]
)
def test_a_full_disk(
    asset_folder: Path, whole: dict[str, dict[str, str]], tmp_path: Path, preset: str, size: str
):
    """A real, small file system: the build says what is full, keeps what it has, and goes on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    out = disk / "set"
    call = command(asset_folder, out, *arguments(preset, "--workers", "2"))
    script = f"""
import json, sys
from pathlib import Path
from tests.synthesis.small_sets import digests, run, unfinished
from tests.synthesis.building.test_kill import small_disk
disk, out, call = Path({str(disk)!r}), Path({str(out)!r}), {call!r}
if not small_disk(disk, {size!r}):
    sys.exit(77)
full = run(call)
kept = {{name: digest for name, digest in digests(out).items()}}
left = unfinished(out)
import ctypes
ctypes.CDLL(None).mount(b"none", str(disk).encode(), b"tmpfs", ctypes.c_ulong(32), b"size=60m")
done = run(call)
print(json.dumps([full.returncode, full.stderr, kept, left, done.returncode, digests(out)]))
"""
    root = str(Path(__file__).resolve().parents[3])
    env = {"PYTHONPATH": os.pathsep.join([root, environment()["PYTHONPATH"]])}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, **env},
        check=False,
        timeout=500,
    )
    if done.returncode == 77:
        pytest.skip("no disk can be mounted here")
    assert done.returncode == 0, done.stderr
    code, told, kept, left, second, made = json.loads(done.stdout)
    assert code == 2, told
    assert "the disk is full" in told
    assert str(out) in told
    assert "Traceback" not in told
    assert left == []
    records = [name for name in kept if name.startswith("records/")]
    assert 0 < len(records) < PIECES[preset], "some of it was made before the disk was full"
    for name, digest in kept.items():
        assert digest == whole[preset][name], f"{name} is not what it has to be"
    if preset == "assignment":
        assert sum(name.startswith("mask/") for name in kept) == 15 * len(records)
    assert second == 0
    assert made == whole[preset]
