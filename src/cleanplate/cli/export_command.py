"""`cleanplate export`: write a trained network as ONNX."""

from __future__ import annotations

from pathlib import Path

import click

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import json_option, output_option, overwrite_option, quiet_option
from cleanplate.errors import require
from cleanplate.files.json_files import read_json

_EPILOG = """\b
Examples:
  cleanplate export runs/compact -o model
  cleanplate evaluate pairs --model model --json scores.json
  cleanplate export runs/compact -o model --figures scores.json
  cleanplate export runs/dual -o dual --subject-depth runs/subjects --plate-depth dual
"""


@click.command(epilog=_EPILOG)
@click.argument("source", metavar="RUN|CHECKPOINT", type=click.Path(path_type=Path))
@output_option(
    "The model's folder, or FILE.safetensors for the weights alone.",
    metavar="FOLDER|FILE",
    is_folder=False,
)
@click.option("--name", help="The model's name.  [default: the recipe's]")
@click.option(
    "--license",
    "license_",
    metavar="SPDX",
    help="Licence of the weights.  [default: Apache-2.0 where the training data allow it]",
)
@click.option("--training-data", default="", help="Description of the training data.")
@click.option("--limits", default="", help="Description of known limits.")
@click.option("--default", is_flag=True, help="Make it the model that is used where none is named.")
@click.option(
    "--working-size",
    type=click.IntRange(32, 4096),
    metavar="N",
    help="Long side in pixels at which the model is used where none is given.  [default: 512]",
)
@click.option(
    "--figures",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON file of `cleanplate evaluate` with metrics for the card; can be repeated.",
)
@click.option(
    "--subject-depth",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Run folder of `cleanplate train subject-depth`: its regressor is added to the model.",
)
@click.option(
    "--plate-depth",
    metavar="NAME|FOLDER|RUN",
    help="A model that estimates the plate's depth, or a run of `cleanplate train plate-depth`: "
    "its graph for that is added.",
)
@click.option(
    "--share-with",
    metavar="NAME|FOLDER",
    help="A model beside the new one: its regressor and graph of the plate's depth are not copied "
    "where they are the same.",
)
@click.option(
    "--mean-with",
    metavar="CHECKPOINT",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With FILE.safetensors: write the mean of the run's weights and these, which it began "
    "with.",
)
@overwrite_option
@json_option
@quiet_option
def command(  # noqa: PLR0917 - click passes them by name
    source: Path,
    output: Path,
    name: str | None,
    license_: str | None,
    training_data: str,
    limits: str,
    default: bool,
    working_size: int | None,
    figures: tuple[Path, ...],
    subject_depth: Path | None,
    plate_depth: str | None,
    share_with: str | None,
    mean_with: Path | None,
    overwrite: bool,
    json_output: JsonOutput | None,
    quiet: bool,
) -> None:
    """Write the network of a RUN folder or a CHECKPOINT as a model.

    A model is a folder of two ONNX graphs, a card, and a small file from which training goes on
    (`cleanplate train RECIPE --start FOLDER`).

    With an output that ends in .safetensors only the averaged weights are written, in half
    precision; `cleanplate train RECIPE --start FILE` starts from them.

    The averaged weights are exported. Nothing is written if the outputs of the graphs differ from
    the network's. The card lists the licences and attributions of the training data; --license is
    required where they do not decide the licence of the weights.
    """
    for library in ("torch", "lightning", "tyro", "onnx", "onnxscript"):
        require(library, "train")
    from cleanplate.training.export import model_export as exporter
    from cleanplate.training.export.model_card import Facts
    from cleanplate.training.export.trained import read_trained
    from cleanplate.training.half_precision_weights import SUFFIX

    if json_output is not None:
        json_output.check(overwrite=overwrite)
    if output.suffix == SUFFIX:
        exporter.export_weights(source, output, mean_with=mean_with, overwrite=overwrite)
        return
    if mean_with is not None:
        raise click.UsageError("--mean-with is for FILE.safetensors: export a model from that.")
    chosen = name or read_trained(source).recipe["name"]
    facts = Facts(chosen, license_, training_data, limits, default, working_size)
    folder = exporter.export(
        source,
        output,
        facts=facts,
        figures=figures,
        subject_depth=subject_depth,
        plate_depth=plate_depth,
        share_with=share_with,
        overwrite=overwrite,
    )
    card = read_json(folder / "card.json")
    if json_output is not None:
        json_output.write(card, overwrite=overwrite)
    if shows_summary(json_output, quiet):
        click.echo(
            f"{folder}: {card['parameters']:,} parameters, {card['gmac_frame_256']:g} GMAC a "
            f"256 x 256 frame, within {card['largest_difference_from_torch']:g} of torch",
            err=True,
        )
