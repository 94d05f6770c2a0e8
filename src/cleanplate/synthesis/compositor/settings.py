"""Compositor settings: what is drawn, and how often. Every share is a probability in [0, 1]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError

RENAMED = {"look": "tone", "shine_share": "colour_bleed_share"}
"""Settings' names in the files of older versions -> today's."""


@dataclass(frozen=True)
class CompositorSettings:
    """Shares and strengths; each sample draws its own from its seed.

    Weights (`grounded`, `portrait`, `uniform`, the kinds, `subjects`) need not sum to one.

    Raises:
        CleanplateError: if a share lies outside [0, 1] or a weight is negative.
    """

    grounded: float = 0.62
    """Weight of subjects that stand on a floor or a table: size from metres and intrinsics."""
    portrait: float = 0.23
    """Weight of large subjects cut by the picture's border, as in a video call."""
    uniform: float = 0.15
    """Weight of subjects put anywhere, at any size."""
    subjects: tuple[float, ...] = (0.68, 0.22, 0.10)
    """Weights of one, two, three ... subjects in a frame."""
    person: float = 0.50
    object: float = 0.26
    animal: float = 0.12
    vehicle: float = 0.06
    shape: float = 0.06
    """Weights of the kinds of subject; `shape` is an abstract one."""
    other: float = 0.26
    """Weight of cutouts of any other kind, and of those without a stated kind."""

    identical_share: float = 0.04
    """Frames without a subject: the plate's scene, seen again by the camera."""
    true_size: bool = False
    """Grounded subjects of every kind keep their size; otherwise objects and animals may be larger
    or smaller than in reality, and some people are children.
    """
    mirror: bool = True
    """Plates and cutouts may be mirrored left to right."""
    smallest_crop: float = 0.55
    """Least share of the plate's width and height that a view keeps."""
    tone: float = 1.0
    """Strength of colour changes that plate and frame share: exposure, white balance, gamma."""
    relight: float = 1.0
    """Strength of colour harmonisation of the subject."""
    camouflage_share: float = 0.14
    """Subjects coloured like the plate behind them."""
    veil_share: float = 0.02
    """Subjects that are semi-transparent as a whole."""
    edge_share: float = 0.4
    """Subjects with an edge effect: fringe of hair, defocus, motion, holes."""
    shadow_share: float = 0.9
    """Subjects that cast shadows."""
    reflection_share: float = 0.06
    """Grounded subjects reflected faintly in the floor (not part of the shadow ground truth)."""
    colour_bleed_share: float = 0.1
    """Frames in which a subject's colour brightens the scene around it."""
    cloth_share: float = 0.0
    """Subjects of which a part gets another pattern: plain, striped, with letters."""
    print_share: float = 0.0
    """Subjects of which a part has the colours of the plate behind it, plain or in a pattern."""
    hair_share: float = 0.0
    """Subjects with loose hair along their upper outline, in locks."""
    dark_share: float = 0.0
    """Pairs in low light, with noise, whose subjects are about as dark as what they hide."""
    strong_shadow_share: float = 0.0
    """Frames whose subjects all cast shadows, of one strong light or of several."""
    foreign_shadow_share: float = 0.0
    """Frames with shadows of objects out of view (part of the shadow ground truth)."""
    lamp_share: float = 0.0
    """Frames in which lamps or patches of sun appear or disappear. Darkening is part of the shadow
    ground truth.
    """
    crop_share: float = 0.0
    """Pairs whose plate is shifted by up to 1 % of the picture and zoomed by up to 1 %."""

    camera: bool = True
    """Plate and frame each get camera effects; False keeps them as composed."""
    clean_share: float = 0.2
    """Pairs that differ by a little noise only."""
    drift_share: float = 0.28
    """Pairs with strong differences: exposure, tone, defocus, a moved tripod."""

    procedural_share: float = 0.0
    """Share of samples whose plate is procedural, beside those of the folders."""
    procedural_rooms: int = 256
    """Number of distinct procedural plates of one composer; each is made when first needed."""
    procedural_cutouts: int = 192
    """Number of distinct procedural cutouts of one composer."""
    procedural_cutout_share: float = 0.5
    """Share of procedural subjects, relative to `procedural_share`, beside those of a folder."""
    textures: Path | None = None
    """A folder of textures for procedural plates."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            share = field.name.endswith("_share") or field.name == "smallest_crop"
            if not value >= 0 or (share and value > 1):
                raise CleanplateError(
                    f"{field.name} = {value} is out of range",
                    cure="Shares lie in [0, 1]; weights and strengths are not negative.",
                )
        if self.grounded + self.portrait + self.uniform <= 0 or sum(self.subjects) <= 0:
            raise CleanplateError("all weights of placement or of the number of subjects are zero")
        if self.procedural_rooms < 1 or self.procedural_cutouts < 1:
            raise CleanplateError("procedural_rooms and procedural_cutouts must be at least 1")

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> CompositorSettings:
        """Read settings from a plan's or recipe's JSON; names of older versions are read too.

        Raises:
            CleanplateError: if a value is out of range.
            KeyError, TypeError: if these are not settings.
        """
        values = {RENAMED.get(name, name): value for name, value in stored.items()}
        return cls(**{**values, "subjects": tuple(values["subjects"])})

    @classmethod
    def hard(cls) -> CompositorSettings:
        """Give settings with the cases at which networks that compare pixels fail."""
        return cls(
            identical_share=0.08,
            reflection_share=0.25,
            cloth_share=0.3,
            print_share=0.22,
            hair_share=0.12,
            dark_share=0.1,
            strong_shadow_share=0.25,
            foreign_shadow_share=0.15,
            lamp_share=0.12,
            crop_share=0.12,
        )

    @classmethod
    def exact(cls) -> CompositorSettings:
        """Give settings that draw placements alone: no changes of colour or edge, no camera."""
        return cls(
            identical_share=0.0,
            tone=0.0,
            relight=0.0,
            shape=0.0,
            camouflage_share=0.0,
            veil_share=0.0,
            edge_share=0.0,
            reflection_share=0.0,
            colour_bleed_share=0.0,
            camera=False,
        )
