"""Description of a scene to render, without Blender: models, slabs, lights and camera poses."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float, float]
"""Metres, Z up."""
Colour = tuple[float, float, float]
"""Linear light."""
Matrix = tuple[tuple[float, ...], ...]
"""4 x 4, row by row."""


@dataclass(frozen=True)
class StandingPose:
    """Pose of a model on the ground, by its footprint.

    Args:
        x: metres, of the middle of its bounding box.
        y: likewise.
        z: its lowest point; None drops it on the surface below `drop_from`.
        turn: radians about the vertical, counter-clockwise.
        scale: factor of its size.
        lean: radians about the horizontal before the turn (an object on its side).
        drop_from: metres, height from which it is dropped.
    """

    x: float
    y: float
    z: float | None = 0.0
    turn: float = 0.0
    scale: float = 1.0
    lean: float = 0.0
    drop_from: float = 3.0


@dataclass(frozen=True)
class Model:
    """A GLB file of the asset folder and its pose; a matrix as in a world file."""

    path: str
    where: StandingPose | Matrix


@dataclass(frozen=True)
class Slab:
    """A box with a texture that repeats every `tile` metres, or of one plain colour."""

    centre: Point
    size: Point
    texture: str | None = None
    tile: float = 1.5
    colour: Colour = (0.6, 0.6, 0.6)
    roughness: float = 0.7
    turn: float = 0.0


@dataclass(frozen=True)
class Lamp:
    """A square area lamp that shines down, or at `aim`; invisible to the camera."""

    position: Point
    side: float
    watts: float
    colour: Colour
    aim: Point | None = None


@dataclass(frozen=True)
class Sun:
    """The sun: elevation, azimuth and angular diameter in radians, W/m2, linear colour."""

    elevation: float
    azimuth: float
    width: float
    strength: float
    colour: Colour


@dataclass(frozen=True)
class Light:
    """All light of one picture, besides emitters of the scene itself.

    Args:
        sky: path of the EXR panorama; None = `ambient` all round.
        sky_strength: mean radiance the panorama is scaled to.
        sky_turn: radians about the vertical.
        ambient: linear light.
        sun: or None.
        lamps: area lamps.
    """

    sky: str | None = None
    sky_strength: float = 1.0
    sky_turn: float = 0.0
    ambient: Colour = (0.0, 0.0, 0.0)
    sun: Sun | None = None
    lamps: tuple[Lamp, ...] = ()


@dataclass(frozen=True)
class CameraSpot:
    """A known good camera place: position, heading (radians), focal length / picture width."""

    position: Point
    heading: float
    focal: float


@dataclass(frozen=True)
class SceneDescription:
    """A scene without camera and light.

    Args:
        name: written into each picture's JSON as its world.
        kind: world, room, outdoor or tabletop.
        models: in the order of placement.
        slabs: placed before the models.
        area: x0, y0, x1, y1 in metres, where cameras (and subjects) may be; None = all over
            the models.
        ground: metres, height of the surface that subjects stand on.
        ceiling: metres; cameras stay below it.
        spots: known good camera places.
        aims: x and y that close cameras look at.
        lamp_spacing: metres between ceiling lamps.
        lamp_height: metres.
        lamp_watts: least and most.
        files: used besides those of models and slabs.
    """

    name: str
    kind: str
    models: tuple[Model, ...] = ()
    slabs: tuple[Slab, ...] = ()
    area: tuple[float, float, float, float] | None = None
    ground: float = 0.0
    ceiling: float = 2.9
    spots: tuple[CameraSpot, ...] = ()
    aims: tuple[tuple[float, float], ...] = ()
    lamp_spacing: float = 4.0
    lamp_height: float = 2.4
    lamp_watts: tuple[float, float] = (50.0, 130.0)
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class CameraPose:
    """A camera pose, before it is tested.

    Args:
        mode: eye, desk, cctv, low or close.
        position: metres.
        heading: radians, counter-clockwise from +X.
        pitch: radians, up is positive.
        focal: focal length / picture width.
        f_number: for depth of field; None = sharp everywhere.
    """

    mode: str
    position: Point
    heading: float
    pitch: float
    focal: float
    f_number: float | None = None
