"""`Result`: what prediction found in one frame, with the ways to draw and save it at hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cleanplate.predict.output.rendered_image import (
    BackgroundSource,
    RenderedImage,
    composite,
    preview,
)
from cleanplate.predict.output.result_files import write_result
from cleanplate.predict.output.writing import Writing
from cleanplate.predict.result_data import ResultData


class Result(ResultData):
    """`ResultData` with `composite` and `save`; see also `cleanplate.preview` and `adjust`."""

    def composite(self, background: BackgroundSource) -> RenderedImage:
        """Lay the subject over another background, mixed in `foreground_space`.

        Args:
            background: a path or (H', W', 3) array, scaled to cover the frame and cropped to it;
                or a colour, "#rrggbb" or a CSS name.

        Raises:
            CleanplateError: the foreground was not asked for, or the background cannot be read.
        """
        return composite(self, background)

    def save(
        self,
        folder: str | Path,
        *,
        save: Iterable[str] | None = None,
        background: BackgroundSource | None = None,
        bits: int = 8,
        stem: str | None = None,
        premultiplied: bool = False,
        overwrite: bool = False,
    ) -> list[Path]:
        """Write files named `<stem>.<what>.<suffix>` and the report `<stem>.json` to `folder`.

        Files that are there are replaced if an earlier `save` wrote them and nobody changed them
        since; see docs/predict.md.

        Args:
            folder: made if it is not there.
            save: of "alpha", "foreground", "depth", "shadow", "preview", "composite"; by default
                what the result holds, the composite only if `background` is given.
            background: for the composite, as `composite` takes it.
            bits: 8 or 16, of alpha, foreground and shadow.
            stem: by default the frame's own name.
            premultiplied: multiply the foreground's colour by alpha.
            overwrite: replace files whoever wrote them.

        Returns:
            the files written, the report last.

        Raises:
            CleanplateError: an unknown name in `save`, an output that was not asked for, a file
                that Cleanplate did not write, or one that cannot be written. What was being
                written then is removed, what was there before stays.
        """
        writing = Writing.of(
            save, background, bits=bits, premultiplied=premultiplied, overwrite=overwrite
        )
        return write_result(self, Path(folder), stem or self.name, writing).paths

    def _repr_png_(self) -> bytes:
        """Give a notebook the preview: notebooks look for this method on the object itself."""
        return preview(self).png()
