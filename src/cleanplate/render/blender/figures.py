"""Subjects in Blender: loaded, posed, given skin and size, and stood on the ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import bpy
import numpy as np
import numpy.typing as npt
from mathutils import Matrix, Vector

from cleanplate.render.postures import Pose, turns

Points = npt.NDArray[np.float64]
"""(n, 3) metres in the world."""

_STRAY = "Icosphere"
_LEAF = 0.35
"""Share of a lock of hair, from its tip, that thins out."""


class Figure:
    """A subject in the scene.

    Args:
        name: for reports.
        kind: person, animal, vehicle, object or hand.
        objects: all that was loaded, meshes and what moves them.
        height: metres that it should have; None = as it was loaded.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        objects: Sequence[bpy.types.Object],
        height: float | None = None,
    ):
        self.name, self.kind = name, kind
        self.objects = tuple(objects)
        self.meshes = tuple(o for o in objects if o.type == "MESH")
        self.armature = next((o for o in objects if o.type == "ARMATURE"), None)
        self.root = bpy.data.objects.new(f"root of {name}", None)
        bpy.context.scene.collection.objects.link(self.root)
        for one in self.objects:
            if one.parent is None:
                one.parent = self.root
        # As it was loaded, bones are scaled and turned already: poses are turns from there.
        self._rest: dict[str, tuple[Matrix, Matrix]] = {}
        if self.armature is not None:
            bpy.context.view_layer.update()
            for bone in self.armature.pose.bones:
                turn = bone.matrix.to_quaternion().to_matrix()
                self._rest[bone.name] = (bone.matrix_basis.copy(), turn)
        self.scale = 1.0
        if height is not None:
            points = self.points()
            self.scale = height / max(float(np.ptp(points[:, 2])), 1e-6)
        self.stand()

    def pose(self, pose: Pose) -> None:
        """Turn the bones; the figure's place is kept, its ground is not: `stand` it again."""
        if self.armature is None:
            raise ValueError(f"{self.name} has no bones")
        given = turns(pose)
        for bone in self.armature.pose.bones:
            if bone.name in given:
                basis, rest = self._rest[bone.name]
                turn = Matrix(given[bone.name].tolist())
                bone.matrix_basis = basis @ (rest.inverted() @ turn @ rest).to_4x4()

    def stand(
        self,
        spot: tuple[float, float, float] = (0.0, 0.0, 0.0),
        heading: float = 0.0,
        scale: float = 1.0,
    ) -> tuple[float, float, float]:
        """Put the figure's lowest point on the ground at `spot`, its middle over it.

        Args:
            spot: metres.
            heading: radians that it is turned counter-clockwise seen from above; at 0 a person
                faces -Y.
            scale: of the body, on top of its own height.

        Returns:
            Its size along its own x, y and z in metres.
        """
        size = scale * self.scale
        self.root.matrix_world = Matrix.Diagonal((size, size, size, 1.0))
        points = self.points()
        low, high = points.min(0), points.max(0)
        middle = Vector(((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]))
        turn = Matrix.Rotation(heading, 4, "Z")
        self.root.matrix_world = (
            Matrix.Translation(spot)
            @ turn
            @ Matrix.Translation(-middle)
            @ Matrix.Diagonal((size, size, size, 1.0))
        )
        bpy.context.view_layer.update()
        x, y, z = (float(v) for v in high - low)
        return x, y, z

    def points(self) -> Points:
        """Every vertex where it is now, posed: (n, 3) metres in the world."""
        bpy.context.view_layer.update()
        graph = bpy.context.evaluated_depsgraph_get()
        found = []
        for one in self.meshes:
            posed = one.evaluated_get(graph)
            flat = np.empty(3 * len(posed.data.vertices), np.float32)
            posed.data.vertices.foreach_get("co", flat)
            world = np.array(posed.matrix_world)
            found.append(flat.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])
        return np.concatenate(found)

    def palm(self, side: str) -> tuple[Vector, Vector, Vector]:
        """Give the middle of a palm, the way it faces, and the way of the fingers, in the world.

        Args:
            side: `left` or `right`.
        """
        if self.armature is None:
            raise ValueError(f"{self.name} has no bones")
        bones = self.armature.pose.bones
        name = side.capitalize()
        world = self.armature.matrix_world
        base, knuckle = bones[f"{name}FingerBase"], bones[f"{name}HandMiddle1"]
        # The hand's own axes: at rest the palm faces the ground and the fingers point sideways.
        _, rest = self._rest[base.name]
        turn = base.matrix.to_quaternion().to_matrix() @ rest.inverted()
        facing = (world.to_3x3() @ turn @ Vector((0, 0, -1))).normalized()
        along = (world @ knuckle.head - world @ base.head).normalized()
        middle = (world @ knuckle.head) * 0.75 + (world @ base.head) * 0.25
        return middle, facing, along

    def remove(self) -> None:
        """Take the figure out of the file."""
        for one in (*self.objects, self.root):
            bpy.data.objects.remove(one, do_unlink=True)
        bpy.data.orphans_purge(do_recursive=True)


def load(path: str | Path, kind: str, height: float | None = None) -> Figure:
    """Load a subject from a GLB file; it stands at the origin.

    Args:
        path: the file.
        kind: person, animal, vehicle, object or hand.
        height: metres to make it; None keeps its own.
    """
    before = set(bpy.data.objects)
    bpy.ops.import_scene.gltf(filepath=str(path), loglevel=50)
    loaded = [o for o in bpy.data.objects if o not in before]
    for one in [o for o in loaded if o.name.split(".")[0] == _STRAY]:
        loaded.remove(one)
        bpy.data.objects.remove(one, do_unlink=True)
    figure = Figure(Path(path).stem, kind, loaded, height)
    for one in figure.meshes:
        for slot in one.material_slots:
            material = slot.material
            if material is None:
                continue
            if kind == "person" and material.name.split(".")[0] == "Hair":
                soften_hair(one, material)
    return figure


def give_skin(figure: Figure, tone: tuple[float, float, float]) -> None:
    """Give all of a figure skin of one tone, a little uneven.

    Args:
        figure: what to give it to.
        tone: linear light, each in [0, 1].
    """
    material = bpy.data.materials.new("skin")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    skin = nodes["Principled BSDF"]
    skin.inputs["Roughness"].default_value = 0.5
    skin.inputs["Specular IOR Level"].default_value = 0.35
    place = nodes.new("ShaderNodeTexCoord")
    noise = nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = 45.0
    noise.inputs["Detail"].default_value = 6.0
    ramp = nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = 0.3, 0.7
    r, g, b = tone
    ramp.color_ramp.elements[0].color = (r * 0.92, g * 0.78, b * 0.76, 1)
    ramp.color_ramp.elements[1].color = (r, g, b, 1)
    bump = nodes.new("ShaderNodeBump")
    bump.inputs["Strength"].default_value = 0.25
    bump.inputs["Distance"].default_value = 0.002
    links.new(place.outputs["Object"], noise.inputs["Vector"])
    links.new(noise.outputs["Fac"], ramp.inputs["Fac"])
    links.new(ramp.outputs["Color"], skin.inputs["Base Color"])
    links.new(noise.outputs["Fac"], bump.inputs["Height"])
    links.new(bump.outputs["Normal"], skin.inputs["Normal"])
    for mesh in figure.meshes:
        mesh.data.materials.clear()
        mesh.data.materials.append(material)


def soften_hair(mesh: bpy.types.Object, material: bpy.types.Material) -> None:
    """Let a closed wig thin out into strands where it is seen at a grazing angle.

    The wigs are shells without transparency; real hair has no hard outline. Streaks along the
    strands (down the head) decide which of them are cut first.
    """
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = next(n for n in nodes if n.type == "BSDF_PRINCIPLED")
    place = nodes.new("ShaderNodeTexCoord")
    squeeze = nodes.new("ShaderNodeMapping")
    squeeze.inputs["Scale"].default_value = (420.0, 420.0, 18.0)
    streaks = nodes.new("ShaderNodeTexNoise")
    streaks.inputs["Scale"].default_value = 1.0
    streaks.inputs["Detail"].default_value = 2.0
    graze = nodes.new("ShaderNodeLayerWeight")
    graze.inputs["Blend"].default_value = 0.5
    fade = nodes.new("ShaderNodeMapRange")
    fade.inputs["From Min"].default_value, fade.inputs["From Max"].default_value = 0.55, 1.0
    fade.inputs["To Min"].default_value, fade.inputs["To Max"].default_value = 0.0, 1.0
    cut = nodes.new("ShaderNodeMath")
    cut.operation = "SUBTRACT"
    sharpen = nodes.new("ShaderNodeMapRange")
    sharpen.inputs["From Min"].default_value = -0.12
    sharpen.inputs["From Max"].default_value = 0.12
    links.new(place.outputs["Object"], squeeze.inputs["Vector"])
    links.new(squeeze.outputs["Vector"], streaks.inputs["Vector"])
    links.new(graze.outputs["Facing"], fade.inputs["Value"])
    links.new(streaks.outputs["Fac"], cut.inputs[0])
    links.new(fade.outputs["Result"], cut.inputs[1])
    links.new(cut.outputs["Value"], sharpen.inputs["Value"])
    links.new(sharpen.outputs["Result"], shader.inputs["Alpha"])


def skin_tones() -> Mapping[str, tuple[float, float, float]]:
    """Skin in linear light, from pale to dark, after measured reflectances."""
    return {
        "I": (0.78, 0.52, 0.40),
        "II": (0.68, 0.42, 0.30),
        "III": (0.54, 0.31, 0.20),
        "IV": (0.38, 0.20, 0.12),
        "V": (0.22, 0.11, 0.065),
        "VI": (0.10, 0.05, 0.03),
    }


def put_in_hand(figure: Figure, held: Figure, side: str, *, turn: float = 0.0) -> None:
    """Put a thing into a posed figure's palm, or between both, upright.

    Args:
        figure: a posed, standing person.
        held: what it holds; it is moved.
        side: `left`, `right` or `both`.
        turn: radians about the vertical.
    """
    width, depth, height = held.stand((0, 0, 0), turn)
    if side == "both":
        left, right = figure.palm("left"), figure.palm("right")
        middle = (left[0] + right[0]) / 2
        spot = middle - Vector((0, 0, height * 0.45))
        across = left[0] - right[0]
        held.stand((spot.x, spot.y, spot.z), float(np.arctan2(across.y, across.x)))
        return
    palm, facing, _ = figure.palm(side)
    reach = 0.018 + min(width, depth) / 2
    spot = palm + facing * reach
    held.stand((spot.x, spot.y, spot.z - height * 0.45), turn)
