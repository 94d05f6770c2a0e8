"""`predict --engine ray` on a local cluster of two workers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from cleanplate.cli import main
from cleanplate.predict import predictor as predictor_module
from cleanplate.predict.frames import frame_workers
from cleanplate.predict.frames.frame_job import Outcome, Task
from cleanplate.predict.session import PairSession
from tests.predict.frames.test_frame_workers import started


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


def predict(tiny: Path, files: Path, out: str, *more: str) -> int:
    arguments = ["--plate", files / "plate.png", files / "frames", "-o", files / out, *more]
    return main(["predict", "--model", str(tiny), "--threads", "1", *map(str, arguments)])


def content(folder: Path) -> dict[str, object]:
    """Bytes of each file; of a report, what does not depend on the clock."""
    found: dict[str, object] = {}
    for path in sorted(folder.iterdir()):
        found[path.name] = path.read_bytes()
        if path.suffix == ".json":
            report = json.loads(path.read_text("utf-8"))
            found[path.name] = {k: v for k, v in report.items() if k not in ("seconds", "seal")}
    return found


def test_files_are_those_of_one_process_in_the_same_order(
    cluster, tiny: Path, files: Path, capsys: pytest.CaptureFixture[str]
):
    (files / "frames" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    for number in range(5):
        shutil.copy(files / "frames" / "one.png", files / "frames" / f"z{number}.png")
    assert predict(tiny, files, "out", "--json", "-") == 2
    alone = json.loads(capsys.readouterr().out)
    assert predict(tiny, files, "shared", "--engine", "ray", "--workers", "2", "--json", "-") == 2
    told = capsys.readouterr()
    shared = json.loads(told.out)
    names = [[Path(one["frame"]).stem for one in run["frames"]] for run in (alone, shared)]
    assert names[0] == names[1] == ["one", "two", "z0", "z1", "z2", "z3", "z4"]
    assert shared["failed"] == alone["failed"]
    assert "broken.png" in told.err
    assert "Traceback" not in told.err
    assert content(files / "out") == content(files / "shared")


class Recording(PairSession):
    """A session that leaves a file, named by its process, when it is made."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        (Path(os.environ["CLEANPLATE_TEST_FOLDER"]) / f"{os.getpid()}.{id(self)}").touch()

    def __reduce__(self):
        model, threads, providers, _ = super().__reduce__()[1]
        return reopened, (model, threads, providers)


def reopened(folder: Path, threads: int, providers: tuple[str, ...]) -> Recording:
    from cleanplate.models import find_model

    return Recording(find_model(folder), threads, providers)


class Dying(frame_workers._Frames):
    """Is killed when the frame `two` is written and nobody knows it yet, the first time."""

    def __call__(self, task: Task) -> Outcome:
        outcome = super().__call__(task)
        marker = Path(os.environ["CLEANPLATE_TEST_FOLDER"]) / "died"
        if task[1] == "two" and not marker.exists():
            marker.write_text(str(os.getpid()), encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)
        return outcome


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_each_worker_makes_one_session_and_a_killed_one_is_replaced(
    cluster, tiny: Path, files: Path, monkeypatch: pytest.MonkeyPatch
):
    for number in range(8):
        shutil.copy(files / "frames" / "one.png", files / "frames" / f"z{number}.png")
    assert predict(tiny, files, "alone") == 0
    sessions = files / "sessions"
    sessions.mkdir()
    monkeypatch.setenv("CLEANPLATE_TEST_FOLDER", str(sessions))
    monkeypatch.setattr(predictor_module, "PairSession", Recording)
    monkeypatch.setattr(frame_workers, "_Frames", Dying)
    assert predict(tiny, files, "out", "--engine", "ray", "--workers", "2") == 0
    assert (sessions / "died").exists()
    assert content(files / "out") == content(files / "alone")
    made = [int(file.name.partition(".")[0]) for file in sessions.glob("*.*")]
    assert len(set(made)) == len(made), "no process makes two"
    # This process, two workers, and the one in place of the killed, if the other left it a frame.
    assert 3 <= len(made) <= 4
    assert int((sessions / "died").read_text("utf-8")) in made
    assert made.count(os.getpid()) == 1


def test_pipes_are_refused(tiny: Path, files: Path, capsys: pytest.CaptureFixture[str]):
    assert predict(tiny, files, "out", "-", "--engine", "ray") == 2
    assert "leave --engine ray out" in capsys.readouterr().err


def test_an_address_needs_the_engine(tiny: Path, files: Path, capsys: pytest.CaptureFixture[str]):
    assert predict(tiny, files, "out", "--ray-address", "auto") == 2
    assert "--ray-address is for --engine ray" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_ctrl_c_stops_the_cluster_and_leaves_whole_files(tiny: Path, files: Path):
    pytest.importorskip("ray")
    for number in range(198):
        shutil.copy(files / "frames" / "one.png", files / "frames" / f"more{number}.png")
    process = started(tiny, "--plate", files / "plate.png", files / "frames", "-o", files / "out",
                      "--workers", "2", "--engine", "ray")  # fmt: skip
    try:
        while len(list((files / "out").glob("*.json"))) < 3:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    made = list((files / "out").iterdir())
    assert not [path for path in made if path.name.startswith(".")]
    reports = [path for path in made if path.suffix == ".json"]
    assert 0 < len(reports) < 200
    assert all(json.loads(path.read_text("utf-8"))["complete"] for path in reports)


def test_a_cluster_that_is_there_is_used_and_stays(cluster, tiny: Path, files: Path):
    """Another program's cluster, whose processes were not started in this folder."""
    address = cluster.get_runtime_context().gcs_address
    process = started(tiny, "--plate", "plate.png", "frames", "-o", "out", "--engine", "ray",
                      "--ray-address", address, folder=files)  # fmt: skip
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "out/one.alpha.png" in out
    assert (files / "out" / "two.alpha.png").exists()
    assert cluster.is_initialized()
