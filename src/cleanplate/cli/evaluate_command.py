"""`cleanplate evaluate`: score a model or a baseline on pairs with known truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from cleanplate.cli.max_pixels import max_pixels_option
from cleanplate.cli.options import model_options, overwrite_option
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
@click.option("--known-focal", is_flag=True, help="Tell the model the focal length (fx) of the "
              "pair's JSON.")  # fmt: skip
@model_options
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
@click.option("--rgbd", is_flag=True, help="PAIRS are a depth camera's: NAME_plate, NAME_frame, "
              "and the _depth of both; no mattes.")  # fmt: skip
@overwrite_option
@click.option("--quiet", is_flag=True, help="No progress bar, no table.")
def command(
    *,
    pairs: Path,
    baseline: str | None,
    wanted: tuple[str, ...],
    plate_depth: bool,
    known_focal: bool,
    limit: int | None,
    convention: str,
    depth_zero: Any,
    json_path: str | None,
    sheet: Path | None,
    rgbd: bool,
    overwrite: bool,
    quiet: bool,
    **of_model: Any,
) -> None:
    """Score a model, or a baseline, on the folder PAIRS, whose truth is known.

    PAIRS holds NAME_plate.*, NAME_frame.* and NAME_alpha.*; for depth also NAME_depth.* and
    NAME_plate_depth.*; further variants as NAME_plate.VARIANT.* and NAME_frame.VARIANT.*.

    A pair that cannot be scored is named, here and in the JSON, and the others are scored (exit
    code 2).
    """
    from cleanplate import evaluation, metrics

    if baseline and (known_focal or any(of_model.values())):
        raise click.UsageError(
            "--model, --known-focal, --align, --working-size, --threads and --provider are for "
            "models."
        )
    if rgbd and (baseline or wanted or sheet or known_focal):
        raise click.UsageError("--baseline, --variant, --sheet and --known-focal: not with --rgbd.")
    _check_targets(json_path, sheet, overwrite)
    if rgbd:
        _score_measured(
            _model(**of_model), pairs, limit, json_path=json_path, overwrite=overwrite, quiet=quiet
        )
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
        raise CleanplateError(_told(faults, len(faults)))
    chosen = wanted or evaluation.variants(found)
    _check_variants(chosen, evaluation.variants(found), pairs)
    predictor = evaluation.BASELINES[baseline]() if baseline else _model(**of_model)
    rules = evaluation.Rules(convention=getattr(metrics, convention.upper()))
    scores = [
        evaluation.evaluate(
            predictor,
            [pair for pair in found if variant in pair.views][:limit],
            variant,
            with_plate_depth=plate_depth,
            with_focal=known_focal,
            rules=rules,
            progress=_progress(variant, quiet),
            keep_going=True,
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
            **{key: value for key, value in of_model.items() if key != "threads"},
            "align": None if baseline else of_model["align"] or "auto",
            "known_focal": known_focal,
            "depth_zero": depth_zero,
        }
        document = {"options": options, "failed": faults, **evaluation.as_document(scores)}
        _write_json(json_path, document, overwrite)
    if sheet and any(one.rows for one in scores):
        from cleanplate.predict.output.rendered_image import RenderedImage

        drawn = evaluation.draw_sheet(predictor, found, scores)
        RenderedImage(drawn).save(sheet, overwrite=overwrite)
    for one in scores:
        faults |= {f"{name} ({one.variant})": why for name, why in one.failed.items()}
    if faults:
        raise CleanplateError(_told(faults, len(faults) + sum(len(one.rows) for one in scores)))


def _check_targets(json_path: str | None, sheet: Path | None, overwrite: bool) -> None:
    """Refuse, before the work, what could not be written after it."""
    from cleanplate.files.ownership import check_target

    if json_path not in (None, "-"):
        check_target(json_path, overwrite=overwrite)
    if sheet is not None:
        check_target(sheet, (".png", ".jpg", ".jpeg"), overwrite=overwrite)


def _told(faults: dict[str, str], total: int) -> str:
    lines = [f"{name}: {why}" for name, why in faults.items()]
    return "\n".join([f"{len(faults)} of {total} pairs could not be scored:", *lines])


def _score_measured(
    predictor: PairPredictor,
    folder: Path,
    limit: int | None,
    *,
    json_path: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    from cleanplate.evaluation import rgbd

    rows = [rgbd.score_measured(predictor, pair) for pair in rgbd.find_measured(folder)[:limit]]
    if not quiet and json_path != "-":
        click.echo(rgbd.as_measured_table(rows))
    if json_path:
        _write_json(json_path, rgbd.as_measured_document(rows), overwrite)


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
    if working_size is not None:
        options["working_size"] = working_size
    return Predictor(model, **options)


def _progress(variant: str, quiet: bool) -> Callable[[Sequence[Pair]], Iterable[Pair]]:
    def bar(pairs: Sequence[Pair]) -> Iterable[Pair]:
        return tqdm(pairs, desc=variant, unit="pair", disable=True if quiet else None)  # type: ignore[no-any-return,unused-ignore]

    return bar


def _write_json(path: str, document: dict[str, Any], overwrite: bool) -> None:
    from cleanplate.files.ownership import sealed, write_sealed

    if path == "-":
        click.echo(json.dumps(sealed(document), indent=1, allow_nan=False))
    else:
        write_sealed(path, document, overwrite=overwrite, indent=1)
