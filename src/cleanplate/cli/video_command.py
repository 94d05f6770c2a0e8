"""`cleanplate video`: the subject of a locked camera's clip, as video, sequences or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import (
    depth_settings,
    engine_options,
    json_option,
    max_pixels_option,
    may_be_metric,
    model_options,
    overwrite_option,
    plate_depth_options,
    quiet_option,
    task_engine,
    workers_option,
)
from cleanplate.errors import CleanplateError

if TYPE_CHECKING:
    from cleanplate.predict.predictor import Predictor
    from cleanplate.predict.scene import Scene
    from cleanplate.video.clip import Clip, ClipFrame
    from cleanplate.video.clip_batch import Shown
    from cleanplate.video.clip_folder import ClipTask
    from cleanplate.video.loop_report import LoopReport
    from cleanplate.video.output_presets import Output

_EPILOG = """\b
Examples:
  cleanplate video clip.mp4 --plate plate.png -o out.mp4 --background beach.jpg
  cleanplate video clip.mp4 --plate plate.png -o out.mov -o out.webm
  cleanplate video clip.mp4 --plate plate.png -o matte.mkv --preset matte
  cleanplate video clip.mp4 --plate plate.png -o "shot.%04d.exr" --plate-depth d.png --with-depth
  cleanplate video clips --plate plate.png -o out --preset prores4444 --workers 2
  cleanplate video clips --plate "plates/{name}.png" -o "out/{name}.webm" --engine ray
  ffmpeg -i clip.mp4 -f yuv4mpegpipe - | cleanplate video - --plate plate.png -o - > frames.rgba
"""


class FrameRange(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A:B as (first, end); either may be left out."""

    name = "A:B"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int | None]:
        """Read the two numbers."""
        if isinstance(value, tuple):
            return value
        first, colon, end = str(value).partition(":")
        try:
            found = int(first or 0), int(end) if end else None
        except ValueError:
            found = (-1, None)
        if not colon or found[0] < 0 or (found[1] is not None and found[1] <= found[0]):
            self.fail(f"{value!r} is not a range like 100:250", param, ctx)
        return found


@click.command(epilog=_EPILOG)
@click.argument("clips", nargs=-1, required=True, metavar="CLIP...")
@click.option("--plate", required=True, metavar="FILE|FOLDER", help="The picture of the empty "
              "scene; `cleanplate plate` makes one of a clip. Of several clips one each: a path "
              "with {name}, or a folder of pictures with their names.")  # fmt: skip
@plate_depth_options
@click.option("-o", "--output", "outputs", multiple=True, required=True, metavar="FILE|FOLDER|-",
              help="What to write, by its suffix: .mp4 (composite), .mov (ProRes 4444 with alpha), "
              ".webm (VP9 with alpha), shot.%04d.png, shot.%04d.exr; - writes raw RGBA to the "
              "standard output. May be repeated. Of several clips: a path with {name}, or a "
              "folder and a --preset.")  # fmt: skip
@click.option("--preset", "presets", multiple=True, metavar="NAME", help="h264, prores4444, vp9, "
              "png, exr, matte, depth or rgba, one for each -o in their order.  [default: by the "
              "suffix]")  # fmt: skip
@click.option("--background", metavar="COLOUR|FILE", help="What the composite shows behind the "
              "subject: #rrggbb, a CSS name, a picture or a clip.")  # fmt: skip
@click.option("--premultiplied/--straight", default=None, help="Colour multiplied by alpha, or "
              "not.  [default: as the preset's readers expect]")  # fmt: skip
@click.option("--foreground-space", type=click.Choice(["linear", "display"]), help="In which "
              "values the foreground will be laid over a new background.  [default: display; "
              "EXR linear]")  # fmt: skip
@click.option("--bits", type=int, metavar="N", help="Bits of a sample, where the preset has a "
              "choice (PNG: 8, 16).")  # fmt: skip
@click.option("--with-depth", is_flag=True, help="Add depth in metres (channel Z) to EXR.")
@click.option("--compression", type=click.Choice(["zip", "dwaa"]), default="zip",
              show_default=True, help="Of EXR.")  # fmt: skip
@click.option("--quality", type=click.IntRange(0, 63), default=18, show_default=True, metavar="N",
              help="Constant rate factor of H.264 and VP9; lower is better.")  # fmt: skip
@click.option("--frames", "frame_range", type=FrameRange(), default="0:", metavar="A:B",
              help="Frames A to B - 1, counted from 0.  [default: all]")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with image sequences after the last whole "
              "frame.")  # fmt: skip
@click.option("--no-audio", is_flag=True, help="Do not copy the clip's sound.")
@click.option("--tone-map", type=click.Choice(["hable"]), help="Bring HDR clips to SDR by this "
              "curve.  [default: refuse HDR]")  # fmt: skip
@click.option("--frame-rate", type=float, metavar="FPS", help="Of image sequences and raw frames.  "
              "[default: 25]")  # fmt: skip
@click.option("--pipe-size", metavar="WxH", help="Size of raw RGB frames on the standard input "
              "(CLIP is -); without it they are Y4M.")  # fmt: skip
@click.option("--fps-target", type=click.FloatRange(min=0, min_open=True), metavar="FPS",
              help="Lower the network's working size while a frame takes longer than 1 / FPS "
              "seconds, raise it again where there is time.")  # fmt: skip
@click.option("--adapt-plate", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
              help="Let the plate follow slow local changes of light where nothing stands before "
              "it, by 63 % in so many seconds.")  # fmt: skip
@click.option("--save-plate", metavar="FILE", help="Write the plate as the first frame's camera "
              "would have seen it, registered and of its exposure (16-bit PNG).")  # fmt: skip
@model_options
@max_pixels_option
@click.option("--fit", is_flag=True, help="Resample the plate where its size differs from the "
              "clip's.")  # fmt: skip
@workers_option(
    default=0, help="Processes that share several clips; 0 works in this one.", ray=True
)
@engine_options
@overwrite_option
@json_option
@quiet_option
def command(
    *,
    clips: tuple[str, ...],
    workers: int,
    engine_name: str,
    ray_address: str | None,
    json_output: JsonOutput | None,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Take the subject out of each CLIP, a locked camera's, given the PLATE of its empty scene.

    CLIP is a video file, a folder or pattern (shot.%04d.png) of pictures, or - for raw RGB24 or
    Y4M frames on the standard input. Sound, frame times, time code and colour tags are kept. A
    folder of video files stands for these; {name} in a path is the clip's name.

    Ctrl-C ends the files so that what is in them plays. Files that are there are replaced only if
    Cleanplate wrote them.
    """
    from cleanplate.cli.several_clips import process_several, tasks_of

    engine = task_engine(engine_name, workers, ray_address)
    tasks, single = tasks_of(clips, chosen, quiet)
    for task in tasks:
        _outputs({**chosen, **task.options()})
    if not single or engine.uses_ray:
        process_several(
            _process, _predictor, tasks, chosen, engine=engine, json_output=json_output, quiet=quiet
        )
        return
    report = _process(tasks[0], chosen, None, _bar(quiet))
    for sentence in () if quiet else report["notes"]:
        click.echo(f"Note: {sentence}", err=True)
    if json_output is not None:
        json_output.write(report, overwrite=chosen["overwrite"])
    if shows_summary(json_output, quiet) and "-" not in chosen["outputs"]:
        click.echo(_summary(report))


def _process(
    task: ClipTask, chosen: Mapping[str, Any], scene: Scene | None, shown: Shown
) -> dict[str, Any]:
    """Process one clip, of several perhaps in another process, and give the report.

    scene: of the task's plate; None = made here.
    """
    from cleanplate.video.clip_reader import open_clip

    own = {**chosen, **task.options()}
    outputs = _outputs(own)
    size, rate = own["pipe_size"], own["frame_rate"]
    with open_clip(
        task.clip,
        tone_map=own["tone_map"],
        frame_rate=None if rate is None else Fraction(str(rate)),
        size=None if size is None else _width_height(size),
    ) as opened:
        report, notes = _run(opened, outputs, own, scene, shown)
    paths = [str(one.path) for one in outputs]
    return {"clip": task.clip, "outputs": paths, **report.as_json(), "notes": notes}


def _width_height(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise click.UsageError(f"--pipe-size {text} is not a size like 1280x720") from None
    return width, height


def _outputs(chosen: Mapping[str, Any]) -> list[Output]:
    from cleanplate.video.output_presets import output_of

    paths, presets = chosen["outputs"], chosen["presets"]
    if presets and len(presets) != len(paths):
        raise click.UsageError(f"{len(paths)} outputs and {len(presets)} presets: name one each.")
    if "-" in paths and sys.stdout.isatty():
        raise click.UsageError("-o - writes raw pixels, which no terminal can show: redirect it.")
    found = [
        output_of(
            path,
            presets[number] if presets else None,
            premultiplied=chosen["premultiplied"],
            space=chosen["foreground_space"],
            bits=chosen["bits"],
            with_depth=chosen["with_depth"],
            compression=chosen["compression"],
            quality=chosen["quality"],
        )
        for number, path in enumerate(paths)
    ]
    needs = frozenset[str]().union(*(one.needs for one in found))
    if "depth" in needs and not may_be_metric(chosen):
        raise click.UsageError(
            "Depth in metres needs the plate's: give --plate-depth, or --known-distance."
        )
    if "composite" in needs and chosen["background"] is None:
        raise click.UsageError("A composite needs something behind the subject: --background.")
    return found


def _run(
    clip: Clip,
    outputs: list[Output],
    chosen: Mapping[str, Any],
    scene: Scene | None,
    shown: Shown,
) -> tuple[LoopReport, list[str]]:
    from cleanplate.video.backgrounds import background_of
    from cleanplate.video.clip_writer import ClipWriter, resume_index
    from cleanplate.video.frame_loop import FrameLoop
    from cleanplate.video.loop_report import LoopReport
    from cleanplate.video.pipeline import drained, prefetched
    from cleanplate.video.plate_adaptation import AdaptivePlate
    from cleanplate.video.working_size_control import WorkingSizeControl

    name, facts = chosen["clip"], clip.facts
    first, end = chosen["frame_range"]
    if chosen["resume"]:
        first = max(first, resume_index(outputs, facts, first))
        if facts.frames is not None and first >= min(facts.frames, end or facts.frames):
            return LoopReport(), ["all frames were there already"]
    if scene is None:
        scene = _predictor(chosen).scene(chosen["plate"], chosen["plate_depth"])
    background = chosen["background"]
    behind = None if background is None else background_of(background, (facts.height, facts.width))
    is_pipe = name == "-"
    writer = ClipWriter(
        outputs,
        facts,
        audio=None if is_pipe or chosen["no_audio"] else name,
        cut=(first, end) != (0, None),
        overwrite=chosen["overwrite"],
    )
    target, adapt = chosen["fps_target"], chosen["adapt_plate"]
    loop = FrameLoop(
        scene,
        writer.needs,
        behind,
        size_control=None
        if target is None
        else WorkingSizeControl(target, max(scene.network_size)),
        adaptation=None
        if adapt is None
        else AdaptivePlate(scene.plate, adapt * float(facts.frame_rate)),
        ahead=_threads(chosen)[0],
    )
    total = None if facts.frames is None else min(facts.frames, end or facts.frames) - first
    frames = prefetched(clip.frames(first, end))
    try:
        with writer, drained(writer.write) as drain:
            for layers in loop.layers(shown(frames, total)):
                drain.put(layers)
    finally:
        frames.close()  # type: ignore[attr-defined]
        if behind is not None:
            behind.close()
    if chosen["save_plate"] is not None:
        _save_plate(loop, chosen)
    return loop.report, [*facts.notes, *clip.warnings, *writer.warnings]


def _predictor(chosen: Mapping[str, Any]) -> Predictor:
    from cleanplate.predict.predictor import Predictor
    from cleanplate.predict.session import providers_for

    provider = chosen["provider"]
    return Predictor(
        chosen["model"],
        threads=_threads(chosen)[1],
        working_size=chosen["working_size"],
        align=chosen["align"] or "auto",
        fit=chosen["fit"],
        providers=None if provider is None else providers_for(provider),
        **depth_settings(chosen),
        fixed_size=True,
    )


def _threads(chosen: Mapping[str, Any]) -> tuple[int, int]:
    """Give how many frames are compared at the same time, and the network's threads for each."""
    from cleanplate.engines.cores import available_cores

    threads = chosen["threads"] or min(4, available_cores())
    return (2, threads // 2) if threads > 1 else (0, 1)


def _save_plate(loop: Any, chosen: Mapping[str, Any]) -> None:
    from cleanplate.files.ownership import replacing_own
    from cleanplate.formats.pictures import to_float, to_uint16, write_image

    if loop.first_plate is None:
        raise CleanplateError("no frame shows the plate's scene: there is no plate to save")
    plate = to_uint16(to_float(loop.first_plate.full()))
    with replacing_own(chosen["save_plate"], overwrite=chosen["overwrite"]) as temporary:
        write_image(temporary, plate)


def _bar(quiet: bool) -> Shown:
    def shown(frames: Iterable[ClipFrame], total: int | None) -> Iterator[ClipFrame]:
        yield from tqdm(frames, total=total, unit="frame", disable=True if quiet else None)

    return shown


def _summary(report: dict[str, Any]) -> str:
    lines = [f"{report['frames']} frames at {report['frames_per_second']:.1f} a second"]
    if report["without_plate_count"]:
        lines.append(
            f"{report['without_plate_count']} of them do not show the plate's scene (first: frame "
            f"{report['without_plate'][0]}): their alpha is 0"
        )
    lines += [
        f"Warning: {one['what']} (from frame {one['first_frame']})" for one in report["warnings"]
    ]
    return "\n".join([*lines, *(f"  {path}" for path in report["outputs"])])
