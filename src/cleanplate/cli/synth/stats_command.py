"""`cleanplate synth stats`: measure a data set."""

from __future__ import annotations

import json
from pathlib import Path

import click
from tqdm import tqdm

from cleanplate.cli.options import overwrite_option


@click.command(epilog="Example: cleanplate synth stats set --workers 4")
@click.argument("folder", metavar="SET", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the report.  [default: SET/stats]",
)
@click.option(
    "--rows",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Rows of the contact sheet.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one for each core]")
@click.option("--skip-bad", is_flag=True, help="Leave out unusable samples, and list them.")
@overwrite_option
@click.option("--json", "as_json", is_flag=True, help="Write the figures as JSON to stdout.")
@click.option("--quiet", is_flag=True, help="No progress bar, no summary.")
def command(
    *,
    folder: Path,
    out: Path | None,
    rows: int,
    workers: int | None,
    skip_bad: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure the data set in the folder SET: shards, or bg/ fg_bg/ mask/ depth/.

    Counts, sizes on disk, mean and standard deviation per pixel and per channel of every kind of
    picture, coverage of subjects, range of depth, and a contact sheet: STATS.md, PNG, JSON. With
    the report in SET/stats, the set's card is updated with these figures.
    """
    from cleanplate.synthesis.building.dataset_card import STATS, write_card
    from cleanplate.synthesis.building.local_engine import cores
    from cleanplate.synthesis.inspection.stats import measure_set
    from cleanplate.synthesis.inspection.stats_document import as_document
    from cleanplate.synthesis.inspection.stats_report import (
        JSON,
        MARKDOWN,
        check_report,
        write_report,
    )
    from cleanplate.synthesis.inspection.stored_set import open_set

    out = out or folder / STATS.parent
    stored = open_set(folder)
    check_report(out, overwrite=overwrite)
    with tqdm(total=stored.count, unit=" samples", disable=True if quiet else None) as bar:
        stats = measure_set(
            stored, workers=workers or cores(), skip_bad=skip_bad, on_progress=bar.update
        )
    write_report(out, stored, stats, rows=rows, overwrite=overwrite)
    if stored.plan is not None and (folder / STATS).resolve() == (out / JSON).resolve():
        write_card(folder)
    if as_json:
        click.echo(json.dumps(as_document(stored, stats), indent=1, allow_nan=False))
    elif not quiet:
        click.echo(f"{stats.samples:,} samples measured, {len(stats.bad):,} left out.")
        click.echo(out / MARKDOWN)
