"""Subjects in Blender: load, pose, scale, skin, and place on the ground."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
import numpy.typing as npt
from mathutils import Matrix, Vector

from cleanplate.render.blender.hair_strands import add_strands
from cleanplate.render.subjects.skeleton import Pose, bone_rotations

Points = npt.NDArray[np.float64]
"""(n, 3) metres in the world."""

_STRAY = "Icosphere"


class BlenderSubject:
    """A subject in the scene.

    Args:
        name: for reports.
        kind: person, animal, vehicle, object or hand.
        objects: everything loaded, meshes and armature.
        height: metres to scale it to; None = as loaded.
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

    @property
    def solid(self) -> bool:
        """Whether no part of it is transparent."""
        materials = {s.material for m in self.meshes for s in m.material_slots if s.material}
        shaders = [n for m in materials for n in m.node_tree.nodes if n.type == "BSDF_PRINCIPLED"]
        return len(shaders) >= len(materials) and not any(
            n.inputs["Alpha"].is_linked
            or n.inputs["Alpha"].default_value < 1
            or n.inputs["Transmission Weight"].default_value > 0
            for n in shaders
        )

    def pose(self, pose: Pose) -> None:
        """Rotate the bones; afterwards `stand` must be called again.

        Raises:
            ValueError: if it has no bones.
        """
        if self.armature is None:
            raise ValueError(f"{self.name} has no bones")
        given = bone_rotations(pose)
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
        """Place the lowest point on the ground at `spot`, the middle of its contact over it.

        Args:
            spot: metres.
            heading: radians, counter-clockwise seen from above; at 0 a person faces -Y.
            scale: of the body, on top of its own height.

        Returns:
            Its size along its own x, y and z in metres.
        """
        size = scale * self.scale
        self.root.matrix_world = Matrix.Diagonal((size, size, size, 1.0))
        points = self.points()
        low, high = points.min(0), points.max(0)
        # The contact with the ground, not an outstretched arm, defines the position.
        feet = points[points[:, 2] < low[2] + max(0.03 * (high[2] - low[2]), 0.01 * size)]
        x, y = (feet.min(0) + feet.max(0))[:2] / 2
        middle = Vector((x, y, low[2]))
        turn = Matrix.Rotation(heading, 4, "Z")
        self.root.matrix_world = (
            Matrix.Translation(spot)
            @ turn
            @ Matrix.Translation(-middle)
            @ Matrix.Diagonal((size, size, size, 1.0))
        )
        bpy.context.view_layer.update()
        width, depth, height = (float(v) for v in high - low)
        return width, depth, height

    def lay(
        self, turn: float, roll: float, scale: float, stump: float
    ) -> tuple[tuple[float, float, float], Points]:
        """Lay a hand over the origin, its fingers pointing along +Y at turn 0.

        Args:
            turn: radians counter-clockwise seen from above.
            roll: radians about its length, 0 = palm down.
            scale: of its size.
            stump: share of its length, at the wrist, that counts as its open end.

        Returns:
            Its size along x, y and z in metres, and the points of its open end.
        """
        size = scale * self.scale
        # As loaded, fingers point down and the thin of the hand lies along X.
        across = 1.0 if "left" in self.name else -1.0
        flat = Matrix.Rotation(math.pi / 2, 4, "X") @ Matrix.Rotation(across * math.pi / 2, 4, "Z")
        way = (
            Matrix.Rotation(turn, 4, "Z")
            @ Matrix.Rotation(roll * across, 4, "Y")
            @ flat
            @ Matrix.Diagonal((size, size, size, 1.0))
        )
        self.root.matrix_world = way
        points = self.points()
        low, high = points.min(0), points.max(0)
        to = Vector((-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2]))
        self.root.matrix_world = Matrix.Translation(to) @ way
        points = self.points()
        along = points @ np.array([-math.sin(turn), math.cos(turn), 0.0])
        open_end = along < along.min() + stump * np.ptp(along)
        width, depth, height = (float(v) for v in high - low)
        return (width, depth, height), points[open_end]

    def attach(self, one: bpy.types.Object) -> None:
        """Add an object that is parented to the subject already."""
        self.objects = (*self.objects, one)

    def points(self) -> Points:
        """Every vertex as posed: (n, 3) metres in the world."""
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
        """Give a palm's centre, its normal, and the direction of the fingers, in the world.

        Args:
            side: `left` or `right`.

        Raises:
            ValueError: if it has no bones.
        """
        if self.armature is None:
            raise ValueError(f"{self.name} has no bones")
        bpy.context.view_layer.update()
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
        """Remove the subject from the file."""
        for one in (*self.objects, self.root):
            bpy.data.objects.remove(one, do_unlink=True)
        bpy.data.orphans_purge(do_recursive=True)


def load_subject(path: str | Path, kind: str, height: float | None = None) -> BlenderSubject:
    """Load a subject from a GLB file, at the origin.

    Args:
        path: the file.
        kind: person, animal, vehicle, object or hand.
        height: metres to scale it to; None keeps its own.
    """
    before = set(bpy.data.objects)
    bpy.ops.import_scene.gltf(filepath=str(path), loglevel=50)
    loaded = [o for o in bpy.data.objects if o not in before]
    for one in [o for o in loaded if o.name.split(".")[0] == _STRAY]:
        loaded.remove(one)
        bpy.data.objects.remove(one, do_unlink=True)
    subject = BlenderSubject(Path(path).stem, kind, loaded, height)
    if kind == "person":
        for material in {s.material for m in subject.meshes for s in m.material_slots}:
            make_matt(material)
        wigs = [m for m in subject.meshes if _is_wig(m)]
        for wig in wigs if subject.armature else ():
            rng = np.random.default_rng(len(wig.data.vertices))
            subject.attach(add_strands(wig, subject.armature, rng))
    return subject


def apply_skin(subject: BlenderSubject, tone: tuple[float, float, float]) -> None:
    """Apply a skin material of one tone, slightly uneven, to all meshes.

    Args:
        subject: to apply it to.
        tone: linear light, each in [0, 1].
    """
    material = bpy.data.materials.new("skin")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    skin = nodes["Principled BSDF"]
    skin.inputs["Roughness"].default_value = 0.6
    skin.inputs["Specular IOR Level"].default_value = 0.2
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
    for mesh in subject.meshes:
        mesh.data.materials.clear()
        mesh.data.materials.append(material)


def _is_wig(mesh: bpy.types.Object) -> bool:
    names = [s.material.name.split(".")[0] for s in mesh.material_slots if s.material]
    return "Hair" in names


def make_matt(material: bpy.types.Material) -> None:
    """Reduce gloss: as loaded, cloth and hair look like plastic."""
    for node in material.node_tree.nodes:
        if node.type == "BSDF_PRINCIPLED":
            node.inputs["Roughness"].default_value = 0.68
            node.inputs["Specular IOR Level"].default_value = 0.25


def put_in_hand(
    subject: BlenderSubject, held: BlenderSubject, side: str, *, turn: float = 0.0
) -> None:
    """Place an object in a posed subject's palm, or between both, upright.

    Args:
        subject: a posed, standing person.
        held: the object; it is moved.
        side: `left`, `right` or `both`.
        turn: radians about the vertical.
    """
    width, depth, height = held.stand((0, 0, 0), turn)
    if side == "both":
        left, right = subject.palm("left"), subject.palm("right")
        middle = (left[0] + right[0]) / 2
        spot = middle - Vector((0, 0, height * 0.45))
        across = left[0] - right[0]
        held.stand((spot.x, spot.y, spot.z), float(np.arctan2(across.y, across.x)))
        return
    palm, facing, _ = subject.palm(side)
    reach = 0.018 + min(width, depth) / 2
    spot = palm + facing * reach
    held.stand((spot.x, spot.y, spot.z - height * 0.45), turn)
