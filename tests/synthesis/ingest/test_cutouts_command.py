"""`cleanplate synth cutouts`, from pictures to a catalogue."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cleanplate import Predictor
from cleanplate.cli import main
from cleanplate.formats.pictures import read_image, read_rgba, resize, write_alpha, write_image
from cleanplate.synthesis.assets.catalogue import CutoutFolder
from cleanplate.synthesis.assets.licensing import read_credits
from tests.synthesis.ingest.test_cutout_extraction import disc, figure, mixed, stripes

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
CREDIT = ["--license", "CC0-1.0", "--source", "a drawer", "--attribution", "by me"]


def rgba(path: Path, alpha: np.ndarray, *, black: bool = False, seed: int = 0) -> Path:
    path.parent.mkdir(exist_ok=True)
    colour = stripes(alpha.shape, seed)
    stored = mixed(colour, alpha, 0) if black else colour
    write_image(path, np.dstack([stored, np.rint(alpha * 255).astype(np.uint8)]))
    return path


def run(capsys, *arguments: object) -> tuple[int, dict, str]:
    code = main(["synth", "cutouts", *map(str, arguments), "--json", "-", "--quiet"])
    said = capsys.readouterr()
    return code, json.loads(said.out or "{}"), said.err


def test_pictures_with_alpha(tmp_path: Path, capsys):
    ball = disc((140, 120), (60, 70), 40, soft=8)
    rgba(tmp_path / "in" / "ball.png", ball, black=True)
    rgba(tmp_path / "in" / "man.webp", figure(), seed=3)
    out = tmp_path / "out"
    code, said, _ = run(
        capsys, tmp_path / "in", "-o", out, "--height", 1.8, "--kind", "person", *CREDIT
    )
    assert code == 0
    assert [one["name"] for one in said["cutouts"]] == ["ball", "man"]
    assert said["cutouts"][0]["made_from"]["unmixed_from"] == "black"
    assert "unmixed_from" not in said["cutouts"][1]["made_from"]
    colour, alpha = read_rgba(out / "ball.png")
    # Its rim is 47 pixels from the centre at the least alpha that counts, and 3 are left clear.
    inner = stripes(ball.shape)[70 - 47 : 70 + 47, 60 - 47 : 60 + 47]
    rim = (alpha > 0.3) & (alpha < 1)
    assert np.abs(colour.astype(int) - inner)[rim].max() <= 3, "straight again"
    cutouts = CutoutFolder.open(out)
    assert [one.name for one in (cutouts[0], cutouts[1])] == ["ball", "man"]
    assert cutouts[1].size[2] == 1.8
    credits = read_credits(cutouts.files)
    assert credits[0].licenses == ("CC0-1.0",)
    assert credits[0].sources == ("a drawer",)
    assert credits[0].attributions == ("by me",)


def test_photographs_with_masks(tmp_path: Path, capsys):
    alpha = disc((140, 120), (60, 70), 40, soft=6)
    for name in ("a", "b", "c"):
        rgba(tmp_path / "photos" / f"{name}.png", np.ones_like(alpha))
    write_image(tmp_path / "photos" / "a.jpg", stripes(alpha.shape))
    (tmp_path / "photos" / "a.png").unlink()
    (tmp_path / "masks").mkdir()
    write_alpha(tmp_path / "masks" / "a.png", alpha, bits=16)
    write_alpha(tmp_path / "masks" / "b.png", alpha[:50])
    code, said, _ = run(
        capsys, tmp_path / "photos", "--masks", tmp_path / "masks", "-o", tmp_path / "out", *CREDIT
    )
    assert code == 0
    assert [one["name"] for one in said["cutouts"]] == ["a"]
    assert said["cutouts"][0]["made_from"]["mask"] == "a.png"
    assert [Path(one["file"]).name for one in said["refused"]] == ["b.png", "c.png"]
    assert said["refused"][0]["reason"] == "its mask is 120 x 50, the photograph 120 x 140"
    assert said["refused"][1]["reason"] == "no mask has its name"


def test_a_clip_against_its_plate(tmp_path: Path, capsys):
    """The example scene: a woman with a mug, 1.74 m tall, 3.2 m away."""
    clip = tmp_path / "clip"
    clip.mkdir()
    plate, frame = read_image(EXAMPLES / "plate.jpg"), read_image(EXAMPLES / "frame.jpg")
    noise = np.random.default_rng(0).normal(0, 2, frame.shape)
    for name, picture in {
        "f01": frame,
        "f02": (frame + noise).clip(0, 255).astype(np.uint8),  # the same again
        "f03": (plate + noise).clip(0, 255).astype(np.uint8),  # nobody there
        "f04": np.roll(frame, 40, 1),  # a knock on the tripod
        "f05": resize(read_image(EXAMPLES / "background.jpg"), frame.shape[:2]),
    }.items():
        write_image(clip / f"{name}.jpg", picture)
    metadata = json.loads((EXAMPLES / "pairs" / "kitchen.json").read_text(encoding="utf-8"))
    (tmp_path / "plate.json").write_text(
        json.dumps(
            {key: metadata[key] for key in ("fx", "fy", "cx", "cy", "camera_height", "pitch")}
        ),
        encoding="utf-8",
    )
    (tmp_path / "plate.jpg").write_bytes((EXAMPLES / "plate.jpg").read_bytes())
    code, said, _ = run(
        capsys, clip, "--plate", tmp_path / "plate.jpg", "--plate-depth",
        EXAMPLES / "plate_depth.png", "-o", tmp_path / "out", "--no-license", "--threads", 1,
        "--align", "off",
    )  # fmt: skip
    assert code == 0
    assert [one["name"] for one in said["cutouts"]] == ["f01"]
    reasons = {Path(one["file"]).stem: one["reason"] for one in said["refused"]}
    assert reasons["f02"] == "nearly the same as one before"
    assert "clear everywhere" in reasons["f03"]
    assert "camera moved by 40 pixels; use --align" in reasons["f04"]
    assert "not the frame's plate" in reasons["f05"]
    made = said["cutouts"][0]
    assert made["size_m"][2] == pytest.approx(1.74, rel=0.08)
    # How near the model comes to the true 3.2 m is what `evaluate` measures; here it is its answer.
    scene = Predictor(align="off").scene(
        EXAMPLES / "plate.jpg", depth=EXAMPLES / "plate_depth.png", focal=metadata["fy"]
    )
    placed = scene.predict(EXAMPLES / "frame.jpg").report["subjects"][0]["distance_m"]
    assert made["distance_m"] == pytest.approx(placed, rel=0.02)
    assert 2.7 < placed < 3.7
    assert made["camera_height_m"] == 1.38
    assert "license" not in made
    alpha = read_rgba(tmp_path / "out" / "f01.png")[1]
    truth = read_image(EXAMPLES / "pairs" / "kitchen_alpha.png")[..., 0] / 255
    assert alpha.sum() == pytest.approx(truth.sum(), rel=0.05)


def test_each_nth_frame(tmp_path: Path, capsys):
    plate = EXAMPLES / "plate.jpg"
    for number in range(1, 8):
        (tmp_path / f"{number}.jpg").write_bytes((EXAMPLES / "frame.jpg").read_bytes())
    code, said, _ = run(
        capsys, tmp_path / "*.jpg", "--plate", plate, "--every", 6, "-o", tmp_path / "out",
        "--no-license",
    )  # fmt: skip
    assert code == 0
    assert [Path(one["file"]).name for one in said["cutouts"] + said["kept"]] == ["1.jpg", "7.jpg"]


def test_the_same_command_adds_nothing(tmp_path: Path, capsys):
    source, out = rgba(tmp_path / "in" / "man.png", figure()), tmp_path / "out"
    assert run(capsys, source, "-o", out, *CREDIT)[0] == 0
    stamp = (out / "man.png").stat().st_mtime_ns
    code, said, _ = run(capsys, source, "-o", out, *CREDIT)
    assert code == 0
    assert said["cutouts"] == []
    assert [one["name"] for one in said["kept"]] == ["man"]
    assert (out / "man.png").stat().st_mtime_ns == stamp
    rgba(tmp_path / "in" / "man.png", figure(), seed=9)
    assert run(capsys, source, "-o", out, *CREDIT)[1]["cutouts"][0]["name"] == "man-2"
    code, said, _ = run(capsys, source, "-o", out, "--rebuild", "--height", 2, *CREDIT)
    assert said["cutouts"][0]["name"] == "man-2"
    assert json.loads((out / "man-2.json").read_text(encoding="utf-8"))["height_m"] == 2


def test_a_licence_is_asked_for(tmp_path: Path, capsys):
    source, out = rgba(tmp_path / "in" / "man.png", figure()), tmp_path / "out"
    for options in ([], ["--license", "CC0-1.0"], ["--source", "x", "--license", "unknown"][:2]):
        code, _, error = run(capsys, source, "-o", out, *options)
        assert code == 2
        assert "man.png: nothing says its" in error
        assert not out.exists()
    (tmp_path / "in" / "catalogue.json").write_text(
        json.dumps({"license": "MIT", "source": "us"}), encoding="utf-8"
    )
    code, said, _ = run(capsys, source, "-o", out, *CREDIT)
    assert code == 0
    assert said["cutouts"][0]["license"] == "MIT", "the folder's own goes before what is given"
    code, said, _ = run(capsys, source, "-o", out, "--rebuild")
    assert (code, said["cutouts"][0]["source"]) == (0, "us")


def test_a_damaged_picture_is_named_and_the_others_are_made(tmp_path: Path, capsys):
    source = rgba(tmp_path / "in" / "man.png", figure())
    (tmp_path / "in" / "broken.png").write_bytes(b"\x89PNG nothing")
    rgba(tmp_path / "in" / "odd.png", figure(), seed=4)
    (tmp_path / "in" / "odd.json").write_text("{", encoding="utf-8")
    code, said, error = run(capsys, source.parent, "-o", tmp_path / "out", *CREDIT)
    assert code == 2
    assert [one["name"] for one in said["cutouts"]] == ["man"]
    assert [Path(one["file"]).name for one in said["failed"]] == ["broken.png", "odd.png"]
    assert "2 of 3 pictures could not be used" in error
    assert "odd.json" in error
    assert (tmp_path / "out" / "man.png").exists()


def test_when_nothing_comes_out(tmp_path: Path, capsys):
    flat = rgba(tmp_path / "in" / "flat.png", np.ones((90, 90), np.float32))
    (tmp_path / "in" / "broken.png").write_bytes(b"\x89PNG nothing")
    write_image(tmp_path / "in" / "plain.jpg", stripes((90, 90)))
    code, said, error = run(capsys, flat.parent, "-o", tmp_path / "out", *CREDIT)
    assert code == 2
    assert "no picture makes a cutout" in error
    assert "plain.jpg: it has no alpha channel" in error
    assert [Path(one["file"]).name for one in said["failed"]] == ["broken.png"]
    assert [Path(one["file"]).name for one in said["refused"]] == ["flat.png", "plain.jpg"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--every", "2"], "--every is for frames of a clip"),
        (["--masks", "m", "--plate", "p.jpg"], "--masks is for photographs"),
        (["--cut", "left,below"], "--cut knows none, left, right, bottom, top"),
        (["--masks", "nowhere"], "nowhere: is no folder of masks"),
        (["--plate", "nowhere.jpg"], "nowhere.jpg"),
    ],
)
def test_mistakes(tmp_path: Path, options: list[str], message: str, capsys):
    source = rgba(tmp_path / "in" / "man.png", figure())
    call = ["synth", "cutouts", str(source), "-o", str(tmp_path / "out"), *CREDIT, *options]
    assert main(call) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_depth_without_intrinsics_is_an_error(tmp_path: Path, capsys):
    call = ["synth", "cutouts", str(EXAMPLES / "frame.jpg"), "--plate", str(EXAMPLES / "plate.jpg")]
    call += ["--plate-depth", str(EXAMPLES / "plate_depth.png"), "-o", str(tmp_path), *CREDIT]
    assert main(call) == 2
    assert "focal length of this plate is not known" in capsys.readouterr().err
