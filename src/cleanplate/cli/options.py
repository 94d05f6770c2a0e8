"""Options that several commands share: one spelling, one meaning, one text of help."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cleanplate.cli.json_output import JsonOutput

if TYPE_CHECKING:
    from cleanplate.engines.task_engine import TaskEngine

KINDS = "alpha,foreground,depth,shadow,preview,composite"

MAX_PIXELS = "CLEANPLATE_MAX_PIXELS"  # `decoding.MAX_PIXELS_VARIABLE`, which is costly to import

Command = Callable[..., Any]
Option = Callable[[Command], Command]


class Size(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """WIDTHxHEIGHT in pixels, given as (height, width)."""

    name = "WxH"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        """Read the two numbers."""
        try:
            width, height = (int(part) for part in str(value).lower().split("x"))
        except ValueError:
            self.fail(f"{value!r} is not a size like 224x224", param, ctx)
        return height, width


class JsonTarget(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """FILE or - as a `JsonOutput`."""

    name = "FILE|-"

    def convert(self, value: Any, param: Any, ctx: Any) -> JsonOutput:
        """Make a `JsonOutput` of the option's text."""
        return value if isinstance(value, JsonOutput) else JsonOutput(str(value))


def _group(*options: Option) -> Option:
    """Make one decorator of several; help shows them in this order."""
    return lambda command: reduce(lambda inner, option: option(inner), reversed(options), command)


def output_option(
    help: str,
    name: str = "output",
    *,
    required: bool = True,
    metavar: str = "FOLDER",
    is_folder: bool = True,
) -> Option:
    """Make `-o/--output`: where a command writes.

    Args:
        help: what is written there.
        name: the command's parameter.
        required: whether it must be given.
        metavar: shown in the help.
        is_folder: refuse what is a file.
    """
    kind = click.Path(path_type=Path, file_okay=not is_folder)
    return click.option(
        "-o", "--output", name, required=required, metavar=metavar, type=kind, help=help
    )


def workers_option(
    *,
    default: int | None = None,
    least: int = 0,
    help: str = "Processes; 0 works in this one.",
    ray: bool = False,
) -> Option:
    """Make `--workers N`; without a default there is one worker for each core.

    Args:
        default: number of processes; None = the command takes one for each core.
        least: smallest number allowed.
        help: what the processes do.
        ray: whether the command has `engine_options` as well.
    """
    usual = "one for each core" if default is None else str(default)
    if ray and default is not None:
        usual = f"{usual}; with --engine ray, one for each core of the cluster"
    return click.option(
        "--workers",
        type=click.IntRange(least),
        default=default,
        metavar="N",
        help=f"{help}  [default: {usual}]",
    )


engine_options = _group(
    click.option("--engine", "engine_name", type=click.Choice(["local", "ray"]), default="local",
                 show_default=True, help="Processes of this machine, or a Ray cluster."),
    click.option("--ray-address", metavar="ADDRESS", help="Address of a running cluster, or auto.  "
                 "[default: start one here]"),
)  # fmt: skip
"""Adds `engine_name: str` and `ray_address: str | None`, for `task_engine`."""


def task_engine(name: str, workers: int | None, address: str | None) -> TaskEngine:
    """Read `--engine`, `--workers` and `--ray-address`.

    Args:
        name: "local" or "ray".
        workers: None = one for each core of the machine or cluster.
        address: of a running Ray cluster.
    """
    from cleanplate.engines.cores import available_cores
    from cleanplate.engines.task_engine import TaskEngine

    if name != "ray":
        if address is not None:
            raise click.UsageError("--ray-address is for --engine ray.")
        return TaskEngine(available_cores() if workers is None else workers)
    return TaskEngine(workers or 0, uses_ray=True, address=address)


plate_depth_options = _group(
    click.option("--plate-depth", metavar="FILE", help="Depth of the plate: makes depth metric. "
                 "Integers (16-bit PNG) are millimetres, floats (NPY, EXR) metres."),
    click.option("--depth-model", metavar="FILE", help="Estimate the plate's depth by this ONNX "
                 "file in place of the model's own graph."),
    click.option("--depth-convention", type=click.Choice(["metric", "disparity", "relative-depth"]),
                 help="What its numbers mean: metres; larger is nearer; larger is farther.  "
                 "[default: as its metadata say]"),
    click.option("--known-distance", "known_distances", type=(float, float, float), multiple=True,
                 metavar="X Y M", help="A measured distance makes estimated depth metric: column "
                 "and row in the plate, metres along the optical axis. May be repeated; the "
                 "model's own estimate needs two."),
    click.option("--focal", type=float, metavar="PX", help="Focal length in pixels of the plate, "
                 "for distances.  [default: from EXIF, else 60 degrees]"),
)  # fmt: skip
"""Adds `plate_depth` and what `depth_settings` reads."""


def depth_settings(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Give the arguments of `Predictor` of `plate_depth_options`."""
    settings = {name: chosen[name] for name in ("depth_model", "depth_convention", "focal")}
    # Lists, as a report's JSON gives them back: reports tell whether files were made alike.
    return {**settings, "known_distances": [list(one) for one in chosen["known_distances"]]}


def may_be_metric(chosen: Mapping[str, Any]) -> bool:
    """Tell whether the plate's depth can be in metres with what was chosen."""
    return any(chosen[name] for name in ("plate_depth", "depth_model", "known_distances"))


countdown_option = click.option(
    "--countdown",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    metavar="S",
    help="Seconds in which the person can leave the picture before the plate is taken.",
)


def assume_license_option(of: str) -> Option:
    """Make `--assume-license`: the licence of assets that state none."""
    return click.option(
        "--assume-license",
        metavar="SPDX",
        help=f"Licence of {of} that state none; what is made says that it was assumed.",
    )


def max_pixels_option(command: Command) -> Command:
    """Add `--max-pixels`. It holds for all that the command reads, in worker processes too."""
    return click.option(
        "--max-pixels",
        type=click.IntRange(1),
        metavar="N",
        expose_value=False,
        callback=_set_max_pixels,
        help="Refuse pictures with more pixels.  [default: 134217728]",
    )(command)


def _set_max_pixels(context: click.Context, _: click.Parameter, limit: int | None) -> None:
    if limit is None:
        return
    before = os.environ.get(MAX_PIXELS)
    os.environ[MAX_PIXELS] = str(limit)
    context.call_on_close(lambda: _restore_max_pixels(before))


def _restore_max_pixels(before: str | None) -> None:
    if before is None:
        os.environ.pop(MAX_PIXELS, None)
    else:
        os.environ[MAX_PIXELS] = before


overwrite_option = click.option(
    "--overwrite",
    is_flag=True,
    help="Replace files that are there even if Cleanplate did not write them.",
)

json_option = click.option(
    "--json",
    "json_output",
    type=JsonTarget(),
    metavar="FILE|-",
    help="Write the outcome as JSON to FILE; - writes it to stdout in place of the summary.",
)
"""Adds the parameter `json_output: JsonOutput | None`."""

quiet_option = click.option(
    "--quiet", is_flag=True, help="Print errors only: no progress bar, no warnings, no summary."
)

rebuild_option = click.option(
    "--rebuild", is_flag=True, help="Make again what an earlier run made."
)

seed_option = click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Of the random numbers: the same seed makes the same files.",
)

skip_bad_option = click.option(
    "--skip-bad", is_flag=True, help="Leave out what cannot be used, and list it; no error."
)

license_options = _group(
    click.option("--license", "license_", metavar="SPDX", help="Licence of the pictures."),
    click.option("--source", metavar="TEXT", help="Where the pictures come from."),
    click.option("--attribution", metavar="TEXT", help="Whom to name as their author."),
)

model_option = click.option(
    "--model", metavar="NAME|FOLDER", help="A shipped or an exported model."
)

align_option = click.option(
    "--align",
    type=click.Choice(["auto", "on", "off"]),
    help="Register the plate to the frame: where the camera is seen to have moved, always, or "
    "never.  [default: auto]",
)

threads_option = click.option(
    "--threads",
    type=int,
    metavar="N",
    help="CPU threads of the network.  [default: all cores, at most 4; with --workers, the cores "
    "shared out]",
)

model_options = _group(
    model_option,
    align_option,
    click.option("--working-size", type=int, metavar="N", help="Long side in pixels at which the "
                 "network sees plate and frame; smaller pictures are enlarged to it, by a third at "
                 "most.  [default: 640 for pictures up to that, else the model's, else 512]"),
    threads_option,
    click.option("--provider", metavar="NAME", help="ONNX Runtime's execution provider, such as "
                 "cuda or coreml; an error if it is not there.  [default: cpu]"),
)  # fmt: skip

writing_options = _group(
    click.option("--save", metavar="LIST", help=f"What to write, of {KINDS}.  [default: all; "
                 "composite only with --background]"),
    click.option("--background", metavar="COLOUR|FILE", help="What the composite shows behind the "
                 "subject: #rrggbb, a CSS name or a picture."),
    click.option("--bits", type=click.Choice(["8", "16"]), default="8", show_default=True,
                 help="Bits of a sample in alpha, foreground and shadow."),
    click.option("--foreground-space", type=click.Choice(["linear", "display"]), default="linear",
                 show_default=True, help="In which values the foreground will be laid over a new "
                 "background: linear light, or display values as most editors do."),
    click.option("--premultiplied", is_flag=True, help="Multiply the foreground's colour by "
                 "alpha.  [default: straight colour]"),
    overwrite_option,
    click.option("--skip-existing", is_flag=True, help="Leave out frames whose files an earlier "
                 "run wrote with the same options."),
)  # fmt: skip

matte_options = _group(
    click.option("--known-mask", metavar="FILE", help="A grey picture of the plate's size: black = "
                 "always out, white = always in, mid-grey (128) = find out."),
    click.option("--choke", type=float, default=0.0, metavar="PX", help="Shrink the matte by so "
                 "many pixels; below 0, grow it."),
    click.option("--feather", type=float, default=0.0, metavar="PX", help="Soften the matte's edge "
                 "over so many pixels to each side."),
    click.option("--despill", type=float, default=0.0, metavar="AMOUNT", help="Take the reflection "
                 "of a one-coloured plate out of the foreground: 0 (none) to 1."),
)  # fmt: skip
