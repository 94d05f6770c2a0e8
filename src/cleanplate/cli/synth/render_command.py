"""`cleanplate synth render`: render plates, cutouts and pairs with Blender."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import (
    Size,
    json_option,
    output_option,
    quiet_option,
    seed_option,
    workers_option,
)
from cleanplate.errors import install_command

if TYPE_CHECKING:
    from cleanplate.render.rendered_items import ItemCounts

_SIZES = {"plates": (288, 384), "cutouts": (384, 384), "pairs": (360, 480)}
_EPILOG = f"""\b
Example:
  python3.11 -m venv blender
  {install_command("render", "blender/bin/pip")}
  cleanplate synth render plates --assets assets --count 100 -o plates \\
    --python blender/bin/python

Stopped or killed, the same command resumes.
"""


@click.command(epilog=_EPILOG)
@click.argument("task", type=click.Choice(list(_SIZES)))
@click.option(
    "--assets",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of 3D assets with their catalogues; see docs/data.md.",
)
@output_option("Folder for what is rendered.", "out")
@click.option("--count", type=click.IntRange(1), default=100, show_default=True, metavar="N")
@seed_option
@click.option(
    "--size",
    type=Size(),
    help="In pixels; of a cutout, its longest side.  "
    "[default: plates 384x288, cutouts 384x384, pairs 480x360]",
)
@click.option(
    "--scenes",
    type=click.Choice(["outdoor", "room", "tabletop", "world"]),
    multiple=True,
    help="Of plates and pairs: only this kind of scene; may be given several times.  "
    "[default: all, a third outdoors, a sixth table tops]",
)
@workers_option(
    default=2,
    least=1,
    help="Processes; each renders with one thread and takes about 1 GB of memory.",
)
@click.option(
    "--python",
    default=sys.executable,
    metavar="PATH",
    help="An interpreter that has Blender's module bpy.  [default: this one]",
)
@json_option
@quiet_option
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    task: str,
    assets: Path,
    out: Path,
    count: int,
    seed: int,
    size: tuple[int, int] | None,
    scenes: tuple[str, ...],
    workers: int,
    python: str,
    json_output: JsonOutput | None,
    quiet: bool,
) -> None:
    """Render plates, cutouts or pairs with exact alpha and depth from 3D assets.

    Blender (GPL) runs in processes of its own. Unusable items (too dark, inside a wall, subject
    not visible) are rejected by measurement and counted. Contact sheets go to OUT/sheets.
    """
    from cleanplate.render import render_sheets, worker_pool

    if scenes and task == "cutouts":
        raise click.UsageError("--scenes is for plates and pairs: cutouts stand in none.")
    if json_output is not None:
        json_output.check()
    rendering = worker_pool.RenderRequest(
        task, assets, out, count, seed, size or _SIZES[task], scenes
    )
    bar = tqdm(desc=task, total=count, unit=" items", disable=True if quiet else None)
    first = True
    try:
        for done in worker_pool.render_items(rendering, processes=workers, python=python):
            if first:  # what was there already is no measure of speed
                bar.initial = bar.n = done
                first = False
            bar.update(done - bar.n)
    except KeyboardInterrupt:
        bar.close()
        click.echo(f"Stopped. Finished items stay in {out}; the same command resumes.", err=True)
        context.exit(130)
    finally:
        bar.close()
    counts = rendering.count_items()
    drawn = render_sheets.draw_sheets(out, task, rendering.names)
    if json_output is not None:
        json_output.write({**asdict(counts), "sheets": [str(p) for p in drawn]})
    if shows_summary(json_output, quiet):
        click.echo(_summary(out, counts), err=True)
    if not counts.accepted:
        context.exit(1)


def _summary(out: Path, counts: ItemCounts) -> str:
    lines = [f"{out}: {counts.accepted} rendered, {counts.rejected} rejected"]
    for title, table in (("rejected", counts.reasons), ("attempts rejected", counts.tries)):
        if table:
            parts = sorted(table.items(), key=lambda pair: -pair[1])
            lines.append(f"{title}: " + ", ".join(f"{name} {n}" for name, n in parts))
    return "\n".join(lines)
