"""What a scene is made of, said without Blender: models, slabs, light and a camera's shot."""

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
    """Where a model stands, by its footprint.

    Args:
        x: metres, of the middle of its bounding box.
        y: likewise.
        z: its lowest point; None lets it down on what lies below `drop_from`.
        turn: radians about the vertical, counter-clockwise.
        scale: by which it is enlarged.
        lean: radians about the horizontal before the turn (a thing lying on its side).
        drop_from: metres, from which it is let down.
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
    """A GLB file of the asset folder and where it is; `matrix` as a world file gives it."""

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
    """A square area lamp that shines down or, from the side, at `aim`; the camera sees it not."""

    position: Point
    side: float
    watts: float
    colour: Colour
    aim: Point | None = None


@dataclass(frozen=True)
class Sun:
    """The sun: radians over the horizon and about the vertical, its width, W/m2 and colour."""

    elevation: float
    azimuth: float
    width: float
    strength: float
    colour: Colour


@dataclass(frozen=True)
class Light:
    """All light of one picture, besides what glows in the scene itself.

    Args:
        sky: path of the EXR panorama; None = `ambient` all round.
        sky_strength: mean radiance the panorama is scaled to.
        sky_turn: radians about the vertical.
    """

    sky: str | None = None
    sky_strength: float = 1.0
    sky_turn: float = 0.0
    ambient: Colour = (0.0, 0.0, 0.0)
    sun: Sun | None = None
    lamps: tuple[Lamp, ...] = ()


@dataclass(frozen=True)
class CameraSpot:
    """A camera place that is known to be good: position, heading (radians), focal / width."""

    position: Point
    heading: float
    focal: float


@dataclass(frozen=True)
class SceneDescription:
    """A scene without camera and light.

    Args:
        name: written into each picture's record as its world.
        kind: world, room, outdoor or tabletop.
        models: in the order in which they are put down.
        slabs: put down before the models.
        area: x0, y0, x1, y1 in metres, where cameras (and subjects) may be; None = all over
            what was built.
        ground: metres, height of what subjects stand on.
        ceiling: metres; cameras stay below it.
        spots: camera places known to be good.
        aims: x and y of what close cameras like to look at.
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
    """A camera before it is known whether it sees anything.

    Args:
        mode: eye, desk, cctv, low or close.
        position: metres.
        heading: radians, counter-clockwise from +X.
        pitch: radians, up is positive.
        focal: focal length / picture width.
        f_number: for depth of field; None = sharp all over.
    """

    mode: str
    position: Point
    heading: float
    pitch: float
    focal: float
    f_number: float | None = None
