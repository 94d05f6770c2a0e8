"""Subjects in Blender itself; skipped without the extra `render`."""

from __future__ import annotations

import math

import numpy as np
import numpy.testing as npt
import pytest

pytest.importorskip("bpy")

from cleanplate.render.blender import blender_subjects, cycles
from cleanplate.render.blender.blender_cutouts import CutoutRenderer
from cleanplate.render.scenes.asset_library import AssetLibrary
from cleanplate.render.subjects.skeleton import Arm, Pose

pytestmark = pytest.mark.shared


@pytest.fixture
def person(shared):
    cycles.reset()
    library = AssetLibrary(shared / "assets")
    return blender_subjects.load_subject(
        library.folder / library.assets_of("person")[0].path, "person"
    )


def test_a_person_stands_on_its_spot_and_faces_its_heading(person):
    width, depth, height = person.stand((1.0, 2.0, 0.5), math.pi / 2, 1.05)
    points = person.points()
    assert points[:, 2].min() == pytest.approx(0.5, abs=1e-4)
    assert height == pytest.approx(np.ptp(points[:, 2]), abs=1e-4)
    assert 1.4 < height < 2.1
    # A quarter turn: the arms of the T lie along y.
    npt.assert_allclose(np.ptp(points, axis=0)[:2], (depth, width), atol=1e-3)
    assert width > 1.4
    soles = points[points[:, 2] < 0.55]
    npt.assert_allclose((soles.min(0) + soles.max(0))[:2] / 2, (1.0, 2.0), atol=0.02)
    assert not any(o.name.startswith("Icosphere") for o in person.objects)


def test_bones_follow_the_pose(person):
    straight = Arm(out=0, elbow=0, curl=0)
    person.pose(Pose("test", left=straight, right=Arm(out=0, forward=90, elbow=0), bend=0))
    person.stand()
    left, right = person.palm("left"), person.palm("right")
    npt.assert_allclose(left[2], (0, 0, -1), atol=0.3)  # fingers down, as the hand bone leans
    npt.assert_allclose(left[1], (-1, 0, 0), atol=0.35)  # palm to the thigh
    npt.assert_allclose(right[2], (0, -1, 0), atol=0.3)
    assert right[0].z - left[0].z > 0.4
    # A pose is not put on top of the last one.
    person.pose(Pose("test", left=straight, right=straight, bend=0))
    npt.assert_allclose(person.palm("right")[0].z, left[0].z, atol=0.02)


def test_a_cutout_is_the_same_again_and_stands_where_it_says(shared):
    maker = CutoutRenderer(AssetLibrary(shared / "assets"), seed=1, size=(96, 96))
    one = maker.render(0)
    assert (
        CutoutRenderer(AssetLibrary(shared / "assets"), seed=1, size=(96, 96)).render(0).files
        == one.files
    )
    metadata = one.metadata
    assert max(metadata["width"], metadata["height"]) <= 96
    assert metadata["license"]
    slope = metadata["camera_height_m"] / metadata["distance_m"]
    assert 0 < slope < 3
