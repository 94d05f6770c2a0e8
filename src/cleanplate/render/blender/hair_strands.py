"""Loose hair strands on a wig, whose closed mesh alone would have a hard outline."""

from __future__ import annotations

import bpy
import numpy as np
import numpy.typing as npt

_STRANDS = 900
_STEPS = 6
_THICK = (0.00025, 0.0007)
"""Metres, radius at the root of a bundle of hairs."""
_LONG = (0.012, 0.06)
"""Metres."""


def add_strands(
    wig: bpy.types.Object, armature: bpy.types.Object, rng: np.random.Generator
) -> bpy.types.Object:
    """Add strands to a wig; they follow the head.

    Args:
        wig: a mesh at rest, whose material gives the strands' colour.
        armature: whose bone `Head` carries them.
        rng: of positions and shapes.
    """
    points, normals = _surface(wig)
    # Below the chin hair lies on the shoulders, which do not turn with the head.
    # None over the face.
    kept = (points[:, 2] > points[:, 2].max() - 0.3) & (normals[:, 1] > -0.35)
    high = np.flatnonzero(kept)
    roots = rng.choice(high, _STRANDS)
    paths = _paths(points[roots], normals[roots], rng)
    data = bpy.data.hair_curves.new("strands")
    data.add_curves([_STEPS] * _STRANDS)
    data.position_data.foreach_set("vector", paths.astype(np.float32).ravel())
    taper = np.linspace(1.0, 0.15, _STEPS)
    radius = rng.uniform(*_THICK, (_STRANDS, 1)) * taper
    thick = data.attributes.get("radius") or data.attributes.new("radius", "FLOAT", "POINT")
    thick.data.foreach_set("value", radius.astype(np.float32).ravel())
    data.materials.append(_material(wig))
    strands = bpy.data.objects.new("strands", data)
    bpy.context.scene.collection.objects.link(strands)
    strands.parent, strands.parent_type, strands.parent_bone = armature, "BONE", "Head"
    bpy.context.view_layer.update()
    strands.matrix_world = wig.matrix_world
    return strands


def _surface(wig: bpy.types.Object) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Give the evaluated vertices and normals, in the wig's own axes."""
    posed = wig.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    points = np.empty(3 * len(posed.vertices), np.float32)
    normals = np.empty_like(points)
    posed.vertices.foreach_get("co", points)
    posed.vertex_normals.foreach_get("vector", normals)
    return points.reshape(-1, 3), normals.reshape(-1, 3)


def _paths(
    roots: npt.NDArray[np.float32], normals: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Give (n, steps, 3) points: along the fall of the hair, lifting off a little, bending."""
    count = len(roots)
    fall = np.array([0.0, 0.0, -1.0]) - normals * (normals @ np.array([0.0, 0.0, -1.0]))[:, None]
    fall /= np.linalg.norm(fall, axis=1, keepdims=True) + 1e-6
    lift = rng.gamma(1.5, 0.13, (count, 1))
    way = fall + normals * lift + rng.normal(0, 0.2, (count, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    bend = rng.normal(0, 0.35, (count, 3)) + np.array([0, 0, -0.6])
    t = np.linspace(0, 1, _STEPS)[None, :, None]
    long = rng.uniform(*_LONG, (count, 1, 1))
    sunk = (roots - 0.004 * normals)[:, None]
    paths: npt.NDArray[np.float64] = sunk + long * (t * way[:, None] + t * t * bend[:, None])
    return paths


def _material(wig: bpy.types.Object) -> bpy.types.Material:
    """Make the hair material: the wig's median colour, without its painted lines."""
    material = bpy.data.materials.new("strands")
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*_colour(wig), 1.0)
    shader.inputs["Roughness"].default_value = 0.6
    shader.inputs["Specular IOR Level"].default_value = 0.25
    return material


def _colour(wig: bpy.types.Object) -> tuple[float, float, float]:
    images = [
        node.image
        for slot in wig.material_slots
        for node in slot.material.node_tree.nodes
        if node.type == "TEX_IMAGE" and node.image
    ]
    if not images:
        return 0.03, 0.02, 0.015
    width, height = images[0].size
    flat = np.empty(width * height * images[0].channels, np.float32)
    images[0].pixels.foreach_get(flat)
    coded = flat.reshape(-1, images[0].channels)[::37, :3]
    seen = coded[coded.max(1) > 0.02]
    middle = np.median(seen if len(seen) else coded, axis=0)
    r, g, b = (float(v) ** 2.2 for v in middle)
    return r, g, b
