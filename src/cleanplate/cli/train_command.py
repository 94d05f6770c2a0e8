"""`cleanplate train`: train a network by a named recipe."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import json_option, max_pixels_option, quiet_option, workers_option
from cleanplate.errors import require
from cleanplate.files.listing import find_pictures

if TYPE_CHECKING:
    from cleanplate.training.recipes import Recipe

_EPILOG = """\b
Examples:
  cleanplate train compact-smoke
  cleanplate train compact --data.plates plates --data.cutouts cutouts --run runs/first
  cleanplate train compact --data.kind procedural --overfit-one-batch --steps 200 --run runs/one
  cleanplate train compact --help             all fields of the recipe
"""


@click.command(
    epilog=_EPILOG,
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("recipe", required=False)
@click.argument("fields", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--run",
    type=click.Path(path_type=Path, file_okay=False),
    help="The run folder.  [default: runs/RECIPE]",
)
@workers_option(default=2, help="Processes that make samples; 0 makes them in this one.")
@click.option(
    "--threads",
    type=click.IntRange(0),
    default=0,
    help="CPU threads of the training process.  [default: cores less one]",
)
@click.option(
    "--devices",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Devices on each node (DDP).",
)
@click.option("--nodes", type=click.IntRange(1), default=1, show_default=True, help="Nodes (DDP).")
@click.option("--accelerator", default="auto", show_default=True, help="cpu, gpu, mps, auto.")
@click.option(
    "--checkpoint-steps",
    type=click.IntRange(0),
    default=500,
    show_default=True,
    help="Save a checkpoint every N steps (0 = by time only).",
)
@click.option(
    "--checkpoint-minutes",
    type=float,
    default=10.0,
    show_default=True,
    help="Save a checkpoint every N minutes.",
)
@click.option(
    "--log-every",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Log losses every N steps.",
)
@click.option(
    "--pictures-every",
    type=click.IntRange(0),
    default=500,
    show_default=True,
    help="Log an image grid every N steps (0 = never).",
)
@max_pixels_option
@click.option(
    "--asset-cache",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Cache folder of decoded plates and cutouts, shared by workers and runs.  "
    "[default: cleanplate/assets in the system's cache folder]",
)
@click.option(
    "--no-asset-cache", is_flag=True, help="Use no cache: every worker decodes its assets."
)
@json_option
@quiet_option
@click.option(
    "-h",
    "--help",
    "wants_help",
    is_flag=True,
    help="Show this message; after a RECIPE, its fields.",
)
@click.pass_context
def command(  # noqa: PLR0917 - click passes them by name
    context: click.Context,
    /,
    recipe: str | None,
    fields: tuple[str, ...],
    run: Path | None,
    asset_cache: Path | None,
    no_asset_cache: bool,
    json_output: JsonOutput | None,
    wants_help: bool,
    **launch: Any,
) -> None:
    """Train a network by a RECIPE, whose FIELDS can be overridden.

    Recipes: compact, dual, fast, plate-depth, seed, compact-smoke, seed-smoke. They train on
    composites of folders of plates and cutouts or, with --data.kind procedural, on generated
    scenes; the smoke recipes need no data. subject-depth and subject-depth-smoke train the regressor of the
    subject's depth.

    With the folder of an earlier run, the run is resumed from its last checkpoint. Ctrl-C or
    SIGTERM ends it after the current step, with a checkpoint; a second signal ends it at once.
    """
    if recipe is None:
        click.echo(context.get_help())
        context.exit(0 if wants_help else 2)
    # Threads that spin while they wait make training ten times slower when cores are shared.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    for library in ("torch", "lightning", "tyro", "tensorboard"):
        require(library, "train")
    given = [*fields, *(["--help"] if wants_help else [])]
    if json_output is not None:
        json_output.check()
    if recipe.startswith("subject-depth"):
        _train_subject_depth(recipe, given, run, json_output, quiet=launch["quiet"])
        return
    chosen = read_recipe(recipe, given)
    if not launch["quiet"]:
        for folder in filter(Path.is_dir, (*chosen.data.plates, *chosen.data.cutouts)):
            for remark in find_pictures(folder).remarks():
                click.echo(f"{folder}: {remark}", err=True)
    from cleanplate.synthesis.assets.asset_cache import default_cache
    from cleanplate.training.fit import RunOptions, fit

    cache = None if no_asset_cache else asset_cache or default_cache()
    outcome = fit(chosen, run or Path("runs") / recipe, RunOptions(**launch, asset_cache=cache))
    if outcome.rank == 0:  # the first process speaks for all
        if json_output is not None:
            values = dataclasses.asdict(outcome) | {"checkpoint": str(outcome.checkpoint)}
            json_output.write(values)
        if shows_summary(json_output, launch["quiet"]):
            click.echo(f"{outcome.status} at step {outcome.step}: {outcome.checkpoint}", err=True)
    if outcome.status == "interrupted":
        sys.exit(130)


def _train_subject_depth(
    name: str,
    fields: list[str],
    run: Path | None,
    json_output: JsonOutput | None,
    *,
    quiet: bool,
) -> None:
    """Train the subject depth regressor; it takes minutes and is not resumed."""
    import tyro

    from cleanplate.errors import CleanplateError
    from cleanplate.training.subject_geometry import subject_recipe, subject_training

    recipes = subject_recipe.RECIPES
    if name not in recipes:
        raise CleanplateError(f"there is no recipe {name!r}", cure=f"Recipes: {', '.join(recipes)}")
    chosen = tyro.cli(
        subject_recipe.SubjectDepthRecipe,
        prog=f"cleanplate train {name}",
        description="the regressor of the subject's depth from the geometry of plate and matte",
        default=recipes[name],
        args=fields,
    )
    folder = run or Path("runs") / name
    record = subject_training.train(chosen, folder)
    if json_output is not None:
        json_output.write(record)
    if shows_summary(json_output, quiet):
        for kind, figures in record["figures"].items():
            errors = ", ".join(f"{key} {value:g}" for key, value in figures.items())
            click.echo(f"{kind}: {errors}", err=True)
        click.echo(f"done: {folder}", err=True)


def read_recipe(name: str, fields: list[str]) -> Recipe:
    """Read the named recipe with its overrides.

    Raises:
        CleanplateError: if there is no such recipe.
        SystemExit: with code 2 for an unknown field or a wrong value, by tyro.
    """
    import tyro

    from cleanplate.errors import CleanplateError
    from cleanplate.training.recipes import RECIPES, Recipe

    if name not in RECIPES:
        known = "\n".join(f"  {key:14} {value.note}" for key, value in RECIPES.items())
        raise CleanplateError(f"there is no recipe {name!r}", cure=f"Recipes:\n{known}")
    return tyro.cli(
        Recipe,
        prog=f"cleanplate train {name}",
        description=RECIPES[name].note,
        default=RECIPES[name],
        args=fields,
    )
