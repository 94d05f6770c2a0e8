"""Recipes: everything that decides what a training run learns, as typed dataclasses by name."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from cleanplate.errors import CleanplateError
from cleanplate.synthesis import CompositorSettings
from cleanplate.training.losses import LossWeights
from cleanplate.training.networks.network_recipe import NetworkRecipe


@dataclass(frozen=True)
class Stage:
    """A part of the run at one picture and batch size, written `WIDTHxHEIGHT:BATCH:SHARE`."""

    width: int
    height: int
    batch: int
    """Samples in one step, over all devices together."""
    share: float
    """Of the run's steps."""

    def __str__(self) -> str:
        return f"{self.width}x{self.height}:{self.batch}:{self.share:g}"

    @classmethod
    def parse(cls, text: str) -> Stage:
        """Parse a stage such as `128x96:32:0.5`.

        Raises:
            ValueError: if the text has another form.
        """
        size, batch, share = text.split(":")
        width, height = size.split("x")
        return cls(int(width), int(height), int(batch), float(share))


_STAGE: tyro.constructors.PrimitiveConstructorSpec[Stage] = (
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="WxH:BATCH:SHARE",
        instance_from_str=lambda words: Stage.parse(words[0]),
        is_instance=lambda value: isinstance(value, Stage),
        str_from_instance=lambda stage: [str(stage)],
    )
)


@dataclass(frozen=True)
class DataRecipe:
    """Where samples come from.

    `composites` are made of folders of plates and of cutouts; `procedural` scenes need no files;
    `shards` are WebDataset tar files; `folders` has the layout `bg/ fg_bg/ mask/ depth/` of the
    assignment's dataset.
    """

    kind: Literal["composites", "procedural", "shards", "folders"] = "composites"
    plates: tuple[Path, ...] = ()
    """For composites: folders of plates; every plate is sampled equally often."""
    cutouts: tuple[Path, ...] = ()
    """For composites: folders of cutouts, likewise."""
    pairs: Path | None = None
    """A folder of full-scene pairs (shards or single files) that are mixed into the samples."""
    pairs_share: float = 0.0
    """Share of samples in [0, 1] that are such pairs, augmented: cropped, mirrored, exposed."""
    path: Path | None = None
    """For shards: their folder. For folders: the one that holds `bg/ fg_bg/ mask/ depth/`."""
    depth: Literal["metres", "near-dark", "near-bright"] = "metres"
    """What the depth files of `folders` mean: see `cleanplate.training.data.folder_reader`."""
    plate_depth_dropout: float = 0.5
    """Share of samples whose plate depth is hidden from the network."""
    compositor: CompositorSettings = field(default_factory=CompositorSettings)
    """For composites and procedural scenes."""

    def __post_init__(self) -> None:
        if not 0 <= self.pairs_share <= 1:
            raise CleanplateError(f"pairs_share = {self.pairs_share:g} is no share in [0, 1]")
        if (self.pairs is not None) != (self.pairs_share > 0):
            raise CleanplateError(
                "pairs need a share of the samples, and a share needs pairs",
                cure="--data.pairs FOLDER --data.pairs-share 0.15",
            )

    def raise_if_incomplete(self) -> None:
        """Raise if the kind of data lacks a folder, or a folder of another kind is given.

        There is no default data: a missing folder is never replaced by procedural scenes.

        Raises:
            CleanplateError: naming the missing or the unused option.
        """
        places = {"plates": self.plates, "cutouts": self.cutouts, "path": self.path}
        wanted = {"composites": ("plates", "cutouts"), "procedural": ()}.get(self.kind, ("path",))
        unneeded = "cutouts" if self.compositor.identical_share >= 1 else ""  # no subject is drawn
        missing = [name for name in wanted if not places[name] and name != unneeded]
        if missing:
            raise CleanplateError(
                f"data of kind {self.kind!r} need {' and '.join(wanted)}, and there "
                f"{'is' if len(missing) == 1 else 'are'} no {' and no '.join(missing)}",
                cure=f"{' '.join(f'--data.{name} FOLDER' for name in missing)}, or --data.kind "
                "procedural for generated scenes.",
            )
        stray = [name for name, place in places.items() if place and name not in wanted]
        if stray:
            raise CleanplateError(
                f"data of kind {self.kind!r} do not use --data.{stray[0]}",
                cure="Leave it out, or choose another --data.kind.",
            )


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a run learns."""

    name: tyro.conf.Suppress[str]
    note: tyro.conf.Suppress[str] = ""
    network: NetworkRecipe = field(default_factory=NetworkRecipe)
    data: DataRecipe = DataRecipe()
    objective: Literal["matte", "plate-depth", "cross-entropy"] = "matte"
    """The loss: `matte` of every output; `plate-depth` of the plate's disparity alone;
    `cross-entropy` of mask (weight 2) and depth, as in the 2020 report."""
    loss: LossWeights = field(default_factory=LossWeights)
    """Weights of the terms of the objectives `matte` and `plate-depth`."""
    start: Path | None = None
    """A checkpoint, half-precision weights, or a model to start from: its folder, a shipped one's
    name, or `default`; None = random weights."""
    teacher: Path | None = None
    """A checkpoint of a trained network: its alpha and shadow are targets beside the truth (Hinton
    et al. 2015), and the run starts with those of its weights that have the same name and shape."""
    stages: tuple[Annotated[Stage, _STAGE], ...] = (
        Stage(128, 96, 32, 0.35),
        Stage(192, 144, 24, 0.25),
        Stage(256, 192, 16, 0.3),
        Stage(384, 288, 8, 0.1),
    )
    """Small pictures first: most steps are cheap, the last ones learn detail."""
    steps: int = 20_000
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.01
    warm_up: int = 500
    """Steps of linear warm-up; then a cosine down to `final_rate`."""
    final_rate: float = 0.01
    """The last learning rate, as a share of `learning_rate`."""
    clip: float = 1.0
    """Gradient clipping: largest norm."""
    ema_decay: float = 0.999
    """Decay of the averaged weights, which validation and export use. 0 = no average."""
    seed: int = 0
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "bf16-mixed"
    channels_last: bool = True
    validation_every: int = 500
    """Steps between validations. 0 = never."""
    validation_samples: int = 96
    overfit_one_batch: bool = False
    """Train on the first step's batch only, as a check: a network that cannot overfit one batch
    has a bug."""

    def __post_init__(self) -> None:
        if not self.stages or not math.isclose(sum(s.share for s in self.stages), 1, abs_tol=1e-6):
            raise CleanplateError(
                f"the stages' shares sum to {sum(s.share for s in self.stages):g}, not 1",
                cure="--stages 128x96:32:0.5 256x192:16:0.5 (WIDTHxHEIGHT:BATCH:SHARE)",
            )
        if min(min(s.width, s.height) for s in self.stages) < 32:
            raise CleanplateError("a stage is smaller than 32 pixels", cure="use larger pictures")
        if self.steps < 1 or min(s.batch for s in self.stages) < 1:
            raise CleanplateError("a run needs at least one step and one sample in each")


_SMOKE = (Stage(48, 32, 4, 0.5), Stage(64, 48, 4, 0.5))
_SMOKE_DATA = DataRecipe(
    kind="procedural",
    compositor=CompositorSettings(procedural_rooms=8, procedural_cutouts=8),
)

_DUAL = Recipe(
    "dual",
    "DualResolutionNet, from an ImageNet encoder, on your plates and cutouts: the shipped model",
    network=NetworkRecipe(name="dual", pretrained=True),
    data=DataRecipe(compositor=dataclasses.replace(CompositorSettings.hard(), smallest_crop=0.62)),
    loss=LossWeights(jaccard=0.2),
    learning_rate=1e-3,
    ema_decay=0.995,
    precision="32-true",  # bf16 is slower for its 5 x 5 depthwise convolutions on a CPU
    # The encoder's input is half of this: below 192 pixels objects are too small to recognise.
    stages=(
        Stage(192, 144, 24, 0.5),
        Stage(256, 192, 16, 0.35),
        Stage(384, 288, 16, 0.15),
    ),
)

RECIPES: dict[str, Recipe] = {
    "compact": Recipe(
        "compact",
        "CompactNet on composites of your plates and cutouts",
        # Rendered plates are few: procedural ones add variety of depth.
        data=DataRecipe(
            compositor=CompositorSettings(
                procedural_share=0.35, procedural_rooms=400, smallest_crop=0.62
            )
        ),
    ),
    "compact-smoke": Recipe(
        "compact-smoke",
        "smoke test: twenty steps of a narrow CompactNet on procedural scenes",
        network=NetworkRecipe(width=0.5),
        data=_SMOKE_DATA,
        stages=_SMOKE,
        steps=20,
        warm_up=5,
        ema_decay=0.9,
        precision="32-true",
        validation_every=10,
        validation_samples=8,
    ),
    "dual": _DUAL,
    "fast": dataclasses.replace(
        _DUAL,
        name="fast",
        note="a narrow DualResolutionNet for live pictures; give it a trained `dual` as --teacher",
        network=NetworkRecipe(name="fast", pretrained=True),
    ),
    "plate-depth": Recipe(
        "plate-depth",
        "PlateDepthNet: relative disparity of a plate's picture, from an ImageNet encoder",
        network=NetworkRecipe(name="plate-depth", pretrained=True),
        data=DataRecipe(compositor=CompositorSettings(identical_share=1.0)),
        objective="plate-depth",
        loss=LossWeights(plate_disparity=1.0, gradient=0.5),
        learning_rate=1e-3,
        ema_decay=0.995,
        precision="32-true",
        stages=(Stage(192, 144, 24, 0.5), Stage(256, 192, 16, 0.5)),
    ),
    "seed": Recipe(
        "seed",
        "SeedNet, the 2020 report's network: AdamW with warm-up, cross-entropy on logits",
        network=NetworkRecipe(name="seed"),
        objective="cross-entropy",
        stages=(Stage(64, 64, 16, 0.5), Stage(128, 128, 16, 0.5)),
        learning_rate=5e-4,
        steps=20_000,
    ),
    "seed-smoke": Recipe(
        "seed-smoke",
        "smoke test: twenty steps of a narrow SeedNet on procedural scenes",
        network=NetworkRecipe(name="seed", width=0.125),
        data=_SMOKE_DATA,
        objective="cross-entropy",
        stages=_SMOKE,
        steps=20,
        warm_up=5,
        ema_decay=0.9,
        precision="32-true",
        validation_every=10,
        validation_samples=8,
    ),
}
"""The named recipes. Each field can be overridden on the command line."""
