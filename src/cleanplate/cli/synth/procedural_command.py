"""`cleanplate synth procedural`: procedural plates and cutouts as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
from tqdm import tqdm

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
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Output folder.",
)
@click.option(
    "--count",
    type=click.IntRange(1),
    default=256,
    show_default=True,
    metavar="N",
    help="Number of assets.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--textures",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Folder of texture pictures, for plates.",
)
@click.option(
    "--assume-license",
    metavar="TEXT",
    help="Licence of textures that state none.",
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    help="Worker processes; 0 = this process.  [default: one for each core]",
)
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON to stdout.")
@click.option("--quiet", is_flag=True, help="No progress bar, no summary.")
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
    as_json: bool,
    quiet: bool,
) -> None:
    """Make procedural plates (rooms, yards, table tops) or cutouts (people, animals, objects).

    They have the form of any folder of assets: picture, depth, and a JSON with camera or size and
    licence, for training and `synth build`.
    """
    if textures is not None and noun == "cutouts":
        raise click.UsageError("--textures is for plates.")
    from cleanplate.synthesis.building.local_engine import cores
    from cleanplate.synthesis.procedural.procedural_files import write_assets

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
                workers=cores() if workers is None else workers,
            ):
                made += new
                bar.update()
    except KeyboardInterrupt:
        click.echo(f"Stopped. Finished assets stay in {out}; the same command resumes.", err=True)
        context.exit(130)
    if as_json:
        click.echo(json.dumps({"out": str(out), noun: count, "made": made, "kept": count - made}))
    elif not quiet:
        click.echo(f"{out}: {made} {noun} made, {count - made} were there already.", err=True)
