"""`cleanplate evaluate`: score a model or a baseline on pairs with known truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import click
from tqdm import tqdm

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import (
    json_option,
    max_pixels_option,
    model_options,
    overwrite_option,
    quiet_option,
)
from cleanplate.errors import CleanplateError

if TYPE_CHECKING:
    from cleanplate.evaluation import PairPredictor

Item = TypeVar("Item")
Scored: TypeAlias = tuple[str, dict[str, Any]]
"""A table, and a document for JSON."""

_EPILOG = """\b
Examples:
  cleanplate evaluate pairs
  cleanplate evaluate pairs --variant clean --with-plate-depth --json scores.json --sheet sheet.jpg
  cleanplate evaluate pairs --baseline aligned --json - > aligned.json
  cleanplate evaluate clips --with-plate-depth
  cleanplate evaluate highway --labels
"""


@click.command(epilog=_EPILOG)
@click.argument("pairs", type=click.Path(path_type=Path))
@click.option(
    "--baseline",
    type=click.Choice(["difference", "aligned", "mog2", "constant", "row"]),
    help="Score this baseline instead of a model; constant and row predict depth only.",
)
@click.option(
    "--variant",
    "wanted",
    multiple=True,
    metavar="NAME",
    help="Variant of the pairs; can be repeated.  [default: all]",
)
@click.option("--with-plate-depth", is_flag=True, help="Give the model the plate's true depth.")
@click.option("--known-focal", is_flag=True, help="Give the model the focal length (fx) of the "
              "pair's JSON.")  # fmt: skip
@model_options
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Score the first N pairs only.")
@click.option(
    "--convention",
    type=click.Choice(["plain", "rvm", "bgmv2"]),
    default="plain",
    show_default=True,
    help="Region and scale of the alpha metrics; see docs/metrics.md.",
)
@click.option(
    "--depth-zero",
    type=click.Choice(["infinity", "unknown"]),
    help="Meaning of 0 in a depth PNG.  [default: from the pair's JSON, else unknown]",
)
@json_option
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the best, median and worst pair of each variant (PNG or JPEG).",
)
@max_pixels_option
@click.option("--rgbd", is_flag=True, help="PAIRS are a depth camera's: NAME_plate, NAME_frame, "
              "and the _depth of both; without alpha.")  # fmt: skip
@click.option("--labels", "labelled", is_flag=True, help="PAIRS have NAME_labels (0 nothing, 50 "
              "shadow, 85 and 170 not counted, 255 subject) in place of alpha; or are a CDnet "
              "video with a plate.")  # fmt: skip
@click.option("--per-frame", is_flag=True, help="Predict each frame of a clip on its own.  "
              "[default: in their order, as `cleanplate video` does]")  # fmt: skip
@overwrite_option
@quiet_option
def command(
    *,
    pairs: Path,
    baseline: str | None,
    wanted: tuple[str, ...],
    with_plate_depth: bool,
    known_focal: bool,
    limit: int | None,
    convention: str,
    depth_zero: Any,
    json_output: JsonOutput | None,
    sheet: Path | None,
    rgbd: bool,
    labelled: bool,
    per_frame: bool,
    overwrite: bool,
    quiet: bool,
    **of_model: Any,
) -> None:
    """Score a model or a baseline on the folder PAIRS with known truth.

    PAIRS holds NAME_plate.*, NAME_frame.* and NAME_alpha.*; for depth also NAME_depth.* and
    NAME_plate_depth.*; further variants as NAME_plate.VARIANT.* and NAME_frame.VARIANT.*.

    Or PAIRS is a folder of clips that `cleanplate synth clips` made: their figures say how steady
    the predictions are from frame to frame.

    Pairs that cannot be scored are listed, here and in the JSON, and the others are scored; the
    exit code is then 2.
    """
    from cleanplate import evaluation, metrics
    from cleanplate.pairs.clip_truth import holds_clips

    clips = holds_clips(pairs)
    of_pairs = bool(wanted or sheet or depth_zero or convention != "plain")
    _check_usage(
        baseline is not None and (known_focal or any(of_model.values())),
        rgbd and bool(baseline or wanted or sheet or known_focal or labelled),
        clips and bool(of_pairs or rgbd or labelled),
        labelled and bool(of_pairs or with_plate_depth or known_focal),
        per_frame and not clips,
    )
    _check_targets(json_output, sheet, overwrite)
    if clips:
        from cleanplate.cli.clip_scoring import score_clips

        score_clips(
            pairs,
            evaluation.BASELINES[baseline]() if baseline else _model(**of_model),
            {
                "baseline": baseline,
                "per_frame": per_frame,
                "limit": limit,
                "with_plate_depth": with_plate_depth,
                "known_focal": known_focal,
                "overwrite": overwrite,
                **{key: value for key, value in of_model.items() if key != "threads"},
            },
            json_output=json_output,
            quiet=quiet,
        )
        return
    if rgbd or labelled:
        predictor = evaluation.BASELINES[baseline]() if baseline else _model(**of_model)
        score = _score_measured if rgbd else _score_labelled
        table, document = score(predictor, pairs, limit, quiet)
        if shows_summary(json_output, quiet):
            click.echo(table)
        if json_output is not None:
            json_output.write(document, overwrite=overwrite)
        return
    faults: dict[str, str] = {}
    found = evaluation.find_pairs(
        pairs,
        depth_zero=depth_zero,
        on_fault=lambda name, error: faults.__setitem__(name, str(error)),
    )
    if not quiet:
        for remark in found.remarks():
            click.echo(remark, err=True)
    if not found:
        raise CleanplateError(_failures(faults, len(faults)))
    chosen = wanted or evaluation.variants(found)
    _check_variants(chosen, evaluation.variants(found), pairs)
    predictor = evaluation.BASELINES[baseline]() if baseline else _model(**of_model)
    settings = evaluation.MetricSettings(convention=getattr(metrics, convention.upper()))
    scores = [
        evaluation.evaluate(
            predictor,
            [pair for pair in found if variant in pair.variant_files][:limit],
            variant,
            with_plate_depth=with_plate_depth,
            with_focal=known_focal,
            settings=settings,
            progress=_progress(variant, quiet),
            keep_going=True,
        )
        for variant in dict.fromkeys(chosen)
    ]
    if shows_summary(json_output, quiet):
        click.echo(evaluation.as_table(scores))
    if json_output is not None:
        options = {
            "pairs": pairs.name,
            "limit": limit,
            "baseline": baseline,
            **{key: value for key, value in of_model.items() if key != "threads"},
            "align": None if baseline else of_model["align"] or "auto",
            "known_focal": known_focal,
            "depth_zero": depth_zero,
        }
        document = {"options": options, "failed": faults, **evaluation.as_document(scores)}
        json_output.write(document, overwrite=overwrite)
    if sheet and any(one.rows for one in scores):
        from cleanplate.predict.output.rendered_image import RenderedImage

        drawn = evaluation.draw_sheet(predictor, found, scores)
        RenderedImage(drawn).save(sheet, overwrite=overwrite)
    for one in scores:
        faults |= {f"{name} ({one.variant})": why for name, why in one.failed.items()}
    if faults:
        raise CleanplateError(_failures(faults, len(faults) + sum(len(one.rows) for one in scores)))


def _check_usage(*contradictions: bool) -> None:
    """Raise for the first contradiction among the options, in the order of the messages."""
    messages = (
        "--model, --known-focal, --align, --working-size, --threads and --provider are for models.",
        "--baseline, --variant, --sheet, --known-focal and --labels: not with --rgbd.",
        "--variant, --sheet, --rgbd, --labels, --depth-zero and --convention: not for clips.",
        "--variant, --sheet, --depth-zero, --convention, --with-plate-depth and --known-focal: "
        "not with --labels.",
        "--per-frame is for clips.",
    )
    for contradicted, message in zip(contradictions, messages, strict=True):
        if contradicted:
            raise click.UsageError(message)


def _check_targets(json_output: JsonOutput | None, sheet: Path | None, overwrite: bool) -> None:
    """Raise before the work if the outputs could not be written after it."""
    from cleanplate.files.ownership import check_target

    if json_output is not None:
        json_output.check(overwrite=overwrite)
    if sheet is not None:
        check_target(sheet, (".png", ".jpg", ".jpeg"), overwrite=overwrite)


def _failures(faults: dict[str, str], total: int) -> str:
    lines = [f"{name}: {why}" for name, why in faults.items()]
    return "\n".join([f"{len(faults)} of {total} pairs could not be scored:", *lines])


def _score_measured(
    predictor: PairPredictor, folder: Path, limit: int | None, quiet: bool
) -> Scored:
    from cleanplate.evaluation import rgbd

    rows = [rgbd.score_measured(predictor, pair) for pair in rgbd.find_measured(folder)[:limit]]
    return rgbd.as_measured_table(rows), rgbd.as_measured_document(rows)


def _score_labelled(
    predictor: PairPredictor, folder: Path, limit: int | None, quiet: bool
) -> Scored:
    from cleanplate.evaluation import labelled

    frames = labelled.find_labelled(folder)[:limit]
    rows = list(labelled.score_labelled(predictor, frames, _progress("labels", quiet)))
    return labelled.as_labelled_table(rows), labelled.as_labelled_document(rows)


def _check_variants(chosen: Sequence[str], there: Sequence[str], folder: Path) -> None:
    for variant in chosen:
        if variant not in there:
            raise CleanplateError(
                f"no pair has a variant {variant!r}",
                file=folder,
                cure=f"There are: {', '.join(there)}.",
            )


def _model(
    *, model: str | None, working_size: int | None, provider: str | None, **options: Any
) -> PairPredictor:
    from cleanplate.predict.predictor import Predictor
    from cleanplate.predict.session import providers_for

    options["providers"] = None if provider is None else providers_for(provider)
    options["align"] = options["align"] or "auto"
    return Predictor(model, working_size=working_size, **options)


def _progress(title: str, quiet: bool) -> Callable[[Sequence[Item]], Iterable[Item]]:
    def bar(items: Sequence[Item]) -> Iterable[Item]:
        return tqdm(items, desc=title, unit="pair", disable=True if quiet else None)  # type: ignore[no-any-return,unused-ignore]

    return bar
