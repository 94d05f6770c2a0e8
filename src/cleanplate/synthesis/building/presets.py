"""Presets of `cleanplate synth build`: form, compositor settings and default sizes by name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.compositor.settings import CompositorSettings


@dataclass(frozen=True)
class Preset:
    """A kind of data set.

    Args:
        name: for the command line.
        note: one line about it.
        form: "shards" or "folders".
        settings: of the compositor, before the user's changes.
        needs_depth: whether a plate without depth is unusable.
        placements: of each plate, cutout and flip; 0: everything is drawn sample by sample.
        assets: default number of plates and of cutouts; None: all.
        size: (H, W) by default.
        count: samples by default, where placements do not decide it.
    """

    name: str
    note: str
    form: str
    settings: CompositorSettings
    needs_depth: bool = False
    placements: int = 0
    assets: int | None = None
    size: tuple[int, int] = (224, 224)
    count: int = 1000


_ASSIGNMENT = replace(
    CompositorSettings.exact(),
    grounded=0.0,
    portrait=0.0,
    uniform=1.0,
    subjects=(1.0,),
    shadow_share=0.0,
)

PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "realistic",
            "Grounded subjects, occlusion, shadows, camera effects. WebDataset shards.",
            "shards",
            CompositorSettings(),
        ),
        Preset(
            "assignment",
            "Each plate x each cutout x 2 flips x 20 placements, pasted with a hard edge. "
            "Folders bg, fg_bg, mask, depth.",
            "folders",
            _ASSIGNMENT,
            needs_depth=True,
            placements=20,
            assets=100,
        ),
    )
}


def preset_of(name: str) -> Preset:
    """Find a preset by name.

    Raises:
        CleanplateError: if there is none.
    """
    if name not in PRESETS:
        raise CleanplateError(
            f"there is no preset {name!r}", cure=f"There are: {', '.join(PRESETS)}."
        )
    return PRESETS[name]
