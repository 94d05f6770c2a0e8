"""`cleanplate synth procedural`: procedural plates and cutouts as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
from tqdm import tqdm

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import (
    assume_license_option,
    json_option,
    output_option,
    quiet_option,
    seed_option,
    workers_option,
)
from cleanplate.engines.cores import available_cores

if TYPE_CHECKING:
    from cleanplate.synthesis.procedural.procedural_files import AssetType

_EPILOG = """\b
Examples:
  cleanplate synth procedural plates -o rooms --count 400
  cleanplate synth procedural cutouts -o figures --count 200
  cleanplate train compact --data.plates plates rooms --data.cutouts cutouts figures

Stopped or killed, the same command resumes; a larger --count adds.
"""


@click.command(epilog=_EPILOG)
@click.argument("noun", metavar="plates|cutouts", type=click.Choice(["plates", "cutouts"]))
@output_option("Folder for what is made.", "out")
@click.option(
    "--count",
    type=click.IntRange(1),
    default=256,
    show_default=True,
    metavar="N",
    help="Number of assets.",
)
@seed_option
@click.option(
    "--textures",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Folder of texture pictures, for plates.",
)
@assume_license_option("textures")
@workers_option()
@json_option
@quiet_option
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    noun: str,
    out: Path,
    count: int,
    seed: int,
    textures: Path | None,
    assume_license: str | None,
    workers: int | None,
    json_output: JsonOutput | None,
    quiet: bool,
) -> None:
    """Make procedural plates (rooms, yards, table tops) or cutouts (people, animals, objects).

    They have the form of any folder of assets: picture, depth, and a JSON with camera or size and
    licence, for training and `synth build`.
    """
    if textures is not None and noun == "cutouts":
        raise click.UsageError("--textures is for plates.")
    from cleanplate.synthesis.procedural.procedural_files import write_assets

    if json_output is not None:
        json_output.check()
    made = 0
    try:
        with tqdm(total=count, unit=f" {noun}", disable=True if quiet else None) as bar:
            for new in write_assets(
                cast("AssetType", noun),
                out,
                count,
                seed=seed,
                textures=textures,
                assume_license=assume_license,
                workers=available_cores() if workers is None else workers,
            ):
                made += new
                bar.update()
    except KeyboardInterrupt:
        click.echo(f"Stopped. Finished assets stay in {out}; the same command resumes.", err=True)
        context.exit(130)
    if json_output is not None:
        json_output.write({"out": str(out), noun: count, "made": made, "kept": count - made})
    if shows_summary(json_output, quiet):
        click.echo(f"{out}: {made} {noun} made, {count - made} were there already.", err=True)
