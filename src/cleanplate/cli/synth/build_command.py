"""`cleanplate synth build`: compose a data set from plates and cutouts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import (
    Size,
    assume_license_option,
    engine_options,
    json_option,
    max_pixels_option,
    output_option,
    quiet_option,
    seed_option,
    skip_bad_option,
    task_engine,
    workers_option,
)

if TYPE_CHECKING:
    from cleanplate.synthesis.building.build import BuildResult, Engine
    from cleanplate.synthesis.building.plan import Plan
    from cleanplate.synthesis.compositor.settings import CompositorSettings

_EPILOG = """\b
Examples:
  cleanplate synth build -o set --count 200
  cleanplate synth build -o set --plates rooms --cutouts people --count 50000
  cleanplate synth build -o set --plates rooms --cutouts people --preset assignment
  cleanplate synth build -o set --plates rooms --set camera=no --set shadow_share=1
  cleanplate synth build -o set --plates rooms --engine ray --ray-address auto

Stopped or killed, the same command resumes.
"""


_folder = click.Path(path_type=Path, file_okay=False)


@click.command(epilog=_EPILOG)
@output_option("The data set's folder.", "out")
@click.option(
    "--plates",
    multiple=True,
    type=_folder,
    metavar="DIR",
    help="Folder of plates; may be repeated.  [default: procedural plates]",
)
@click.option(
    "--cutouts",
    multiple=True,
    type=_folder,
    metavar="DIR",
    help="Folder of cutouts; may be repeated.  [default: procedural cutouts]",
)
@click.option(
    "--preset",
    type=click.Choice(["realistic", "assignment"]),
    default="realistic",
    show_default=True,
    help="realistic: shadows, occlusion, camera; WebDataset shards. assignment: plate x cutout "
    "x 2 flips x 20 placements, hard edges; folders bg, fg_bg, mask, depth.",
)
@click.option(
    "--count",
    type=click.IntRange(1),
    metavar="N",
    help="Number of samples (realistic).  [default: 1000]",
)
@click.option(
    "--size", type=Size(), metavar="WxH", help="Of a sample, in pixels.  [default: 224x224]"
)
@seed_option
@click.option(
    "--plates-count",
    type=click.IntRange(1),
    metavar="N",
    help="Use N of the plates.  [default: all; assignment: 100]",
)
@click.option(
    "--cutouts-count",
    type=click.IntRange(1),
    metavar="N",
    help="Use N of the cutouts.  [default: all; assignment: 100]",
)
@click.option(
    "--placements",
    type=click.IntRange(1),
    metavar="N",
    help="Placements of each plate, cutout and flip (assignment).  [default: 20]",
)
@click.option(
    "--shard-size",
    type=click.IntRange(1),
    metavar="N",
    help="Samples in a shard.  [default: a sixteenth of the set, up to 1000]",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Compositor setting (realistic); may be repeated; see docs/compositor.md.",
)
@workers_option()
@engine_options
@skip_bad_option
@assume_license_option("assets")
@json_option
@max_pixels_option
@quiet_option
@click.pass_context
def command(  # noqa: PLR0917 - click passes them by name
    context: click.Context,
    /,
    out: Path,
    plates: tuple[Path, ...],
    cutouts: tuple[Path, ...],
    preset: str,
    plates_count: int | None,
    cutouts_count: int | None,
    changes: tuple[str, ...],
    workers: int | None,
    engine_name: str,
    ray_address: str | None,
    json_output: JsonOutput | None,
    quiet: bool,
    **rest: Any,
) -> None:
    """Compose a data set with exact ground truth from plates and cutouts.

    The same settings, seed and assets make the same bytes, with any number of workers.
    """
    if json_output is not None:
        json_output.check()
    from cleanplate.synthesis.building.build import build
    from cleanplate.synthesis.building.build_request import BuildRequest

    request = BuildRequest(
        out,
        preset,
        plates,
        cutouts,
        settings=read_settings(preset, changes),
        plate_count=plates_count,
        cutout_count=cutouts_count,
        **rest,
    )
    if not quiet:
        from cleanplate.files.listing import find_pictures

        for folder in filter(Path.is_dir, (*plates, *cutouts)):
            for remark in find_pictures(folder).remarks():
                click.echo(f"{folder}: {remark}", err=True)
    engine = _engine(engine_name, workers, ray_address)
    screen = _Screen(quiet)
    try:
        result = build(request, engine, screen.watch())
    except KeyboardInterrupt:
        screen.close()
        click.echo(f"Stopped. Finished shards stay in {out}; the same command resumes.", err=True)
        context.exit(130)
    finally:
        screen.close()
    for one in result.skipped:
        click.echo(f"skipped {one['name']}: {one['reason']}", err=True)
    if json_output is not None:
        json_output.write(result.as_json())
    if shows_summary(json_output, quiet):
        click.echo(_summary(result), err=True)


class _Screen:
    """Progress bars on stderr, where it is a terminal."""

    def __init__(self, quiet: bool):
        self.disable: bool | None = True if quiet else None
        self.bar: Any = None

    def watch(self) -> Any:
        from cleanplate.synthesis.building.build import BuildProgress

        return BuildProgress(self.assets, self.on_start, self.made)

    def assets(self, numbers: Iterable[int]) -> Iterable[int]:
        return tqdm(numbers, "assets", unit="asset", disable=self.disable, leave=False)  # type: ignore[no-any-return,unused-ignore]

    def on_start(self, plan: Plan, before: int) -> None:
        self.bar = tqdm(
            total=plan.count,
            initial=before,
            desc=plan.preset,
            unit=" samples",
            disable=self.disable,
        )

    def made(self, samples: int) -> None:
        # Less, when a worker was killed.
        self.bar.update(samples - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _engine(name: str, workers: int | None, address: str | None) -> Engine:
    from functools import partial

    chosen = task_engine(name, workers, address)
    if chosen.uses_ray:
        from cleanplate.synthesis.building.ray_engine import run_ray

        return partial(run_ray, workers=chosen.workers, address=address)
    from cleanplate.synthesis.building.local_engine import run_here, run_local

    return partial(run_local, workers=chosen.workers) if chosen.workers else run_here


def _summary(result: BuildResult) -> str:
    whole = f"{result.out}: {result.samples} samples, {result.bytes / 1e6:.1f} MB"
    if not result.made:
        return f"{whole}; finished already, nothing was changed."
    rate = result.made / max(result.seconds, 1e-9)
    return f"{whole}; {result.made} made in {result.seconds:.1f} s ({rate:.0f} a second)."


def read_settings(preset: str, changes: Iterable[str]) -> CompositorSettings | None:
    """Read NAME=VALUE over the preset's settings; None without any."""
    from cleanplate.synthesis.building.presets import preset_of

    settings = preset_of(preset).settings
    known = {field.name: getattr(settings, field.name) for field in fields(settings)}
    known.pop("textures")
    values: dict[str, Any] = {}
    for change in changes:
        name, sign, text = change.partition("=")
        if not sign or name not in known:
            raise click.UsageError(
                f"--set {change}: NAME=VALUE with one of {', '.join(sorted(known))}."
            )
        values[name] = _value(name, text, known[name])
    return replace(settings, **values) if values else None


def _value(name: str, text: str, now: Any) -> Any:
    """Read a value of the kind that the setting has now."""
    try:
        if isinstance(now, bool):
            return click.BOOL.convert(text, None, None)
        if isinstance(now, tuple):
            return tuple(float(part) for part in text.split(","))
        return type(now)(text)
    except (ValueError, click.BadParameter) as error:
        kind = "numbers with commas" if isinstance(now, tuple) else type(now).__name__
        raise click.UsageError(f"--set {name}={text}: expected {kind}.") from error
