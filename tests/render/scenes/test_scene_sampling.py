"""What is drawn before Blender starts: assets, scenes, light, cameras, subjects."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.errors import CleanplateError
from cleanplate.render.cameras import camera_sampling
from cleanplate.render.lighting import light_sampling
from cleanplate.render.scenes import scene_choice
from cleanplate.render.scenes.asset_library import AssetLibrary
from cleanplate.render.scenes.scene_description import CameraSpot, SceneDescription, StandingPose
from cleanplate.render.subjects import pair_subjects
from tests.render.library import LIGHTS, OUTDOORS, TABLES, THINGS, write_catalogues

EXTENT = (-5.0, -4.0, 5.0, 4.0)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("assets")
    return AssetLibrary(write_catalogues(folder, OUTDOORS + TABLES + LIGHTS, THINGS))


def used(setting: SceneDescription) -> set[str]:
    slabs = {s.texture for s in setting.slabs} - {None}
    return {m.path for m in setting.models} | slabs | set(setting.files)


def test_what_must_not_be_used_is_not_there(tmp_path):
    rows = [
        ("worlds/a/models/PortraitA_01.glb", "furniture", "1x1x1", ""),
        ("textures/bit_living_room_wood5.jpg", "texture", "", ""),
        ("worlds/bookstore/world.json", "world", "", ""),
        ("textures/oak_wood.jpg", "texture", "", ""),
    ]
    library = AssetLibrary(
        write_catalogues(tmp_path, rows, [("o/aws_retail_A.glb", "object", "1", "")])
    )
    assert [a.name for a in library.assets_of("texture")] == ["oak_wood"]
    assert not library.assets_of("furniture")
    assert not library.assets_of("world")
    assert not library.assets_of("object")
    with pytest.raises(CleanplateError, match="has no scenes"):
        scene_choice.scene_for_item(library, 0, 0)


def test_credits_name_each_source_once_and_refuse_the_unknown(library):
    found = library.credits(["subjects/objects/mug.glb", "scenes/textures/asphalt.jpg"] * 2)
    assert found["license"] == ["licence of asphalt", "licence of mug"]
    assert found["attribution"] == ["the test"]
    with pytest.raises(CleanplateError, match=r"no CATALOG\.csv"):
        library.credits(["scenes/textures/stolen.jpg"])


def test_an_asset_folder_without_catalogue_is_named(tmp_path):
    with pytest.raises(CleanplateError, match=r"scenes/CATALOG\.csv"):
        AssetLibrary(tmp_path)
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "CATALOG.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(CleanplateError, match="is not a catalogue"):
        AssetLibrary(tmp_path)


def test_boxes_are_read_from_sizes(library):
    shop = library.assets["scenes/outdoor/building/shop.glb"]
    assert shop.box == (8, 6, 4)
    assert replace(shop, size="19x11.4x3 m, 5 rooms").box == (19, 11.4, 3)
    assert replace(shop, size="tile 1x1 unit").box is None


def test_items_of_a_group_share_their_scene_and_seeds_differ(library):
    one = scene_choice.scene_for_item(library, 3, 0)
    assert scene_choice.scene_for_item(library, 3, scene_choice.ITEMS_PER_SCENE - 1) == one
    assert scene_choice.scene_for_item(library, 4, 0) != one
    kinds = [
        scene_choice.scene_for_item(library, 3, k * scene_choice.ITEMS_PER_SCENE).kind
        for k in range(6)
    ]
    assert set(kinds) == {"outdoor", "tabletop"}  # what the library has nothing for is left out


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_scenes_use_only_what_the_library_has(library, seed):
    for kind in ("outdoor", "tabletop"):
        setting = scene_choice.scene_for_item(AssetLibrary(library.folder, scenes=[kind]), seed, 0)
        assert setting.kind == kind
        assert used(setting) <= set(library.assets)
        assert not any(p.endswith(("_Normal.jpg", "_Roughness.jpg")) for p in used(setting))
        if kind == "tabletop":
            assert setting.ground > 0.25
            for model in setting.models:  # things lie within what they lie on
                assert isinstance(model.where, StandingPose)
                assert abs(model.where.x) < 1.05


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from(["world", "room", "outdoor", "tabletop"]))
def test_cameras_follow_their_mode(seed, kind):
    setting = SceneDescription("here", kind, ground=0.8 if kind == "tabletop" else 0.0)
    shot = camera_sampling.sample_camera(setting, EXTENT, np.random.default_rng(seed))
    x, y, z = shot.position
    if kind == "tabletop":
        # It looks at the table: the axis meets a height a little over the top, close by.
        assert -1.1 < shot.pitch < -0.05
        far = (z - 0.8) / math.sin(-shot.pitch)
        assert 0.3 < far < 3.5
        return
    assert EXTENT[0] <= x <= EXTENT[2]
    assert EXTENT[1] <= y <= EXTENT[3]
    heights = {"eye": (1.4, 1.8), "desk": (0.75, 1.25), "cctv": (2.0, 5.8), "low": (0.3, 0.65)}
    low, high = heights[shot.mode]
    assert low <= z <= high
    assert (shot.pitch < -0.25) == (shot.mode == "cctv") or shot.mode == "eye"
    assert z < setting.ceiling or kind == "outdoor"


def test_known_spots_are_kept_near():
    setting = SceneDescription("room", "room", spots=(CameraSpot((1.0, 2.0, 1.5), 0.5, 0.8),))
    rng = np.random.default_rng(0)
    near = [camera_sampling.sample_camera(setting, EXTENT, rng).position for _ in range(200)]
    share = np.mean([math.hypot(x - 1, y - 2) < 1.2 for x, y, _ in near])
    assert 0.75 < share < 0.95


def test_no_night_by_day_and_studios_indoors(library):
    rng = np.random.default_rng(0)
    for kind, sky in (("outdoor", "noon"), ("tabletop", "studio"), ("room", "noon")):
        setting = SceneDescription("s", kind)
        drawn = [
            light_sampling.sample_light(library, setting, EXTENT, (0, 0, 1), rng) for _ in range(40)
        ]
        assert {d.sky for d in drawn} - {None} == {f"scenes/hdri/{sky}.exr"}
    world = light_sampling.sample_light(
        library, SceneDescription("w", "world"), (-40, -40, 40, 40), (0, 0, 1.6), rng
    )
    assert world.lamps
    assert all(math.hypot(*lamp.position[:2]) < 11 for lamp in world.lamps)


def test_casts_fit_their_scene(library):
    rng = np.random.default_rng(0)
    for kind in ("outdoor", "room", "world", "tabletop"):
        roles = [r for _ in range(40) for r in pair_subjects.sample_subjects(library, kind, rng)]
        kinds = {r.asset.kind for r in roles}
        if kind == "tabletop":
            assert kinds == {"object", "hand"}
            assert {r.asset.name for r in roles} == {"mug", "generic_hand"}
        else:
            assert "hand" not in kinds
            assert ("vehicle" in kinds) == (kind == "outdoor")
    many = [len(pair_subjects.sample_subjects(library, "room", rng)) for _ in range(300)]
    assert set(many) == {1, 2, 3}
    assert np.mean(np.array(many) == 1) == pytest.approx(0.6, abs=0.1)
