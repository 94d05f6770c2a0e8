"""A scene built in Blender from its description, and its light."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from cleanplate.render.blender import cycles
from cleanplate.render.blender.glb_models import GlbModels, bounds
from cleanplate.render.scenes.scene_description import Lamp, Light, SceneDescription, Sun

_MAX_SKY_RATIO = 4.0
"""A panorama's light is clipped at this multiple of its 99th percentile."""


class BlenderScene:
    """A scene in Blender; the file is emptied first.

    Args:
        folder: the asset folder.
        scene: what to build.
    """

    def __init__(self, folder: Path, scene: SceneDescription):
        cycles.reset()
        self.folder, self.description = folder, scene
        self.models = GlbModels(folder)
        self._lamps: list[bpy.types.Object] = []
        self._skies: dict[str, tuple[bpy.types.Image, float]] = {}
        for slab in scene.slabs:
            self.models.put_slab(slab)
        parts = [part for model in scene.models for part in self.models.put(model)]
        self._extent = bounds(parts)
        bpy.context.view_layer.update()
        self.objects = [o for o in bpy.context.scene.objects if o.type == "MESH"]

    def extent(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest corner of the models, without slabs, each (3,) metres."""
        return self._extent

    def light(self, light: Light) -> None:
        """Replace the light of the scene."""
        for lamp in self._lamps:
            bpy.data.lights.remove(lamp.data)
        self._lamps = [_lamp(one) for one in light.lamps]
        if light.sun:
            self._lamps.append(_sun(light.sun))
        self._surround(light)

    def _surround(self, light: Light) -> None:
        world = bpy.context.scene.world
        world.use_nodes = True
        # The panoramas' resolution; Cycles' default costs seconds per change.
        world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 512
        nodes, links = world.node_tree.nodes, world.node_tree.links
        nodes.clear()
        glow = nodes.new("ShaderNodeBackground")
        links.new(glow.outputs[0], nodes.new("ShaderNodeOutputWorld").inputs[0])
        if light.sky is None:
            glow.inputs["Color"].default_value = (*light.ambient, 1)
            return
        panorama = nodes.new("ShaderNodeTexEnvironment")
        panorama.image, mean = self._sky(light.sky)
        panorama.interpolation = "Cubic"
        turn = nodes.new("ShaderNodeMapping")
        turn.inputs["Rotation"].default_value[2] = light.sky_turn
        coordinates = nodes.new("ShaderNodeTexCoord")
        links.new(coordinates.outputs["Generated"], turn.inputs["Vector"])
        links.new(turn.outputs["Vector"], panorama.inputs["Vector"])
        links.new(panorama.outputs["Color"], glow.inputs["Color"])
        glow.inputs["Strength"].default_value = light.sky_strength / mean

    def _sky(self, path: str) -> tuple[bpy.types.Image, float]:
        """Load a panorama, and its mean radiance over the sphere, because panoramas have any unit.

        Suns are clipped: stored as infinity, they would make all light infinite, and few samples
        of such a small bright source are noise. `Sun` replaces them.
        """
        if path not in self._skies:
            image = bpy.data.images.load(str(self.folder / path))
            image.use_fake_user = True  # kept while another sky is up and subjects are cleared
            width, height = image.size
            flat = np.empty(width * height * 4, np.float32)
            image.pixels.foreach_get(flat)
            light = np.nan_to_num(flat.reshape(height, width, 4)[..., :3], posinf=np.inf)
            bright = np.percentile(light[np.isfinite(light)], 99)
            light = np.clip(light, 0, _MAX_SKY_RATIO * bright)
            flat.reshape(height, width, 4)[..., :3] = light
            image.pixels.foreach_set(flat)
            rows = light.mean((1, 2))
            weight = np.sin(np.pi * (np.arange(height) + 0.5) / height)
            mean = float((rows * weight).sum() / weight.sum())
            self._skies[path] = image, max(mean, 1e-6)
        return self._skies[path]


def _lamp(lamp: Lamp) -> bpy.types.Object:
    data = bpy.data.lights.new("lamp", "AREA")
    data.energy, data.size, data.color = lamp.watts, lamp.side, lamp.colour
    one = bpy.data.objects.new("lamp", data)
    one.location = lamp.position
    if lamp.aim is not None:
        way = Vector(lamp.aim) - Vector(lamp.position)
        one.rotation_euler = way.to_track_quat("-Z", "Y").to_euler()
    one.visible_camera = False
    bpy.context.scene.collection.objects.link(one)
    return one


def _sun(sun: Sun) -> bpy.types.Object:
    data = bpy.data.lights.new("sun", "SUN")
    data.energy, data.angle, data.color = sun.strength, sun.width, sun.colour
    one = bpy.data.objects.new("sun", data)
    one.rotation_euler = (0.0, math.pi / 2 - sun.elevation, sun.azimuth)
    bpy.context.scene.collection.objects.link(one)
    return one
