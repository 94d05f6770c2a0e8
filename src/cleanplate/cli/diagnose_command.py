"""`cleanplate diagnose`: why a network's maps are blank, constant or no better than a mean map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from cleanplate.cli.json_output import JsonOutput
from cleanplate.cli.options import json_option, overwrite_option, quiet_option

_EPILOG = """\b
Examples:
  cleanplate diagnose predictions.npy targets.npy
  cleanplate diagnose logits/ depth/ --inputs frames/ --kind logits --html diagnosis.html
  cleanplate diagnose logits.npy depth.npy --kind logits --drawing imagenet255
  cleanplate diagnose maps.npy depth.npy --log lightning_logs/version_0/metrics.csv --json out.json
"""
_DRAWINGS = ["raw", "sigmoid", "imagenet", "imagenet255"]
_path = click.Path(path_type=Path, exists=True)


class Numbers(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """One number, or several with commas between them."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Split at commas."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a number, nor numbers with commas.", param, ctx)


@click.command(epilog=_EPILOG)
@click.argument("predictions", type=_path)
@click.argument("targets", type=_path)
@click.option("--inputs", type=_path, help="What the network was fed, after all scaling.")
@click.option("--kind", type=click.Choice(["logits", "map"]), default="map", show_default=True,
              help="What predictions are: before the sigmoid, or the map itself.")  # fmt: skip
@click.option("--drawing", "named", type=click.Choice(_DRAWINGS),
              help="How predictions are drawn: as they are, after a sigmoid, or de-normalised "
              "with ImageNet's mean and std (times 255); then clipped to [0, 1].")  # fmt: skip
@click.option("--drawing-scale", type=Numbers(), metavar="N[,N,N]", help="Drawing code of your "
              "own: clip(scale * prediction + shift, 0, 1).")  # fmt: skip
@click.option("--drawing-shift", type=Numbers(), metavar="N[,N,N]", help="Its shift.")
@click.option("--log", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Losses "
              "and learning rates of the training: JSON lines, JSON or CSV.")  # fmt: skip
@click.option("--loss-column", metavar="NAME", help="Of the log.  [default: a usual name]")
@click.option("--rate-column", metavar="NAME", help="Of the log.  [default: a usual name]")
@click.option("--html", "html_path", type=click.Path(path_type=Path, dir_okay=False),
              metavar="FILE", help="Write one page with pictures.")  # fmt: skip
@overwrite_option
@json_option
@quiet_option
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    predictions: Path,
    targets: Path,
    inputs: Path | None,
    kind: Any,
    named: str | None,
    drawing_scale: tuple[float, ...] | None,
    drawing_shift: tuple[float, ...] | None,
    log: Path | None,
    loss_column: str | None,
    rate_column: str | None,
    json_output: JsonOutput | None,
    html_path: Path | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Say why a network's maps are blank, constant or no better than a mean map.

    PREDICTIONS and TARGETS are an NPY each, (N, H, W) or (N, C, H, W), or folders of NPY files or
    pictures with the same names. Looked for: constant output, a copy of the mean map or of the
    input's brightness, drawing code that would hide a perfect answer, wrongly paired files, inputs
    without contrast, a learning rate that falls too early. Exit code 0: nothing found wrong; 1:
    something was.
    """
    from cleanplate.diagnosis import Diagnosis, read_training_log
    from cleanplate.diagnosis.map_files import read_batches
    from cleanplate.files.ownership import check_target

    drawing = _drawing(named, drawing_scale, drawing_shift)
    json_path = None if json_output is None else json_output.target
    if json_path not in (None, "-"):
        check_target(json_path, (".json",), overwrite=overwrite)
    if html_path is not None:
        _check_page(html_path, json_path, overwrite)
    read = None
    if log is not None:
        read = read_training_log(log, loss=loss_column, rate=rate_column)
    diagnosis = Diagnosis(kind, drawing=drawing)
    with tqdm(unit=" maps", disable=True if quiet else None) as bar:
        for said, wanted, shown in read_batches(predictions, targets, inputs):
            diagnosis.update(said, wanted, shown)
            bar.update(len(said))
    report = diagnosis.report(log=read)
    if html_path is not None:
        _write_page(
            html_path, report.as_html(f"Diagnosis of {predictions.name}"), json_path, overwrite
        )
    if json_path is not None:
        _write_json(json_path, report.as_document(), html_path, overwrite)
    if not quiet and json_path != "-":
        click.echo(report.as_text())
    context.exit(1 if report.findings else 0)


def _drawing(
    named: str | None, scale: tuple[float, ...] | None, shift: tuple[float, ...] | None
) -> Any:
    """Give the drawing that the options mean; None if they mean none."""
    from cleanplate.diagnosis.drawing import Drawing, denormalised

    if named and (scale or shift):
        raise click.UsageError("--drawing, or --drawing-scale and --drawing-shift: not both.")
    if scale or shift:
        return Drawing(scale or (1.0,), shift or (0.0,))
    if named is None:
        return None
    return {
        "raw": Drawing(),
        "sigmoid": Drawing(sigmoid=True),
        "imagenet": denormalised(),
        "imagenet255": denormalised(255),
    }[named]


def _owned(json_path: str | None, page: Path) -> dict[str, Any]:
    """Tell what the JSON of an earlier diagnosis beside the page says that Cleanplate wrote."""
    from cleanplate.files.ownership import owned_by, read_record

    if json_path in (None, "-") or Path(str(json_path)).parent != page.parent:
        return {}
    return owned_by(read_record(str(json_path)))


def _check_page(page: Path, json_path: str | None, overwrite: bool) -> None:
    """Refuse, before the work, a page that could not be written after it."""
    from cleanplate.files.ownership import check_replaceable, check_target

    own = _owned(json_path, page)
    check_replaceable([page], own, overwrite=overwrite)
    check_target(page, (".html", ".htm"), overwrite=overwrite or page.name in own)


def _write_page(page: Path, text: str, json_path: str | None, overwrite: bool) -> None:
    from cleanplate.files.ownership import replacing_own

    with replacing_own(page, _owned(json_path, page), overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _write_json(path: str, document: dict[str, Any], page: Path | None, overwrite: bool) -> None:
    from cleanplate.files.ownership import fingerprint, sealed, write_sealed

    if path == "-":
        click.echo(json.dumps(sealed(document), indent=1, allow_nan=False))
        return
    beside = page is not None and page.parent == Path(path).parent
    owns = {page.name: fingerprint(page)} if beside and page is not None else None
    write_sealed(path, document, owns, overwrite=overwrite, indent=1)
