"""Plan of a folder of clips with truth: everything that decides its bytes, fixed at the start."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.files.json_files import parse_json, read_json
from cleanplate.pairs.clip_truth import PLAN
from cleanplate.synthesis.building.asset_selection import AssetSelection, AssetType, select_assets
from cleanplate.synthesis.building.plan import PlannedAsset, Skipped, library_versions
from cleanplate.synthesis.compositor.clip_composer import ClipSettings, steady
from cleanplate.synthesis.compositor.settings import CompositorSettings

FORMAT = 1
"""Version of `clips.json`; raised when its meaning changes."""
_MIN_SIDE = 16


@dataclass(frozen=True)
class ClipRequest:
    """Which clips to make.

    Args:
        out: their folder.
        plates, cutouts: folders; without any, procedural.
        count: clips.
        frames: frames of each.
        size: (H, W).
        seed: of everything that is drawn.
        motion: what changes from frame to frame.
        skip_bad: leave out unusable assets.
        assume_license: licence of assets that state none.
    """

    out: Path
    plates: tuple[Path, ...] = ()
    cutouts: tuple[Path, ...] = ()
    count: int = 8
    frames: int = 100
    size: tuple[int, int] = (360, 640)
    seed: int = 0
    motion: ClipSettings = field(default_factory=ClipSettings)
    skip_bad: bool = False
    assume_license: str | None = None


@dataclass(frozen=True)
class ClipPlan:
    """Everything that decides the bytes of the clips; fields as in `ClipRequest` and `Plan`."""

    seed: int
    width: int
    height: int
    count: int
    frames: int
    motion: ClipSettings
    settings: CompositorSettings
    plates: tuple[PlannedAsset, ...]
    cutouts: tuple[PlannedAsset, ...]
    skipped: tuple[Skipped, ...]
    made_with: Mapping[str, str]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of a frame."""
        return self.height, self.width

    def name_of(self, index: int) -> str:
        """Give the name of a clip's folder."""
        return f"{index:06}"

    def credits_of(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Give source, licence and attribution of the named assets."""
        named = set(names)
        assets = (*self.plates, *self.cutouts)
        return [asset.credit.as_json() for asset in assets if asset.name in named]

    @property
    def text(self) -> str:
        """The contents of `clips.json`."""
        stored = {"format": FORMAT, **{one.name: getattr(self, one.name) for one in fields(self)}}
        for name in ("motion", "settings"):
            stored[name] = {k: v for k, v in asdict(stored[name]).items() if k != "textures"}
        for name in ("plates", "cutouts"):
            stored[name] = [asset.as_json() for asset in stored[name]]
        stored["skipped"] = [asdict(one) for one in self.skipped]
        return json.dumps(stored, indent=1, ensure_ascii=False) + "\n"

    @property
    def sha256(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def make_clip_plan(
    request: ClipRequest, progress: Callable[[Iterable[int]], Iterable[int]]
) -> tuple[ClipPlan, AssetSelection, AssetSelection]:
    """Decide everything that the clips' bytes depend on, and select plates and cutouts.

    Args:
        request: what to make.
        progress: wraps the indices of the assets, to show progress.

    Raises:
        CleanplateError: if the request is impossible, an asset cannot be used (a plate needs
            depth) or has no licence.
    """
    height, width = request.size
    if min(height, width) < _MIN_SIDE:
        raise CleanplateError(f"{width} x {height} is too small: at least 16 x 16")
    if request.count < 1 or request.frames < 2:
        raise CleanplateError("there is at least one clip, and it has at least two frames")

    def selected(kind: AssetType, folders: Sequence[Path]) -> AssetSelection:
        if not folders:
            return AssetSelection()
        return select_assets(
            kind,
            folders,
            seed=request.seed,
            wanted=None,
            needs_depth=True,
            skip_bad=request.skip_bad,
            assume_license=request.assume_license,
            stored_plan=None,
            progress=progress,
        )

    plates, cutouts = selected("plates", request.plates), selected("cutouts", request.cutouts)
    plan = ClipPlan(
        seed=request.seed,
        width=width,
        height=height,
        count=request.count,
        frames=request.frames,
        motion=request.motion,
        # Subjects that float in mid-air would have no distance that geometry could tell.
        settings=replace(steady(CompositorSettings()), uniform=0.0),
        plates=plates.assets,
        cutouts=cutouts.assets,
        skipped=plates.skipped + cutouts.skipped,
        made_with=library_versions(),
    )
    return plan, plates, cutouts


def write_or_compare(out: Path, plan: ClipPlan) -> None:
    """Write the plan into a new or empty folder, or see that the folder's plan is this one.

    Raises:
        CleanplateError: if the folder holds another plan or anything else.
    """
    file = out / PLAN
    try:
        stored = read_json(file)
    except FileNotFoundError:
        if any(not one.name.startswith(".") for one in out.iterdir()):
            raise CleanplateError(
                "is not empty, and holds no clips", file=out, cure="Give a new or an empty folder."
            ) from None
        with replacing(file) as path:
            path.write_text(plan.text, encoding="utf-8")
        return
    except (OSError, ValueError) as error:
        raise CleanplateError(f"is no plan of clips ({error})", file=file) from error
    wanted = parse_json(plan.text.encode())
    differing = sorted(
        key
        for key in {*wanted, *(stored if isinstance(stored, dict) else ())}
        if not isinstance(stored, dict) or stored.get(key) != wanted.get(key)
    )
    if differing:
        raise CleanplateError(
            f"holds clips of another plan; other there: {', '.join(differing)}",
            file=file,
            cure="Give everything as it was to go on, or another folder for new clips.",
        )
