"""GLB models in Blender: imported once, copied as often as needed."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

from cleanplate.render.scenes.scene_description import Model, Slab, StandingPose


class GlbModels:
    """The models of one open file; after `cycles.reset` they must be read again.

    Args:
        folder: the asset folder.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._originals: dict[str, list[bpy.types.Object]] = {}
        self._textures: dict[tuple[str, float, float], bpy.types.Material] = {}

    def put(self, model: Model) -> list[bpy.types.Object]:
        """Place a model in the scene; copies of one file share their meshes."""
        parts = []
        for original in self._read(model.path):
            part = original.copy()
            part.parent = None
            part.matrix_world = original.matrix_world
            bpy.context.scene.collection.objects.link(part)
            parts.append(part)
        if isinstance(model.where, StandingPose):
            stand_objects(parts, model.where)
        else:
            move_objects(parts, Matrix(model.where))
        return parts

    def _read(self, path: str) -> list[bpy.types.Object]:
        """Import a GLB and keep its meshes out of the scene."""
        if path not in self._originals:
            before = set(bpy.data.objects)
            bpy.ops.import_scene.gltf(filepath=str(self.folder / path), loglevel=50)
            new = [o for o in bpy.data.objects if o not in before]
            bpy.context.view_layer.update()
            meshes = [o for o in new if o.type == "MESH"]
            places = {o: o.matrix_world.copy() for o in meshes}
            for one in new:
                for collection in list(one.users_collection):
                    collection.objects.unlink(one)
                if one.type != "MESH":
                    bpy.data.objects.remove(one)
            for one, place in places.items():
                one.parent = None
                one.matrix_world = place
            self._originals[path] = meshes
        return self._originals[path]

    def put_slab(self, slab: Slab) -> bpy.types.Object:
        """Place a box with a repeating texture in the scene."""
        mesh = bpy.data.meshes.new("slab")
        x, y, z = (s / 2 for s in slab.size)
        corners = [(i * x, j * y, k * z) for k in (-1, 1) for j in (-1, 1) for i in (-1, 1)]
        faces = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
        mesh.from_pydata(corners, [], faces)
        mesh.materials.append(self._material(slab))
        layer = mesh.uv_layers.new()
        for polygon in mesh.polygons:
            axis = max(range(3), key=lambda a: abs(polygon.normal[a]))
            u, v = [(1, 2), (0, 2), (0, 1)][axis]
            for loop in polygon.loop_indices:
                corner = mesh.vertices[mesh.loops[loop].vertex_index].co
                layer.data[loop].uv = (corner[u] / slab.tile, corner[v] / slab.tile)
        box = bpy.data.objects.new("slab", mesh)
        box.matrix_world = Matrix.Translation(slab.centre) @ Matrix.Rotation(slab.turn, 4, "Z")
        bpy.context.scene.collection.objects.link(box)
        return box

    def _material(self, slab: Slab) -> bpy.types.Material:
        material = bpy.data.materials.new("slab")
        material.use_nodes = True
        nodes, links = material.node_tree.nodes, material.node_tree.links
        surface = nodes["Principled BSDF"]
        surface.inputs["Roughness"].default_value = slab.roughness
        surface.inputs["Base Color"].default_value = (*slab.colour, 1)
        if slab.texture is None:
            return material
        colour = self._image(nodes, slab.texture, data=False)
        links.new(colour.outputs["Color"], surface.inputs["Base Color"])
        for ending, socket in (("Roughness", "Roughness"), ("Normal", "Normal")):
            beside = slab.texture.replace("_Color", f"_{ending}")
            if beside == slab.texture or not (self.folder / beside).is_file():
                continue
            image = self._image(nodes, beside, data=True)
            output = image.outputs["Color"]
            if ending == "Normal":
                bump = nodes.new("ShaderNodeNormalMap")
                links.new(output, bump.inputs["Color"])
                output = bump.outputs["Normal"]
            links.new(output, surface.inputs[socket])
        return material

    def _image(self, nodes: bpy.types.Nodes, path: str, *, data: bool) -> bpy.types.Node:
        node = nodes.new("ShaderNodeTexImage")
        node.image = bpy.data.images.load(str(self.folder / path), check_existing=True)
        if data:
            node.image.colorspace_settings.name = "Non-Color"
        return node


def move_objects(parts: list[bpy.types.Object], matrix: Matrix) -> None:
    """Transform objects by a matrix."""
    for part in parts:
        part.matrix_world = matrix @ part.matrix_world


def stand_objects(parts: list[bpy.types.Object], where: StandingPose) -> None:
    """Place objects by the middle of their footprint, at a height or on the surface below."""
    move_objects(
        parts,
        Matrix.Rotation(where.turn, 4, "Z")
        @ Matrix.Rotation(where.lean, 4, "X")
        @ Matrix.Scale(where.scale, 4),
    )
    low, high = bounds(parts)
    z = where.z
    if z is None:
        for part in parts:
            part.hide_viewport = True
        bpy.context.view_layer.update()
        z = height_below(where.x, where.y, where.drop_from)
        for part in parts:
            part.hide_viewport = False
        z = 0.0 if z is None else z
    middle = (low + high) / 2
    move_objects(parts, Matrix.Translation((where.x - middle[0], where.y - middle[1], z - low[2])))


def bounds(parts: list[bpy.types.Object]) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest corner of some meshes in the world, each (3,) metres."""
    corners = []
    for part in parts:
        if part.type != "MESH" or not part.data.vertices:
            continue
        flat = np.empty(len(part.data.vertices) * 3, np.float32)
        part.data.vertices.foreach_get("co", flat)
        matrix = np.array(part.matrix_world)
        points = flat.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
        corners += [points.min(0), points.max(0)]
    if not corners:
        return np.zeros(3), np.zeros(3)
    return np.min(corners, axis=0), np.max(corners, axis=0)


def cast_ray(
    origin: tuple[float, float, float], direction: tuple[float, float, float], far: float = 100.0
) -> float | None:
    """Metres along a ray to the first surface; None without one within `far`."""
    graph = bpy.context.evaluated_depsgraph_get()
    way = Vector(direction).normalized()
    hit, place, *_ = bpy.context.scene.ray_cast(graph, Vector(origin), way, distance=far)
    return (place - Vector(origin)).length if hit else None


def height_below(x: float, y: float, z: float) -> float | None:
    """Height of the first surface below a point; None if there is none."""
    fall = cast_ray((x, y, z), (0, 0, -1), 50.0)
    return None if fall is None else z - fall


def clearance(origin: tuple[float, float, float], rays: int = 8) -> float:
    """Metres to the nearest surface in the horizontal directions; at most 100."""
    found = []
    for k in range(rays):
        angle = 2 * math.pi * k / rays
        way = (math.cos(angle), math.sin(angle), 0.0)
        found.append(cast_ray(origin, way) or 100.0)
    return min(found)
