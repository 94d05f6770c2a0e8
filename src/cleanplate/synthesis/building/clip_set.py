"""Clips with truth as files: each is made by one process and gets its name when it is whole."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from secrets import token_hex
from typing import Any

from cleanplate.arrays import Coded
from cleanplate.depth.depth_codec import DATASET, RECORD, encode_disparity
from cleanplate.engines.local_pool import WorkersKilled, map_tasks
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import telling_write_faults
from cleanplate.files.lock import held_alone, shared
from cleanplate.formats.encoding import encode_png
from cleanplate.formats.pictures import to_uint16
from cleanplate.pairs import clip_truth
from cleanplate.synthesis.building.asset_selection import PlannedCutouts, PlannedPlates
from cleanplate.synthesis.building.clip_plan import (
    ClipPlan,
    ClipRequest,
    make_clip_plan,
    write_or_compare,
)
from cleanplate.synthesis.building.folder_writer import sync_file_system
from cleanplate.synthesis.compositor.clip_composer import ClipComposer
from cleanplate.synthesis.compositor.composer import Composer
from cleanplate.synthesis.compositor.sample import Composition
from cleanplate.synthesis.compositor.subject_sampling import CutoutCollection, PlateCollection
from cleanplate.synthesis.procedural.asset_pool import ProceduralCutouts, ProceduralPlates

MIN_COVERAGE, MAX_COVERAGE = 0.02, 0.6
"""Share of the first frame that its subjects cover; other draws are not taken."""
_DRAWS = 50
_STRIDE = 1 << 20
"""Draw k of clip i is sample i + k * _STRIDE of the composer."""
_UNFINISHED = re.compile(r"\.\d{6}-[0-9a-f]{8}")


@dataclass(frozen=True)
class ClipSet:
    """What was made: `made` of `clips` in this run."""

    out: Path
    clips: int
    made: int
    frames: int
    skipped: list[dict[str, str]]

    def as_json(self) -> dict[str, Any]:
        """Give all fields as JSON."""
        return {**asdict(self), "out": str(self.out)}


@dataclass(frozen=True)
class ClipJob:
    """A plan with the place where it is carried out and where its assets lie."""

    out: Path
    plan: ClipPlan
    plate_files: tuple[Path, ...]
    cutout_files: tuple[Path, ...]


def build_clips(
    request: ClipRequest,
    workers: int = 0,
    *,
    assets: Callable[[Iterable[int]], Iterable[int]] = iter,
    progress: Callable[[int], None] = lambda frames: None,
) -> ClipSet:
    """Make clips, go on with them, or find that all are there.

    Args:
        request: what to make.
        workers: processes; 0 = this one.
        assets: wraps the indices of assets as they are checked.
        progress: is told the frames made so far, those of earlier runs included.

    Raises:
        CleanplateError: if the folder holds other clips or anything else, or is in use; if an
            asset cannot be used or has no licence; if something cannot be written. Finished
            clips stay, and the same request goes on from there.
    """
    out = request.out
    with telling_write_faults(out):
        out.mkdir(parents=True, exist_ok=True)
    with held_alone(out):
        plan, plates, cutouts = make_clip_plan(request, assets)
        write_or_compare(out, plan)
        _remove_unfinished(out)
        job = ClipJob(out, plan, plates.files, cutouts.files)
        left = [index for index in range(plan.count) if not _is_made(out, plan, index)]
        before = (plan.count - len(left)) * plan.frames
        progress(before)
        results = map_tasks(
            partial(make_clip, job),
            left,
            workers,
            progress=lambda frames: progress(before + frames),
            context=partial(shared, out),
        )
        try:
            with closing(results):
                for _ in results:
                    pass
        except WorkersKilled as error:
            cure = f"{error.cure} What is made stays; the same command goes on."
            raise CleanplateError(error.what, file=out, cure=cure) from error
        finally:
            _remove_unfinished(out)  # left by killed workers
    skipped = [{"name": one.name, "reason": one.reason} for one in plan.skipped]
    return ClipSet(out, plan.count, len(left), plan.frames, skipped)


def make_clip(job: ClipJob, index: int, tick: Callable[[int], None]) -> None:
    """Make one clip; call `tick` after each frame with how many there are.

    Raises:
        CleanplateError: if an asset is not what it was, or something cannot be written. Whatever
            `tick` raises passes through. In either case nothing of the clip stays.
    """
    plan = job.plan
    target = job.out / plan.name_of(index)
    folder = job.out / f".{target.name}-{token_hex(4)}"
    with telling_write_faults(target):
        try:
            folder.mkdir()
            for count, _ in enumerate(_write(folder, _composer(job), plan, index), 1):
                tick(count)
            sync_file_system(job.out)
            folder.rename(target)
        except BaseException:
            with suppress(OSError):
                shutil.rmtree(folder)
            raise


def _write(folder: Path, composer: ClipComposer, plan: ClipPlan, index: int) -> Iterator[None]:
    """Write the files of a clip, its record last; yield after each frame."""
    number, first = _drawn(composer, index, plan.size)
    plate, disparity = composer.plate(number, plan.size)
    _put(folder / clip_truth.PLATE, encode_png(plate))
    _put(folder / clip_truth.PLATE_DEPTH, encode_png(encode_disparity(disparity, DATASET)))
    _put_json(folder / clip_truth.PLATE_CAMERA, {RECORD: DATASET.name, **_camera(first)})
    parts = (clip_truth.FRAMES, clip_truth.ALPHA, clip_truth.DEPTH)
    for part in parts:
        (folder / part).mkdir()
    shifts = []
    for sample in composer.frames(number, plan.size, plan.frames):
        pictures: tuple[Coded, Coded, Coded] = (
            sample["frame"],
            to_uint16(sample["alpha"]),
            encode_disparity(sample["disparity"], DATASET),
        )
        for part, picture in zip(parts, pictures, strict=True):
            coded = encode_png(picture, "fastest")
            _put(folder / part / clip_truth.frame_name(sample["index"]), coded)
        shifts.append([round(value, 3) for value in sample["shift"]])
        yield
    names = [first.name, *(place.cutout.name for place in first.placements)]
    facts = {
        "index": index,
        "drawn": number,
        "seed": plan.seed,
        "width": plan.width,
        "height": plan.height,
        "frames": plan.frames,
        "frame_rate": plan.motion.frames_per_second,
        "settings": asdict(plan.motion),
        RECORD: DATASET.name,
        "camera": _camera(first) or None,
        "plate": first.name,
        "subjects": [
            {"cutout": place.cutout.name, "kind": place.cutout.kind, "how": place.how}
            for place in first.placements
        ],
        "credits": plan.credits_of(names),
        "shift_px": shifts if plan.motion.shake else None,
        "plan_sha256": plan.sha256,
    }
    _put_json(folder / clip_truth.RECORD, facts)


def _drawn(composer: ClipComposer, index: int, size: tuple[int, int]) -> tuple[int, Composition]:
    """Find the first draw of a clip whose subjects are of a fair size."""
    for draw in range(_DRAWS):
        number = index + draw * _STRIDE
        found = composer.composition(number, size)
        covered = float(found.subjects.alpha.mean())
        if MIN_COVERAGE <= covered <= MAX_COVERAGE:
            return number, found
    raise CleanplateError(
        f"in {_DRAWS} draws no subject was of a fair size", cure="Give more plates and cutouts."
    )


def _camera(first: Composition) -> dict[str, float]:
    camera = first.view.camera
    if camera is None:
        return {}
    values = {**camera.intrinsics._asdict(), "camera_height": camera.height, "pitch": camera.pitch}
    return {name: round(float(value), 5) for name, value in values.items()}


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _put_json(path: Path, document: dict[str, Any]) -> None:
    _put(path, (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode())


def _is_made(out: Path, plan: ClipPlan, index: int) -> bool:
    """Tell whether a clip is there.

    Raises:
        CleanplateError: if something else has its name.
    """
    folder = out / plan.name_of(index)
    if not folder.exists():
        return False
    clip = clip_truth.TrueClip(folder)
    if clip.facts.get("plan_sha256") != plan.sha256:
        raise CleanplateError(
            "is there already, and was made otherwise", file=folder, cure="Give another folder."
        )
    return True


def _remove_unfinished(out: Path) -> None:
    with telling_write_faults(out):
        for one in out.iterdir():
            if _UNFINISHED.fullmatch(one.name):
                shutil.rmtree(one)


@cache
def _kept() -> dict[str, ClipComposer]:
    """Keep the composer that this process used last, and with it its assets."""
    return {}


def _composer(job: ClipJob) -> ClipComposer:
    key = f"{job.plan.sha256} {job.plate_files} {job.cutout_files}"
    kept = _kept()
    if key not in kept:
        kept.clear()
        kept[key] = composer_of(job)
    return kept[key]


def composer_of(job: ClipJob) -> ClipComposer:
    """Open the assets of a plan, ready to make its clips."""
    plan = job.plan
    settings = plan.settings
    plates: PlateCollection = (
        PlannedPlates(list(job.plate_files), assets=plan.plates)
        if plan.plates
        else ProceduralPlates(plan.seed, settings.procedural_rooms)
    )
    cutouts: CutoutCollection = (
        PlannedCutouts(list(job.cutout_files), assets=plan.cutouts)
        if plan.cutouts
        else ProceduralCutouts(plan.seed, settings.procedural_cutouts)
    )
    composer = Composer([plates], [cutouts], seed=plan.seed, settings=settings)
    return ClipComposer(composer, plan.motion)
