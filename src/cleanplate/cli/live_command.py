"""`cleanplate live`: a camera's subject over another background in real time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import (
    Size,
    countdown_option,
    depth_settings,
    json_option,
    max_pixels_option,
    may_be_metric,
    model_options,
    overwrite_option,
    plate_depth_options,
    quiet_option,
)

if TYPE_CHECKING:
    from cleanplate.arrays import Bytes
    from cleanplate.live.camera import Camera
    from cleanplate.live.live_composite import LiveComposite
    from cleanplate.live.live_session import LiveOutputs
    from cleanplate.predict.scene import Scene

GREEN = "#00b140"
"""Shown behind the subject where nothing is asked for: other programs can key it out."""

_EPILOG = """\b
Examples:
  cleanplate live --background beach.jpg
  cleanplate live --plate plate.png --blur 8
  cleanplate live 1 --size 1280x720 --background "#00b140" --virtual-camera
  cleanplate live --plate plate.png --plate-depth depth.png --object tree.png --object-distance 2.5
  cleanplate live clip.mp4 --plate plate.png --no-window --record out.mp4 --seconds 10
Keys in the window: H lists them.
"""


@click.command(epilog=_EPILOG)
@click.argument("camera", default="0", metavar="[CAMERA]")
@click.option("--plate", metavar="FILE", help="The picture of the empty scene, taken by this "
              "camera.  [default: take it first]")  # fmt: skip
@plate_depth_options
@click.option("--background", metavar="COLOUR|FILE", help="What is shown behind the subject: "
              "#rrggbb, a CSS name, a picture or a clip.  [default: the scene with --blur or "
              f"--object, else {GREEN}]")  # fmt: skip
@click.option("--blur", type=click.FloatRange(min=0), default=0.0, metavar="PX", help="Blur the "
              "scene by depth: sharp at the subject's, with this standard deviation at the "
              "farthest point.")  # fmt: skip
@click.option("--object", "object_file", metavar="FILE", help="A picture with transparency that "
              "stands in the scene; needs --object-distance and --plate-depth.")  # fmt: skip
@click.option("--object-distance", type=click.FloatRange(min=0, min_open=True), metavar="M",
              help="Its distance from the camera in metres: who is nearer passes in front of "
              "it.")  # fmt: skip
@click.option("--object-height", type=click.FloatRange(min=0, min_open=True), metavar="SHARE",
              help="Its height, as a share of the picture's.  [default: 0.4; of a file of the "
              "camera's size: as it lies]")  # fmt: skip
@click.option("--object-at", type=(float, float), default=(0.5, 0.9), show_default=True,
              metavar="X Y", help="Where its lower middle stands, as shares of width and "
              "height.")  # fmt: skip
@click.option("--virtual-camera", is_flag=True, help="Send the composite to the system's virtual "
              "camera, for OBS and meetings; needs pyvirtualcam.")  # fmt: skip
@click.option("--record", metavar="FILE", help="Record from the first frame on: .mp4 the "
              "composite, .mov or .webm with alpha.")  # fmt: skip
@click.option("--no-window", is_flag=True, help="Open no window: for a virtual camera or a "
              "recording alone. Ctrl-C ends.")  # fmt: skip
@click.option("--frames", type=click.IntRange(1), metavar="N", help="End after N frames.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), metavar="S",
              help="End after S seconds.")  # fmt: skip
@click.option("--size", type=Size(), help="Size that is asked of the camera, such as 640x360.  "
              "[default: the driver's]")  # fmt: skip
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="FPS", help="Frames "
              "per second that are asked of the camera.  [default: the driver's]")  # fmt: skip
@click.option("--fps-target", type=click.FloatRange(min=0, min_open=True), metavar="FPS",
              help="Lower the network's working size while a frame takes longer than 1 / FPS "
              "seconds, raise it again where there is time.  [default: the camera's rate; none "
              "with --working-size]")  # fmt: skip
@countdown_option
@click.option("--save-plate", metavar="FILE", help="Write the plate that was taken last (PNG).")
@model_options
@max_pixels_option
@click.option("--fit", is_flag=True, help="Resample the plate where its size differs from the "
              "camera's.")  # fmt: skip
@overwrite_option
@json_option
@quiet_option
def command(*, camera: str, json_output: JsonOutput | None, quiet: bool, **chosen: Any) -> None:
    """Show the subject before CAMERA in real time, with another background or blurred by depth.

    CAMERA is a number (0 is the first), a device, an address (rtsp://...), or a video file, which
    is played as a camera gives it. Without --plate the empty scene is taken first: leave the
    picture when you are told to. Exposure and white balance are locked where the driver allows.

    Where the network is slower than the camera, frames are left out and the newest one is shown:
    latency does not grow.
    """
    from cleanplate.live.camera_opening import open_camera

    _check(chosen)
    if json_output is not None:
        json_output.check(overwrite=chosen["overwrite"])
    opened = open_camera(camera, size=chosen["size"], rate=chosen["rate"])
    tell = _silent if quiet else _told
    stopped = False
    with ExitStack() as stack:
        locked = stack.enter_context(_closed_on_error(opened))
        for sentence in (*locked.notes, *locked.lock()):
            locked.notes += [] if sentence in locked.notes else [sentence]
            tell(f"Note: {sentence}")
        document, stopped = _run(locked, chosen, tell, stack)
    if json_output is not None:
        json_output.write(document, overwrite=chosen["overwrite"])
    if shows_summary(json_output, quiet):
        click.echo(_summary(document))
    if stopped:
        raise KeyboardInterrupt


def _check(chosen: Mapping[str, Any]) -> None:
    if chosen["background"] is not None and chosen["blur"]:
        raise click.UsageError("--background and --blur do not go together: choose one.")
    if (chosen["object_file"] is None) != (chosen["object_distance"] is None):
        raise click.UsageError("--object and --object-distance go together.")
    if chosen["object_file"] is not None and not may_be_metric(chosen):
        raise click.UsageError(
            "An object at a distance needs the plate's depth: --plate-depth, or --known-distance."
        )
    if chosen["save_plate"] is not None:
        from cleanplate.files.ownership import check_target

        check_target(chosen["save_plate"], overwrite=chosen["overwrite"])


@contextmanager
def _closed_on_error(camera: Camera) -> Iterator[Camera]:
    """Close the camera if the session, which closes it at its own end, does not get that far."""
    try:
        yield camera
    except BaseException:
        camera.close()
        raise


def _run(
    camera: Camera, chosen: Mapping[str, Any], tell: Any, stack: ExitStack
) -> tuple[dict[str, Any], bool]:
    """Run a session; give its report, and whether Ctrl-C ended it."""
    from cleanplate.live.live_session import LiveSession

    predictor = _predictor(chosen)

    def scene_of(plate: Bytes | str) -> Scene:
        scene = predictor.scene(plate, chosen["plate_depth"])
        return _fitted(scene, camera, fit=chosen["fit"])

    session = LiveSession(
        camera,
        scene_of,
        _composite_maker(camera, chosen, stack),
        _outputs(camera, chosen, tell, stack),
        countdown=chosen["countdown"],
        frames=chosen["frames"],
        seconds=chosen["seconds"],
        fps_target=chosen["fps_target"] or (None if chosen["working_size"] else camera.rate),
    )
    given = None if chosen["plate"] is None else scene_of(chosen["plate"])
    stopped = False
    try:
        session.run(given, record=chosen["record"] is not None)
    except KeyboardInterrupt:
        stopped = True
    if chosen["save_plate"] is not None and session.plate is not None:
        from cleanplate.files.ownership import replacing_own
        from cleanplate.formats.pictures import write_image

        with replacing_own(chosen["save_plate"], overwrite=chosen["overwrite"]) as temporary:
            write_image(temporary, session.plate)
    return session.as_json(), stopped


def _predictor(chosen: Mapping[str, Any]) -> Any:
    from cleanplate.predict.predictor import Predictor
    from cleanplate.predict.session import providers_for

    provider = chosen["provider"]
    return Predictor(
        chosen["model"],
        threads=chosen["threads"],
        working_size=chosen["working_size"],
        align=chosen["align"] or "auto",
        fit=chosen["fit"],
        providers=None if provider is None else providers_for(provider),
        **depth_settings(chosen),
        fixed_size=True,
    )


def _fitted(scene: Scene, camera: Camera, *, fit: bool) -> Scene:
    from cleanplate.predict.size import check_fit

    return scene.resampled(camera.size) if check_fit(scene.size, camera.size, fit) else scene


def _composite_maker(camera: Camera, chosen: Mapping[str, Any], stack: ExitStack) -> Any:
    from cleanplate.live.live_composite import composite_of
    from cleanplate.live.scene_object import object_of
    from cleanplate.video.backgrounds import background_of

    source = chosen["background"]
    if source is None and not chosen["blur"] and chosen["object_file"] is None:
        source = GREEN
    background = None if source is None else background_of(source, camera.size)
    if background is not None:
        stack.callback(background.close)
    objects = []
    if chosen["object_file"] is not None:
        laid = object_of(
            chosen["object_file"],
            chosen["object_distance"],
            camera.size,
            height=chosen["object_height"],
            foot=chosen["object_at"],
        )
        objects.append(laid)

    def made(scene: Scene) -> LiveComposite:
        return composite_of(scene, background=background, blur=chosen["blur"], objects=objects)

    return made


def _outputs(camera: Camera, chosen: Mapping[str, Any], tell: Any, stack: ExitStack) -> LiveOutputs:
    from cleanplate.live.live_session import LiveOutputs
    from cleanplate.live.recorder import Recorder

    recorder = Recorder(chosen["record"], camera.size, camera.rate, overwrite=chosen["overwrite"])
    outputs = LiveOutputs(recorder=recorder, tell=tell)
    if chosen["virtual_camera"]:
        from cleanplate.live.virtual_camera import VirtualCamera

        outputs.sink = sink = VirtualCamera(camera.size, camera.rate)
        stack.callback(sink.close)
        tell(f"Virtual camera: {sink.name}")
    if not chosen["no_window"]:
        from cleanplate.live.window import Window

        outputs.screen = window = Window(f"Cleanplate: {camera.name}", camera.size)
        stack.callback(window.close)
    return outputs


def _told(sentence: str) -> None:
    click.echo(sentence, err=True)


def _silent(sentence: str) -> None:
    """Say nothing."""


def _summary(report: Mapping[str, Any]) -> str:
    camera, latency = report["camera"], report["latency_ms"]
    late = latency["median"] / 1000 * camera["frames_per_second"]
    stages = ", ".join(
        f"{name} {taken:.1f}" for name, taken in report["stage_ms"].items() if taken >= 0.1
    )
    lines = [
        f"{report['frames']} of {camera['frames']} frames at {report['frames_per_second']:.1f} a "
        f"second ({camera['size'][0]} x {camera['size'][1]}, camera "
        f"{camera['frames_per_second']:g})",
        f"latency: median {latency['median']:.0f} ms ({late:.1f} frames), 95 % "
        f"{latency['p95']:.0f} ms",
        f"stages, ms: {stages}",
    ]
    lines += [f"Warning: {one}" for one in report["recording_warnings"]]
    return "\n".join([*lines, *(f"  {path}" for path in report["recorded"])])
