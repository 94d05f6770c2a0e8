"""`cleanplate synth check`: check a data set and list its faults."""

from __future__ import annotations

from pathlib import Path

import click
from tqdm import tqdm

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import json_option, quiet_option, workers_option
from cleanplate.engines.cores import available_cores

_SHOWN = 50


@click.command(
    epilog="""\b
Examples:
  cleanplate synth check set
  cleanplate synth check set --fast --json faults.json
"""
)
@click.argument("folder", metavar="SET", type=click.Path(path_type=Path, file_okay=False))
@click.option("--fast", is_flag=True, help="Checksums and presence only; decode nothing.")
@workers_option()
@json_option
@quiet_option
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    folder: Path,
    fast: bool,
    workers: int | None,
    json_output: JsonOutput | None,
    quiet: bool,
) -> None:
    """Check the data set in the folder SET: shards, or bg/ fg_bg/ mask/ depth/.

    Checks presence and size of all parts, decoding, checksums, missing samples, range of alpha,
    depth against the plate's, and leftovers of killed processes. All faults are listed by sample
    and part. Exit code 0: no faults; 1: faults.
    """
    from cleanplate.synthesis.inspection.check import check_set

    if json_output is not None:
        json_output.check()
    if workers is None:
        workers = available_cores()
    with tqdm(unit=" samples", disable=True if quiet else None) as bar:
        result = check_set(
            folder, fast=fast, workers=workers, on_start=bar.reset, on_progress=bar.update
        )
    if json_output is not None:
        document = {
            "whole": not result.faults,
            "samples": result.samples,
            "faults": [fault._asdict() for fault in result.faults],
            "notes": result.notes,
        }
        json_output.write(document)
    if shows_summary(json_output, quiet):
        for fault in result.faults[:_SHOWN]:
            click.echo(str(fault))
        if len(result.faults) > _SHOWN:
            click.echo(f"and {len(result.faults) - _SHOWN:,} more; --json names all.")
        for note in result.notes:
            click.echo(note)
        count = len(result.faults)
        found = f"{count:,} faults." if count else "whole."
        click.echo(f"{result.samples:,} samples: {found}")
    context.exit(1 if result.faults else 0)
