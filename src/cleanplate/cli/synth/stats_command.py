"""`cleanplate synth stats`: measure a data set."""

from __future__ import annotations

from pathlib import Path

import click
from tqdm import tqdm

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import (
    json_option,
    output_option,
    overwrite_option,
    quiet_option,
    skip_bad_option,
    workers_option,
)
from cleanplate.engines.cores import available_cores


@click.command(epilog="Example: cleanplate synth stats set --workers 4")
@click.argument("folder", metavar="SET", type=click.Path(path_type=Path, file_okay=False))
@output_option("Folder for the report.  [default: SET/stats]", "out", required=False)
@click.option("--rows", type=click.IntRange(1), default=8, show_default=True, help="Of the sheet.")
@workers_option()
@skip_bad_option
@overwrite_option
@json_option
@quiet_option
def command(
    *,
    folder: Path,
    out: Path | None,
    rows: int,
    workers: int | None,
    skip_bad: bool,
    overwrite: bool,
    json_output: JsonOutput | None,
    quiet: bool,
) -> None:
    """Measure the data set in the folder SET: shards, or bg/ fg_bg/ mask/ depth/.

    Counts, sizes on disk, mean and standard deviation per pixel and per channel of every kind of
    picture, coverage of subjects, range of depth, and a contact sheet: STATS.md, PNG, JSON. With
    the report in SET/stats, the set's card is updated with these figures.
    """
    from cleanplate.synthesis.building.dataset_card import STATS, write_card
    from cleanplate.synthesis.inspection.stats import measure_set
    from cleanplate.synthesis.inspection.stats_document import as_document
    from cleanplate.synthesis.inspection.stats_report import (
        JSON,
        MARKDOWN,
        check_report,
        write_report,
    )
    from cleanplate.synthesis.inspection.stored_set import open_set

    if json_output is not None:
        json_output.check(overwrite=overwrite)
    if workers is None:
        workers = available_cores()
    out = out or folder / STATS.parent
    stored = open_set(folder)
    check_report(out, overwrite=overwrite)
    with tqdm(total=stored.count, unit=" samples", disable=True if quiet else None) as bar:
        stats = measure_set(stored, workers=workers, skip_bad=skip_bad, on_progress=bar.update)
    write_report(out, stored, stats, rows=rows, overwrite=overwrite)
    if stored.plan is not None and (folder / STATS).resolve() == (out / JSON).resolve():
        write_card(folder)
    if json_output is not None:
        json_output.write(as_document(stored, stats), overwrite=overwrite)
    if shows_summary(json_output, quiet):
        click.echo(f"{stats.samples:,} samples measured, {len(stats.bad):,} left out.")
        click.echo(out / MARKDOWN)
