"""Cycles on one CPU thread: renders colour, coverage and depth as arrays.

Colour is linear light, without any view transform. Depth is planar.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from cleanplate.arrays import Picture, Plane
from cleanplate.depth import exr

_NOTHING = 1e9
"""Metres: where a ray hits nothing, the depth pass holds 1e10."""


@dataclass(frozen=True)
class RenderPasses:
    """Passes of one rendering.

    Args:
        colour: (H, W, 3) float32, linear light, premultiplied where `alpha` is below 1.
        alpha: (H, W) float32, coverage in [0, 1]; 1 everywhere unless the film is transparent.
    """

    colour: Picture
    alpha: Plane


def reset(threads: int = 1) -> None:
    """Empty the file and configure Cycles; everything loaded is freed."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    render = scene.render
    render.engine = "CYCLES"
    render.threads_mode = "FIXED"
    render.threads = threads
    render.use_persistent_data = True
    render.use_compositing = False
    render.use_sequencer = False
    render.resolution_percentage = 100
    image = render.image_settings
    image.media_type = "MULTI_LAYER_IMAGE"
    image.file_format = "OPEN_EXR_MULTILAYER"
    image.color_depth = "32"
    image.exr_codec = "NONE"
    image.use_exr_interleave = True
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0
    cycles.blur_glossy = 1.0
    # Measured: each of these two makes a picture a tenth to a quarter cheaper.
    cycles.use_light_tree = False
    cycles.sampling_pattern = "TABULATED_SOBOL"
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    cycles.denoising_prefilter = "FAST"
    cycles.use_auto_tile = False
    layer = bpy.context.view_layer
    layer.use_pass_z = True
    layer.use_pass_combined = True
    layer.pass_alpha_threshold = 0.5
    scene.world = bpy.data.worlds.new("world")


def set_camera(
    size: tuple[int, int],
    focal: float,
    position: tuple[float, float, float],
    heading: float,
    pitch: float,
    *,
    f_number: float | None = None,
    focus: float = 1.0,
) -> None:
    """Set the camera.

    Args:
        size: (height, width) in pixels.
        focal: fx = fy in pixels of that size; the optical axis meets the picture's centre.
        position: metres, Z up.
        heading: radians, counter-clockwise from +X as seen from above.
        pitch: radians, up is positive.
        f_number: for the depth of field of a 36 mm wide sensor; None = all sharp.
        focus: focus distance in metres.
    """
    scene = bpy.context.scene
    if scene.camera is None:
        scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        scene.collection.objects.link(scene.camera)
    height, width = size
    lens = scene.camera.data
    lens.sensor_fit = "HORIZONTAL"
    lens.sensor_width = 36.0
    lens.lens = 36.0 * focal / width
    lens.clip_start, lens.clip_end = 0.02, 2000.0
    lens.dof.use_dof = f_number is not None
    if f_number is not None:
        lens.dof.aperture_fstop = f_number
        lens.dof.focus_distance = focus
    # Blender's camera looks along its -Z, with +Y up.
    turn = Matrix.Rotation(heading - math.pi / 2, 4, "Z") @ Matrix.Rotation(
        math.pi / 2 + pitch, 4, "X"
    )
    scene.camera.matrix_world = Matrix.Translation(position) @ turn
    scene.render.resolution_x, scene.render.resolution_y = width, height


def render(
    samples: int,
    *,
    seed: int = 0,
    bounces: int = 5,
    denoise: bool = True,
    transparent: bool = False,
) -> RenderPasses:
    """Render colour and alpha.

    Args:
        samples: per pixel, at most; adaptive sampling takes fewer where there is little noise.
        seed: of the noise.
        bounces: of the light.
        denoise: by Open Image Denoise, guided by albedo and normals.
        transparent: without the sky; held-out objects have alpha 0 either way.
    """
    scene = bpy.context.scene
    scene.render.film_transparent = transparent
    cycles = scene.cycles
    cycles.samples = samples
    cycles.seed = seed
    cycles.use_adaptive_sampling = samples > 16
    cycles.adaptive_min_samples, cycles.adaptive_threshold = min(16, samples), 0.03
    cycles.max_bounces = bounces
    cycles.diffuse_bounces = min(bounces, 4)
    cycles.glossy_bounces = min(bounces, 4)
    cycles.transmission_bounces = bounces + 3 if bounces else 0
    cycles.transparent_max_bounces = 16
    cycles.use_denoising = denoise
    cycles.pixel_filter_type = "BLACKMAN_HARRIS"
    cycles.filter_width = 1.5
    layers = _render_layers()
    colour = np.stack([_find_layer(layers, "Combined." + c) for c in "RGB"], axis=-1)
    return RenderPasses(colour, np.clip(_find_layer(layers, "Combined.A"), 0, 1))


def render_coverage(samples: int = 48, *, seed: int = 0, solid: bool = False) -> Plane:
    """Render the coverage of objects that are not held out: (H, W) in [0, 1].

    Camera rays alone, through transparent texels, with the picture's pixel filter and depth of
    field; no light.

    Args:
        samples: per pixel.
        seed: of the noise.
        solid: nothing is transparent or held out. All objects emit alike, and adaptive
            sampling needs all samples only near edges.
    """
    scene, layer = bpy.context.scene, bpy.context.view_layer
    world, scene.world = scene.world, None
    layer.material_override = _emission_material() if solid else None
    try:
        cycles = scene.cycles
        scene.render.film_transparent = True
        cycles.samples, cycles.seed = samples, seed
        cycles.use_adaptive_sampling = solid
        cycles.adaptive_min_samples, cycles.adaptive_threshold = 8, 0.002
        cycles.use_denoising = False
        cycles.max_bounces = 0
        cycles.transmission_bounces = 0
        cycles.transparent_max_bounces = 32
        cycles.pixel_filter_type = "BLACKMAN_HARRIS"
        cycles.filter_width = 1.5
        return np.clip(_find_layer(_render_layers(), "Combined.A"), 0, 1)
    finally:
        scene.world = world
        layer.material_override = None


def _emission_material() -> bpy.types.Material:
    material = bpy.data.materials.get("glow")
    if material is None:
        material = bpy.data.materials.new("glow")
        material.use_nodes = True
        nodes = material.node_tree.nodes
        light = nodes.new("ShaderNodeEmission")
        material.node_tree.links.new(light.outputs[0], nodes["Material Output"].inputs["Surface"])
    return material


def render_depth() -> Plane:
    """Render planar depth at pixel centres: (H, W) float32, metres, +inf where there is no surface.

    One ray per pixel, through a pinhole: no pixel mixes two depths. Texels that are more than
    half transparent are ignored.
    """
    scene = bpy.context.scene
    lens = scene.camera.data
    blurred, lens.dof.use_dof = lens.dof.use_dof, False
    try:
        cycles = scene.cycles
        cycles.samples = 1
        cycles.use_adaptive_sampling = False
        cycles.use_denoising = False
        cycles.max_bounces = 0
        cycles.transparent_max_bounces = 32
        cycles.pixel_filter_type = "BOX"
        cycles.filter_width = 0.01
        planes = _render_layers()
    finally:
        lens.dof.use_dof = blurred
    z = _find_layer(planes, "Depth.Z")
    return np.where(z > _NOTHING, np.float32(np.inf), z).astype(np.float32)


def hold_out(objects: Iterable[bpy.types.Object], held: bool = True) -> None:
    """Make objects holdouts: they cut a hole into the picture and its alpha."""
    for one in objects:
        one.is_holdout = held


def show(objects: Iterable[bpy.types.Object], shown: bool = True) -> None:
    """Hide objects from rendering or show them, with shadows and reflections."""
    for one in objects:
        one.hide_render = not shown


def show_to_camera(objects: Iterable[bpy.types.Object], shown: bool = True) -> None:
    """Hide objects from the camera alone: their shadows and reflections remain."""
    for one in objects:
        one.visible_camera = shown


def _render_layers() -> dict[str, Plane]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "passes.exr"
        bpy.context.scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        return {
            name: np.asarray(channel, np.float32)
            for name, channel in exr.read_channels(path).items()
        }


def _find_layer(planes: dict[str, Plane], ending: str) -> Plane:
    found = [plane for name, plane in planes.items() if name.endswith(ending)]
    if len(found) != 1:
        raise RuntimeError(f"Blender wrote no single layer {ending}: {sorted(planes)}")
    return found[0]
