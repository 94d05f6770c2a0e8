"""What a training run is: frozen, typed, named, and saved beside its checkpoints."""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.synthesis import CompositorSettings
from cleanplate.synthesis.compositor.settings import RENAMED
from cleanplate.training.losses import LossWeights
from cleanplate.training.networks.network_recipe import NetworkRecipe


@dataclass(frozen=True)
class Stage:
    """A stretch of the run at one picture size. Written `WIDTHxHEIGHT:BATCH:SHARE`."""

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
        """`128x96:32:0.5` as a stage.

        Raises:
            ValueError: for anything else.
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

    `composites` need folders of plates and of cutouts; `procedural` scenes need nothing; `shards`
    are WebDataset tar files; `folders` is the assignment's form, `bg/ fg_bg/ mask/ depth/`.
    """

    kind: Literal["composites", "procedural", "shards", "folders"] = "composites"
    plates: tuple[Path, ...] = ()
    """Of composites: folders of plates; each counts by its number of plates."""
    cutouts: tuple[Path, ...] = ()
    """Of composites: folders of cutouts, likewise."""
    pairs: Path | None = None
    """A folder of full-scene pairs, shards or loose files, that are mixed into the samples."""
    pairs_share: float = 0.0
    """Share of samples that are such pairs, cut, mirrored and exposed anew each time."""
    path: Path | None = None
    """Of shards: their folder. Of folders: the one that holds `bg/ fg_bg/ mask/ depth/`."""
    depth: Literal["metres", "near-dark", "near-bright"] = "metres"
    """What the depth files of `folders` mean: see `cleanplate.training.data.folder_reader`."""
    plate_depth_dropout: float = 0.5
    """Share of samples in which the network is not shown the plate's depth."""
    compositor: CompositorSettings = field(default_factory=CompositorSettings)
    """Of composites and procedural scenes."""

    def __post_init__(self) -> None:
        if not 0 <= self.pairs_share <= 1:
            raise CleanplateError(f"pairs_share = {self.pairs_share:g} is no share in [0, 1]")
        if (self.pairs is not None) != (self.pairs_share > 0):
            raise CleanplateError(
                "a mixture needs both the pairs and their share",
                cure="--data.pairs FOLDER --data.pairs-share 0.15",
            )

    def demand_places(self) -> None:
        """Refuse a recipe whose kind of data has no folder, or that names folders of another kind.

        Nothing is put in the place of data that are not there.

        Raises:
            CleanplateError: that says what is to be given.
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
                "procedural for scenes that Cleanplate draws itself.",
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
    """`plate-depth` looks at the plate's disparity alone; `cross-entropy` is the seed's: of the
    mask, counted twice, and of depth."""
    loss: LossWeights = field(default_factory=LossWeights)
    """Of the objectives `matte` and `plate-depth`."""
    start: Path | None = None
    """A checkpoint, or weights in 16 bits, that the run begins with; None = fresh weights."""
    stages: tuple[Annotated[Stage, _STAGE], ...] = (
        Stage(128, 96, 32, 0.35),
        Stage(192, 144, 24, 0.25),
        Stage(256, 192, 16, 0.3),
        Stage(384, 288, 8, 0.1),
    )
    """Small to large: where most steps are cheap and the last ones see detail."""
    steps: int = 20_000
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.01
    warm_up: int = 500
    """Steps of linear warm-up; then a cosine down to `final_rate`."""
    final_rate: float = 0.01
    """The last learning rate, as a share of `learning_rate`."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    ema_decay: float = 0.999
    """Of the averaged weights, which validation and export use. 0 switches the average off."""
    seed: int = 0
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "bf16-mixed"
    channels_last: bool = True
    validation_every: int = 500
    """Steps. 0 = never."""
    validation_samples: int = 96
    overfit_one_batch: bool = False
    """Learn the first step's batch by heart: a network that cannot will not learn anything."""

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

RECIPES: dict[str, Recipe] = {
    "compact": Recipe(
        "compact",
        "CompactNet on composites of your plates and cutouts: the shipped model",
        # Rendered plates are few and rooms are many: procedural ones teach what depth looks like.
        data=DataRecipe(
            compositor=CompositorSettings(
                procedural_share=0.35, procedural_rooms=400, smallest_crop=0.62
            )
        ),
    ),
    "compact-smoke": Recipe(
        "compact-smoke",
        "twenty steps of a narrow CompactNet on procedural scenes: does everything run?",
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
    "dual": Recipe(
        "dual",
        "DualResolutionNet on composites of your plates and cutouts, from an ImageNet encoder",
        network=NetworkRecipe(name="dual", pretrained=True),
        data=DataRecipe(
            compositor=dataclasses.replace(CompositorSettings.hard(), smallest_crop=0.62)
        ),
        loss=LossWeights(jaccard=0.2),
        learning_rate=1e-3,
        ema_decay=0.995,
        precision="32-true",  # bf16 is slower for its 5 x 5 depthwise convolutions on a CPU
        # The encoder sees half of this: below 192 pixels there is little left to recognise.
        stages=(
            Stage(192, 144, 24, 0.5),
            Stage(256, 192, 16, 0.35),
            Stage(384, 288, 16, 0.15),
        ),
    ),
    "plate-depth": Recipe(
        "plate-depth",
        "PlateDepthNet: a plate's relative disparity from its picture, from an ImageNet encoder",
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
        "the 2020 report's network, trained soundly: Adam with warm-up, logits seen as logits",
        network=NetworkRecipe(name="seed"),
        objective="cross-entropy",
        stages=(Stage(64, 64, 16, 0.5), Stage(128, 128, 16, 0.5)),
        learning_rate=5e-4,
        steps=20_000,
    ),
    "seed-smoke": Recipe(
        "seed-smoke",
        "twenty steps of a narrow SeedNet on procedural scenes",
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


def to_json(recipe: Recipe) -> dict[str, Any]:
    """Turn the recipe into JSON-able values; stages in their written form, paths as text."""
    values = dataclasses.asdict(recipe)
    values["stages"] = [str(stage) for stage in recipe.stages]
    plain: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return plain


def save(recipe: Recipe, path: Path) -> None:
    """Write the recipe as JSON, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(to_json(recipe), indent=2) + "\n", encoding="utf-8")


def changes(old: dict[str, Any], new: Recipe) -> list[str]:
    """List the fields in which a recipe differs from a saved one: `field: old -> new`.

    A field that the saved one does not know yet counts as its default.
    """
    default = RECIPES.get(new.name, new)
    before = _flat(to_json(default)) | _flat(old)
    after = _flat(to_json(new))
    return [
        f"{key}: {before.get(key)} -> {after.get(key)}"
        for key in sorted(before.keys() | after.keys())
        if listed(before.get(key)) != listed(after.get(key))
    ]


def listed(value: Any) -> list[Any]:
    """Give a saved field's values; one folder, from before there could be several, is a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            name = RENAMED.get(key, key) if prefix.endswith("compositor.") else key
            flat[prefix + name] = value
    return flat


def command_of(recipe: dict[str, Any]) -> str:
    """Write the command that starts a run of a saved recipe."""
    words = ["cleanplate", "train", recipe["name"]]
    default = _flat(to_json(RECIPES[recipe["name"]])) if recipe["name"] in RECIPES else {}
    for key, value in _flat(recipe).items():
        if key in ("name", "note") or listed(default.get(key)) == listed(value):
            continue
        flag = key.replace("_", "-")
        if isinstance(value, bool):
            head, _, last = flag.rpartition(".")
            no = "" if value else "no-"
            words.append(f"--{head}.{no}{last}" if head else f"--{no}{last}")
        else:
            words += [f"--{flag}", *(str(one) for one in listed(value))]
    return shlex.join(words)
