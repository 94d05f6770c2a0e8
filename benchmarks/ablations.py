"""What parts of the default model are worth: trainings alike in everything but one part.

Run by `python -m benchmarks.ablations --plates FOLDER --cutouts FOLDER`. Each training has the
same time on one thread, not the same number of steps: what costs time must be worth it. The parts
are tried from the ImageNet encoder, and the picture size of the last stage from the shipped
weights. The score is that of training's own validation split, plates and cutouts that no training
sees, at 480 x 360.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import torch
from torch import Tensor, nn

from cleanplate.markdown_table import markdown_table
from cleanplate.training.checkpoint import read_checkpoint, weights_of
from cleanplate.training.data.batch import collate, relative
from cleanplate.training.data.data_module import SampleKey, SourceDataset, open_sources
from cleanplate.training.fit import RunOptions, fit
from cleanplate.training.losses import MatteLoss
from cleanplate.training.networks import NETWORKS, build_network
from cleanplate.training.networks.blocks import GlobalAttention
from cleanplate.training.networks.contract import PairNetwork, Prediction
from cleanplate.training.networks.dual_resolution import DUAL, DualResolutionNet
from cleanplate.training.recipes import RECIPES, DataRecipe, Recipe, Stage

SCORED_AT = (360, 480)
"""(height, width) of the validation samples."""
_TIMED_ROUNDS = 2
_SURE = 0.9
"""True alpha from which on a hole is a hole."""


class WithoutAttention(DualResolutionNet):
    """DualResolutionNet whose cells at stride 32 do not see each other."""

    def __init__(self, *, pretrained: bool = False):
        super().__init__(pretrained=pretrained)
        self.attention = nn.Identity()  # type: ignore[assignment]


class AttentionAtTwoStrides(DualResolutionNet):
    """DualResolutionNet with attention at stride 16 as well."""

    def __init__(self, *, pretrained: bool = False):
        super().__init__(pretrained=pretrained)
        self.decode_16.filter.append(GlobalAttention(DUAL.decoder[2]))


class HoleLoss(MatteLoss):
    """The loss, and the mean squared lack of alpha deep in the subject, where it is nearly 1."""

    def __call__(self, prediction: Prediction, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        parts = super().__call__(prediction, batch)
        assert prediction.alpha is not None
        # Sure all around: eroded by 3 pixels, so that edges stay with the other terms.
        sure = -nn.functional.max_pool2d(-batch["alpha"], 7, 1, 3) > _SURE
        lack = (1 - prediction.alpha.float()).square() * sure
        holes = lack.sum() / sure.sum().clamp_min(1)
        return {**parts, "holes": holes, "total": parts["total"] + 0.5 * holes}


_SMALL = Stage(192, 144, 24, 1.0)


@dataclass(frozen=True)
class Variant:
    """One training: what differs from the recipe."""

    name: str
    network: Callable[..., PairNetwork] = DualResolutionNet
    pretrained: bool = True
    objective: type[MatteLoss] = MatteLoss
    started: bool = False
    """From weights that are trained already."""
    stage: Stage = _SMALL


PARTS = (
    Variant("as shipped"),
    Variant("encoder not pretrained", pretrained=False),
    Variant("without attention", network=WithoutAttention),
    Variant("attention at strides 32 and 16", network=AttentionAtTwoStrides),
    Variant("with a loss on holes", objective=HoleLoss),
)
SIZES = tuple(
    Variant(f"{stage.width} x {stage.height}", started=True, stage=stage)
    for stage in (Stage(256, 192, 16, 1.0), Stage(384, 288, 16, 1.0), Stage(512, 384, 16, 1.0))
)


def recipe_of(variant: Variant, data: DataRecipe, seed: int, start: Path | None) -> Recipe:
    """Make the recipe of a variant's training, whose number of steps is not yet known."""
    dual = RECIPES["dual"]
    started = variant.started
    return replace(
        dual,
        network=replace(dual.network, pretrained=variant.pretrained and not started),
        data=replace(data, compositor=dual.data.compositor),
        start=start if started else None,
        stages=(variant.stage,),
        learning_rate=3e-4 if started else 1e-3,
        ema_decay=0.98,
        seed=seed,
        validation_every=0,
    )


def seconds_of_a_step(variants: Sequence[Variant]) -> dict[str, float]:
    """Time a step of each variant on noise, on one thread: the least of alternated rounds."""
    torch.set_num_threads(1)
    spent = dict.fromkeys((variant.name for variant in variants), float("inf"))
    for _ in range(_TIMED_ROUNDS):
        for variant in variants:
            network = variant.network().train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            objective, stage = variant.objective(), variant.stage
            picture = torch.rand(stage.batch, 3, stage.height, stage.width)
            batch = dict.fromkeys(
                ("alpha", "shadow"), torch.rand(stage.batch, 1, stage.height, stage.width)
            )
            for _ in range(2):
                begun = time.perf_counter()
                objective(network(picture, picture), batch)["total"].backward()
                spent[variant.name] = min(spent[variant.name], time.perf_counter() - begun)
    return spent


def train(variant: Variant, data: DataRecipe, steps: int, seed: int, start: Path) -> nn.Module:
    """Train a variant; give the averaged network."""
    NETWORKS["dual"] = variant.network
    recipe = recipe_of(variant, data, seed, start)
    recipe = replace(recipe, steps=steps, warm_up=min(30, steps // 2))
    with TemporaryDirectory() as run:
        options = RunOptions(workers=1, threads=1, pictures_every=0, quiet=True)
        ended = fit(recipe, Path(run), options, objective=variant.objective(recipe.loss))
        network = build_network(replace(recipe.network, pretrained=False))
        network.load_state_dict(weights_of(read_checkpoint(ended.checkpoint)))
    return network.eval()


@torch.no_grad()
def score(network: nn.Module, data: DataRecipe, samples: int) -> tuple[float, float]:
    """Compute MAD x 1000, and the mean IoU of pairs with a subject, on the validation split."""
    recipe = recipe_of(Variant(""), data, 0, None)
    validation = open_sources(recipe)[1]
    assert validation is not None
    dataset = SourceDataset(validation, 0, 1.0)
    errors, overlaps = [], []
    for index in range(samples):
        batch = relative(collate([dataset[SampleKey(index, *SCORED_AT)]]))  # type: ignore[list-item]
        alpha = network(batch.plate, batch.frame).alpha
        errors.append(float((alpha - batch.alpha).abs().mean()))
        found, true = alpha >= 0.5, batch.alpha >= 0.5
        if true.any():
            overlaps.append(float((found & true).sum() / (found | true).sum()))
    return 1000 * float(np.mean(errors)), float(np.mean(overlaps))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--plates", type=click.Path(path_type=Path), multiple=True, required=True)
@click.option("--cutouts", type=click.Path(path_type=Path), multiple=True, required=True)
@click.option(
    "--start",
    type=click.Path(path_type=Path),
    default="default",
    show_default=True,
    help="Weights from which the sizes of the last stage are tried.",
)
@click.option("--minutes", type=float, default=6.0, show_default=True, help="Of each training.")
@click.option("--seeds", type=int, default=1, show_default=True, help="Trainings of each variant.")
@click.option("--samples", type=int, default=96, show_default=True, help="Of the validation split.")
@click.option("--only", type=click.Choice(["parts", "sizes"]), help="[default: both]")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the table here.")
def main(
    *,
    plates: tuple[Path, ...],
    cutouts: tuple[Path, ...],
    start: Path,
    minutes: float,
    seeds: int,
    samples: int,
    only: str | None,
    json_path: Path | None,
) -> None:
    """Train each variant for the same time, and print what each scores."""
    data = DataRecipe(plates=plates, cutouts=cutouts)
    variants = {"parts": PARTS, "sizes": SIZES, None: PARTS + SIZES}[only]
    rows = []
    seconds = seconds_of_a_step(variants)
    for variant in variants:
        steps = max(2, round(60 * minutes / seconds[variant.name]))
        for seed in range(seeds):
            mad, iou = score(train(variant, data, steps, seed, start), data, samples)
            rows.append(
                {"variant": variant.name, "seed": seed, "steps": steps, "mad": mad, "iou": iou}
            )
            click.echo(
                f"{variant.name}, seed {seed}: {steps} steps, {mad:.2f} / {iou:.3f}", err=True
            )
            if json_path is not None:
                found = {"minutes": minutes, "samples": samples, "rows": rows}
                json_path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    cells = [
        [r["variant"], str(r["seed"]), str(r["steps"]), f"{r['mad']:.2f}", f"{r['iou']:.3f}"]
        for r in rows
    ]
    click.echo(
        markdown_table(["variant", "seed", "steps", "MAD x 1000", "IoU"], cells, right_from=1)
    )


if __name__ == "__main__":
    main()
