"""`python -m studies.seed`: run the study, then write its paper."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click
from tqdm import tqdm

from cleanplate.engines.cores import available_cores
from cleanplate.errors import CleanplateError
from studies.seed.settings import SCALES

_EPILOG = """\b
Examples:
  python -m studies.seed run --scale smoke                 under two minutes; says nothing of depth
  python -m studies.seed run --scale small --threads 1     under two hours on two idle cores
  python -m studies.seed estimate --scale small            how long that takes here
  python -m studies.seed run --scale full --device cuda    a GPU
  python -m studies.seed paper --scale small
"""
_PAPER = Path(__file__).parents[2] / "docs/studies/seed.md"
_existing = click.Path(path_type=Path, exists=True, file_okay=False)
_scale = click.option(
    "--scale", type=click.Choice(list(SCALES)), default="small", show_default=True
)


@click.group(epilog=_EPILOG)
def main() -> None:
    """Reproduce, explain and surpass the experiments of the 2020 report."""


@main.command()
@_scale
@click.option("--work", type=click.Path(path_type=Path, file_okay=False), help="Where data, "
              "weights and figures of single runs go.  [default: out/seed/SCALE]")  # fmt: skip
@click.option("--results", type=click.Path(path_type=Path, file_okay=False), help="Where the JSON "
              "and the figures go.  [default: WORK/results]")  # fmt: skip
@click.option("--processes", type=click.IntRange(1), help="Trainings at a time.  "
              "[default: one for each core; 1 on a GPU]")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True,
              help="Of each training.")  # fmt: skip
@click.option("--seeds", type=click.IntRange(1), help="Of each training.  [default: the scale's]")
@click.option("--device", default="cpu", show_default=True, help="Of torch.")
@click.option("--pairs", type=_existing, help="Full-scene pairs with exact truth, to measure on.")
@click.option("--students", type=_existing, help="Original student data, to measure and look at.")
@click.option("--known", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Results of the same scale: figures in them are taken over, and only trainings "
              "that are missing there, or whose weights pictures need, are done.")  # fmt: skip
@click.option("--gather", is_flag=True, help="Train nothing more: results of what is done.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def run(
    *,
    scale: str,
    work: Path | None,
    results: Path | None,
    processes: int | None,
    threads: int,
    seeds: int | None,
    device: str,
    pairs: Path | None,
    students: Path | None,
    known: Path | None,
    gather: bool,
    quiet: bool,
) -> None:
    """Build the data, train everything, measure, draw. Started again, it goes on where it was."""
    from studies.seed import charts, runs, sets, sheets
    from studies.seed.results import Results, save, take_over
    from studies.seed.results import gather as gathered

    chosen = replace(SCALES[scale], device=device)
    work = work or Path("out/seed") / scale
    results = results or work / "results"
    processes = processes or (available_cores() if device == "cpu" else 1)
    runs.claim_folder(chosen, work)
    clock = runs.Clock(work)
    workspace = runs.Workspace(chosen, work, sets.prepare(chosen, work, processes, pairs))
    if known is not None:
        take_over(workspace, known)
    plan = [] if gather else runs.planned(chosen, seeds)
    done = sum(workspace.is_done(one) for one in plan)
    with tqdm(total=len(plan), initial=done, unit="run", disable=True if quiet else None) as bar:
        for _ in runs.carry_out(workspace, plan, processes, threads):
            clock.note(processes, threads)
            bar.update()
    save(gathered(workspace, students), results / f"{scale}.json")
    found = Results(results / f"{scale}.json")
    charts.draw_charts(found, results / "images")
    sheets.draw_pictures(workspace, found, results / "images", students)


@main.command()
@_scale
@click.option("--processes", type=click.IntRange(1), help="Trainings at a time.  "
              "[default: one for each core]")  # fmt: skip
@click.option("--steps", type=click.IntRange(1), default=5, show_default=True, help="Timed of each "
              "kind of training.")  # fmt: skip
def estimate(*, scale: str, processes: int | None, steps: int) -> None:
    """Time a few steps of each kind of training, and tell how long the scale would take here."""
    from studies.seed.estimate import estimated

    found = estimated(SCALES[scale], steps)
    for line in found.lines():
        click.echo(line)
    count = processes or available_cores()
    hours = found.seconds / 3600
    click.echo(f"{hours:.2f} core-hours: {hours / count:.2f} hours in {count} processes")


@main.command()
@_scale
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False),
              default=_PAPER, help="[default: docs/studies/seed.md]")  # fmt: skip
@click.option("--charts", is_flag=True, help="Draw those figures anew that need no weights.")
def paper(scale: str, out: Path, charts: bool) -> None:
    """Write the paper from the results that come with the project."""
    from studies.seed.charts import draw_charts
    from studies.seed.paper import write
    from studies.seed.results import FOLDER, Results

    results = Results(FOLDER / f"{scale}.json")
    write(results, out, "../images/seed")
    if charts:
        draw_charts(results, _PAPER.parents[1] / "images" / "seed")


if __name__ == "__main__":
    try:
        main()
    except CleanplateError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
