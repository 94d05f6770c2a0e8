"""Worker process with Blender: `python -m cleanplate.render.blender_worker JOB.json`.

Started by `render.worker_pool`; renders the items of its job one after the other and ends. Memory
grows with every scene that is opened, so a job is short. The file `started` beside the job holds
the current item, so that the pool knows which one a crash concerns.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Protocol

from cleanplate.files.json_files import read_json
from cleanplate.render import rendered_items
from cleanplate.render.rendered_items import Rejected, RenderedItem
from cleanplate.render.scenes.asset_library import AssetLibrary

RENDERERS = {
    "plates": ("cleanplate.render.blender.blender_plates", "PlateRenderer"),
    "cutouts": ("cleanplate.render.blender.blender_cutouts", "CutoutRenderer"),
    "pairs": ("cleanplate.render.blender.blender_pairs", "PairRenderer"),
}
"""Task -> module and class; a class takes (library, seed, size) and renders items by index."""


class ItemRenderer(Protocol):
    """Renders items by index; the same seed gives the same items."""

    def render(self, index: int) -> RenderedItem:
        """Render item `index`, or raise Rejected."""


def main(path: Path) -> None:
    """Render the items of a job: JSON as `render.worker_pool` writes it."""
    job = read_json(path)
    out = Path(job["out"])
    module, name = RENDERERS[job["task"]]
    library = AssetLibrary(job["assets"], scenes=job["scenes"])
    renderer: ItemRenderer = getattr(import_module(module), name)(
        library, job["seed"], tuple(job["size"])
    )
    for index in job["indices"]:
        if job.get("parent", os.getppid()) != os.getppid():
            return  # the pool was killed
        name = rendered_items.item_name(index)
        if rendered_items.is_done(out, name):
            continue
        path.with_suffix(".started").write_text(str(index), encoding="utf-8")
        try:
            rendered_items.write_item(out, name, renderer.render(index))
        except Rejected as rejected:
            rendered_items.write_rejection(out, name, rejected)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
