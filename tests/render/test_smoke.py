"""Plates, cutouts and a pair from a tiny asset folder, with Blender; skipped without it."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.testing as npt
import pytest

pytest.importorskip("bpy")

import bpy
from click.testing import CliRunner

from cleanplate.cli.synth.render_command import command
from cleanplate.depth import depth_files
from cleanplate.formats.pictures import read_image, read_rgba, to_float
from cleanplate.pairs.pair_files import find_pairs
from cleanplate.render.blender import cycles
from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder
from tests.render.library import write_catalogues

ROOM = ("rooms/box.glb", "room", "6x6x3", "")
CRATE = ("objects/crate.glb", "object", "0.7", "bbox(m) 0.7x0.7x0.7")
MUG = ("objects/mug.glb", "object", "0.12", "bbox(m) 0.1x0.1x0.12")


def save(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.export_scene.gltf(filepath=str(path), export_format="GLB")


def paint(name: str, colour: tuple[float, float, float], glow: float = 0.0) -> None:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    surface = material.node_tree.nodes["Principled BSDF"]
    surface.inputs["Base Color"].default_value = (*colour, 1)
    surface.inputs["Emission Color"].default_value = (*colour, 1)
    surface.inputs["Emission Strength"].default_value = glow
    bpy.context.object.data.materials.append(material)


@pytest.fixture(scope="module")
def assets(tmp_path_factory):
    """A room with four boxes and a lamp, a crate and a mug."""
    folder = write_catalogues(tmp_path_factory.mktemp("assets"), [ROOM], [CRATE, MUG])
    cycles.reset()
    bpy.ops.mesh.primitive_cube_add(size=1, location=(0, 0, 1.5), scale=(6, 6, 3))
    paint("walls", (0.7, 0.6, 0.5))
    bpy.ops.mesh.primitive_plane_add(size=2, location=(0, 0, 2.95))
    paint("lamp", (1, 1, 1), 8.0)
    for k, place in enumerate(((-2, -2), (2, -2), (-2, 2), (2, 2))):
        bpy.ops.mesh.primitive_cube_add(size=0.8, location=(*place, 0.4), rotation=(0, 0, k))
        paint(f"box{k}", (0.2 + 0.2 * k, 0.3, 0.8 - 0.2 * k))
    save(folder / "scenes/rooms/box.glb")
    metadata = {
        "bounds": [[-3, -3, 0], [3, 3, 3]],
        "camera": {"pos": [-2, 0, 1.5], "yaw_deg": 0.0, "fov_deg": 70.0},
    }
    (folder / "scenes/rooms/box.json").write_text(json.dumps(metadata), encoding="utf-8")
    cycles.reset()
    bpy.ops.mesh.primitive_cube_add(size=0.7, location=(0, 0, 0.35))
    paint("crate", (0.8, 0.5, 0.1))
    save(folder / "subjects/objects/crate.glb")
    cycles.reset()
    bpy.ops.mesh.primitive_cylinder_add(radius=0.05, depth=0.12, location=(0, 0, 0.06))
    paint("mug", (0.9, 0.9, 0.2))
    save(folder / "subjects/objects/mug.glb")
    return folder


def render(assets: Path, out: Path, task: str, count: int, size: str) -> dict:
    arguments = [task, "--assets", str(assets), "-o", str(out), "--count", str(count)]
    arguments += [
        "--size",
        size,
        "--python",
        sys.executable,
        "--quiet",
        "--json",
        "-",
        "--seed",
        "3",
    ]
    ran = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    account = json.loads(ran.stdout)
    assert account["accepted"] + account["rejected"] == count
    assert Path(account["sheets"][0]).is_file()
    return account


def test_depth_is_planar_exact_and_not_mixed():
    cycles.reset()
    bpy.ops.mesh.primitive_plane_add(size=60)
    bpy.ops.mesh.primitive_cube_add(size=1, location=(4, 0, 0.5))
    pitch, focal, size = -0.3, 50.0, (48, 64)
    cycles.set_camera(size, focal, (0, 0, 1.5), 0.0, pitch, f_number=0.5, focus=2.0)
    depth = cycles.render_depth()
    down = (np.arange(48)[:, None] + 0.5 - 24) / focal + np.zeros((1, 64))
    rise = math.sin(pitch) - math.cos(pitch) * down
    floor = np.where(rise < 0, -1.5 / np.minimum(rise, -1e-9), np.inf)
    # The cube's front stands at x = 3.5: ray by ray.
    ahead = math.cos(pitch) + math.sin(pitch) * down
    front = 3.5 / ahead
    column = (np.arange(64)[None] + 0.5 - 32) / focal
    on_front = (np.abs(column * front) < 0.5) & (np.abs(1.5 + front * rise - 0.5) < 0.5)
    inner = cv2.erode(on_front.astype(np.uint8), np.ones((3, 3))) > 0
    assert inner.sum() > 20
    npt.assert_allclose(depth[inner], front[inner], rtol=1e-3)
    far = (floor < 25) & (cv2.dilate((depth < floor - 0.05).astype(np.uint8), np.ones((3, 3))) == 0)
    npt.assert_allclose(depth[far], floor[far], rtol=5e-3)
    assert np.isinf(depth[floor > 100]).all()
    # Each pixel has the floor's depth or the cube's, through the widest lens too.
    assert ((depth > floor - 0.05) | (depth < 5.0))[floor < 25].all()


def test_coverage_is_that_of_a_disc_and_what_hides_it_hides_it():
    cycles.reset()
    bpy.ops.mesh.primitive_circle_add(
        radius=0.5, vertices=96, fill_type="NGON", location=(4, 0, 0), rotation=(0, math.pi / 2, 0)
    )
    bpy.ops.mesh.primitive_plane_add(size=1, location=(2, 0.5, 0), rotation=(0, math.pi / 2, 0))
    curtain = bpy.context.object
    cycles.set_camera((60, 60), 60.0, (0, 0, 0), 0.0, 0.0)
    cycles.hold_out([curtain])
    alpha = cycles.render_coverage(48)
    radius = 60 * 0.5 / 4
    # The curtain covers all to the left of the axis, where +Y is: half of the disc is left.
    assert alpha.sum() == pytest.approx(math.pi * radius**2 / 2, rel=0.02)
    assert alpha[:, :28].max() == 0
    assert ((alpha > 0.05) & (alpha < 0.95)).sum() > 10
    cycles.show([curtain], False)
    assert cycles.render_coverage(48).sum() == pytest.approx(math.pi * radius**2, rel=0.02)


def test_plates_have_their_depth_their_camera_and_their_owners(assets, tmp_path):
    account = render(assets, tmp_path / "a", "plates", 3, "64x48")
    assert account["accepted"] >= 2
    plates = PlateFolder.open(tmp_path / "a")
    for plate, path in zip((plates[i] for i in range(len(plates))), plates.files, strict=True):
        metadata = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        assert metadata["license"] == ["licence of box"]
        assert metadata["source"] == ["tests box"]
        depth = depth_files.read_depth(path.with_name(f"{path.stem}_depth.png"))
        # The floor is where the camera's height and pitch say.
        v = np.arange(48)[:, None] + 0.5 - metadata["cy"]
        rise = math.sin(metadata["pitch"]) - math.cos(metadata["pitch"]) * v / metadata["fy"]
        height = metadata["camera_height"] + depth * rise
        assert (np.abs(height) < 0.02).mean() > 0.05
        assert np.nanmin(height[np.isfinite(height)]) > -0.03
        assert 0.1 < plate.picture.mean() / 255 < 0.9
    render(assets, tmp_path / "b", "plates", 3, "64x48")
    for path in (tmp_path / "a").glob("0*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_cutouts_can_be_read(assets, tmp_path):
    account = render(assets, tmp_path, "cutouts", 2, "64x64")
    assert account["accepted"] == 2
    folder = CutoutFolder.open(tmp_path)
    assert len(folder) == 2
    _, alpha = read_rgba(folder.files[0])
    assert 0.2 < (alpha > 0.5).mean() < 1


def test_a_pair_fits_together(assets, tmp_path):
    account = render(assets, tmp_path, "pairs", 2, "96x72")
    assert account["accepted"] >= 1
    for pair in find_pairs(tmp_path):
        view = pair.read()
        alpha, metadata = view.alpha, pair.facts
        assert metadata["coverage"] == pytest.approx(float(alpha.mean()), abs=2e-3)
        assert {"licence of box"} < set(metadata["license"])
        plate, frame = to_float(view.plate), to_float(view.frame)
        shadow = read_image(tmp_path / f"{pair.name}_shadow.png")
        assert shadow.min() > 0
        # Not exactly unshadowed: how many pixels are depends on the processor's rounding.
        away = (alpha == 0) & (shadow[..., 0] > 0.98 * shadow.max())
        assert away.sum() > 500
        assert np.abs(plate - frame)[away].mean() < 0.02
        assert np.abs(plate - frame)[alpha == 1].mean() > 0.05
        # The subject stands before what it hides; elsewhere depth is the plate's.
        solid = cv2.erode((alpha == 1).astype(np.uint8), np.ones((3, 3))) > 0
        assert (view.depth[solid] < view.plate_depth[solid] - 1e-3).mean() > 0.95
        clear = cv2.erode((alpha == 0).astype(np.uint8), np.ones((3, 3))) > 0
        npt.assert_array_equal(view.depth[clear], view.plate_depth[clear])
        npt.assert_allclose(view.foreground[alpha == 1], frame[alpha == 1], atol=0.02)
