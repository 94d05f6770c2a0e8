"""`cleanplate evaluate`: score a model or a baseline on pairs with known truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from cleanplate.cli.max_pixels import max_pixels_option
from cleanplate.errors import CleanplateError

if TYPE_CHECKING:
    from cleanplate.evaluation import Pair, PairPredictor

_EPILOG = """\b
Examples:
  cleanplate evaluate pairs
  cleanplate evaluate pairs --variant clean --plate-depth --json scores.json --sheet sheet.jpg
  cleanplate evaluate pairs --baseline aligned --json - > aligned.json
"""


@click.command(epilog=_EPILOG)
@click.argument("pairs", type=click.Path(path_type=Path))
@click.option("--model", metavar="NAME|FOLDER", help="A shipped or an exported model.")
@click.option(
    "--baseline",
    type=click.Choice(["difference", "aligned", "mog2", "constant", "row"]),
    help="Score this instead of a model; the last two predict depth only.",
)
@click.option(
    "--variant",
    "wanted",
    multiple=True,
    metavar="NAME",
    help="Which plates and frames, may be repeated.  [default: all that are there]",
)
@click.option("--plate-depth", is_flag=True, help="Give the model the plate's true depth.")
@click.option("--align", is_flag=True, help="Register the plate to the frame first (model only).")
@click.option("--working-size", type=click.IntRange(1), help="Of the model, in pixels.")
@click.option("--threads", type=click.IntRange(1), help="Of the model.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Score the first N pairs only.")
@click.option(
    "--convention",
    type=click.Choice(["plain", "rvm", "bgmv2"]),
    default="plain",
    show_default=True,
    help="Region and scale of the matte's figures; see docs/metrics.md.",
)
@click.option(
    "--depth-zero",
    type=click.Choice(["infinity", "unknown"]),
    help="What 0 in a depth PNG means.  [default: as the pair's JSON says, else unknown]",
)
@click.option(
    "--json",
    "json_path",
    metavar="FILE|-",
    help="Write everything measured as JSON; - writes it to stdout in place of the table.",
)
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw best, median and worst pair of each variant (PNG or JPEG).",
)
@max_pixels_option
@click.option(
    "--rgbd",
    is_flag=True,
    help="PAIRS are a depth camera's: NAME_plate, NAME_frame, and the _depth of both; no mattes.",
)
@click.option("--quiet", is_flag=True, help="No progress bar, no table.")
def command(
    *,
    pairs: Path,
    model: str | None,
    baseline: str | None,
    wanted: tuple[str, ...],
    plate_depth: bool,
    align: bool,
    working_size: int | None,
    threads: int | None,
    limit: int | None,
    convention: str,
    depth_zero: Any,
    json_path: str | None,
    sheet: Path | None,
    rgbd: bool,
    quiet: bool,
) -> None:
    """Score a model, or a baseline, on the folder PAIRS, whose truth is known.

    PAIRS holds NAME_plate.*, NAME_frame.* and NAME_alpha.*; for depth also NAME_depth.* and
    NAME_plate_depth.*; further variants as NAME_plate.VARIANT.* and NAME_frame.VARIANT.*.
    """
    from cleanplate import evaluation, metrics

    if baseline and (model or align or working_size or threads):
        raise click.UsageError("--model, --align, --working-size and --threads are for models.")
    if rgbd:
        if baseline or wanted or sheet:
            raise click.UsageError("--baseline, --variant and --sheet are not for --rgbd.")
        predictor = _model(model, align, working_size, threads)
        _score_measured(predictor, pairs, limit, json_path, quiet)
        return
    found = evaluation.find_pairs(pairs, depth_zero=depth_zero)
    if not quiet:
        for remark in found.remarks():
            click.echo(remark, err=True)
    chosen = wanted or evaluation.variants(found)
    _check_variants(chosen, evaluation.variants(found), pairs)
    if baseline:
        predictor = evaluation.BASELINES[baseline]()
    else:
        predictor = _model(model, align, working_size, threads)
    rules = evaluation.Rules(convention=getattr(metrics, convention.upper()))
    scores = [
        evaluation.evaluate(
            predictor,
            [pair for pair in found if variant in pair.views][:limit],
            variant,
            with_plate_depth=plate_depth,
            rules=rules,
            progress=_progress(variant, quiet),
        )
        for variant in dict.fromkeys(chosen)
    ]
    if not quiet and json_path != "-":
        click.echo(evaluation.as_table(scores))
    if json_path:
        options = {
            "pairs": pairs.name,
            "limit": limit,
            "baseline": baseline,
            "model": model,
            "align": align,
            "working_size": working_size,
            "depth_zero": depth_zero,
        }
        document = {"options": options, **evaluation.as_document(scores)}
        _write_json(json_path, json.dumps(document, indent=1, allow_nan=False))
    if sheet:
        from cleanplate.pictures import write_image

        write_image(sheet, evaluation.draw_sheet(predictor, found, scores))


def _score_measured(
    predictor: PairPredictor, folder: Path, limit: int | None, json_path: str | None, quiet: bool
) -> None:
    from cleanplate.evaluation import rgbd

    rows = [rgbd.score_measured(predictor, pair) for pair in rgbd.find_measured(folder)[:limit]]
    if not quiet and json_path != "-":
        click.echo(rgbd.as_measured_table(rows))
    if json_path:
        _write_json(json_path, json.dumps(rgbd.as_measured_document(rows), indent=1))


def _check_variants(chosen: Sequence[str], there: Sequence[str], folder: Path) -> None:
    for variant in chosen:
        if variant not in there:
            raise CleanplateError(
                f"no pair has a variant {variant!r}",
                file=folder,
                cure=f"There are: {', '.join(there)}.",
            )


def _model(
    name: str | None, align: bool, working_size: int | None, threads: int | None
) -> PairPredictor:
    from cleanplate.predict.predictor import Predictor

    options: dict[str, Any] = {"align": align, "threads": threads}
    if working_size is not None:
        options["working_size"] = working_size
    return Predictor(name, **options)


def _progress(variant: str, quiet: bool) -> Callable[[Sequence[Pair]], Iterable[Pair]]:
    def bar(pairs: Sequence[Pair]) -> Iterable[Pair]:
        return tqdm(pairs, desc=variant, unit="pair", disable=True if quiet else None)  # type: ignore[no-any-return,unused-ignore]

    return bar


def _write_json(path: str, text: str) -> None:
    if path == "-":
        click.echo(text)
        return
    from cleanplate.files import replacing

    with replacing(path) as part:
        part.write_text(text + "\n", encoding="utf-8")
