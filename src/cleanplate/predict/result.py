"""What prediction found in one frame."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cleanplate.arrays import Coded, Mask, Picture, Plane
from cleanplate.depth import Normalisation, disparity_to_depth
from cleanplate.errors import CleanplateError
from cleanplate.matte import MixingSpace, solve_foreground
from cleanplate.matte.matte_controls import despill
from cleanplate.predict.alignment.aligned_plate import PlateView
from cleanplate.predict.geometry import disparity_fusion
from cleanplate.predict.stage_timer import Stages
from cleanplate.predict.upsample import enlarge

if TYPE_CHECKING:
    from cleanplate.predict.inputs import MaskSource
    from cleanplate.predict.output.rendered_image import BackgroundSource, Still


class Result:
    """The subject of one frame: matte, colours, shadow and depth, all at the frame's size.

    Only the matte is there at once; the rest is computed when it is first asked for, and kept.

    Attributes:
        alpha: (H, W) float32 in [0, 1], the subject's coverage.
        frame: (H, W, 3), as given.
        report: what was measured and done; see docs/prediction.md.
        name: the frame's file without folder and suffix, or "frame".
        foreground_space: in which values `foreground` is meant to be mixed; see `adjusted`.
    """

    foreground_space: MixingSpace = "linear"
    _measured: Plane | None = None
    _despill: float = 0.0

    def __init__(
        self,
        *,
        frame: Coded | Picture,
        view: PlateView,
        alpha: Plane,
        small_subject: Plane,
        small_plate: Plane,
        small_shadow: Plane,
        small_alpha: Plane,
        given: Plane | None,
        normalisation: Normalisation | None,
        holes: disparity_fusion.Holes,
        report: dict[str, Any],
        seconds: Stages,
    ):
        self.frame = frame
        self.alpha = alpha
        self.report = report
        self.name = "frame"
        self._view = view
        self._small_subject = small_subject
        self._small_plate = small_plate
        self._small_shadow = small_shadow
        self._small_alpha = small_alpha
        self._given = given
        self._normalisation = normalisation
        self._holes = holes
        self._seconds = seconds

    @property
    def metric(self) -> bool:
        """Whether disparity is in 1/m and depth in metres, because the plate's depth was given."""
        return self._given is not None

    @cached_property
    def plate(self) -> Coded | Picture:
        """(H, W, 3) the plate as the frame's camera would have seen it: registered, same light."""
        with self._seconds.stage("plate"):
            return self._view.full()

    @cached_property
    def shadow(self) -> Plane:
        """(H, W) float32 in (0, 1]: by how much the scene that is seen is darkened.

        1 = untouched, and where the subject hides the scene.
        """
        carried = self._shadow_behind
        with self._seconds.stage("shadow"):
            return disparity_fusion.shadow_seen(carried, self.alpha)

    @cached_property
    def _shadow_behind(self) -> Plane:
        """(H, W) the scene's shadow, under the subject carried in from around it."""
        with self._seconds.stage("shadow"):
            carried = disparity_fusion.shadow_behind(self._small_shadow, self._small_alpha)
            return enlarge(carried, self._view.size)

    @cached_property
    def foreground(self) -> Picture:
        """(H, W, 3) float32 sRGB in [0, 1], straight: the subject's colour without the plate's.

        Solved for mixing in `foreground_space`.
        """
        plate, shadow = self.plate, self._shadow_behind
        # A choked or feathered matte is no coverage: colour is solved from the one measured.
        alpha = self.alpha if self._measured is None else self._measured
        with self._seconds.stage("foreground"):
            solved = solve_foreground(self.frame, plate, alpha, shadow, space=self.foreground_space)
            return despill(solved, plate, self._despill) if self._despill else solved

    @cached_property
    def disparity(self) -> Plane:
        """(H, W) float32 of the frame: the subject's where alpha >= 0.5, else the plate's.

        In 1/m if `metric`, else relative; larger is nearer. nan in holes of the plate's depth that
        are kept (`Predictor(depth_holes="keep")`).
        """
        given = self._moved_given
        with self._seconds.stage("depth"):
            return disparity_fusion.frame_disparity(
                self.alpha,
                self._small_subject,
                self._small_plate,
                given,
                self._normalisation,
                holes=self._holes,
            )

    @cached_property
    def depth_measured(self) -> Mask:
        """(H, W) bool: True where `depth` is the plate's as it was given, False where estimated.

        Estimated is the subject's depth, and the plate's where its given depth does not know it.
        """
        given = self._moved_given
        with self._seconds.stage("depth"):
            return disparity_fusion.measured(self.alpha, given)

    @cached_property
    def _moved_given(self) -> Plane | None:
        """(H, W) the plate's given disparity as the frame's camera sees it; None if not given."""
        with self._seconds.stage("depth"):
            return None if self._given is None else self._view.moved_disparity(self._given)

    @cached_property
    def subject_disparity(self) -> Plane:
        """(H, W) float32: where the nearest subject stands, carried beyond its edge everywhere.

        In the unit of `disparity`.
        """
        with self._seconds.stage("depth"):
            carried = enlarge(self._small_subject, self._view.size)
            if self._normalisation is None:
                return carried
            return np.maximum(self._normalisation.invert(carried), np.float32(0))

    @property
    def depth(self) -> Plane:
        """(H, W) float32 metres along the optical axis, +inf where nothing is hit.

        nan where it is not known: nowhere, but in holes of the plate's depth that are kept.

        Raises:
            CleanplateError: the plate's depth was not given, so there is no scale.
        """
        if not self.metric:
            raise CleanplateError(
                "depth in metres needs the plate's depth; without it there is only `disparity`, "
                "relative",
                cure="predictor.scene(plate, depth=...), on the command line --plate-depth",
            )
        return disparity_to_depth(self.disparity)

    def adjusted(
        self,
        *,
        known_mask: MaskSource | None = None,
        choke: float = 0.0,
        feather: float = 0.0,
        despill: float = 0.0,
        foreground_space: MixingSpace | None = None,
    ) -> Result:
        """Give the result after matte controls; this one stays as it is. See docs/predict.md.

        Args:
            known_mask: a path or (H, W) array of the plate's size: black (0) = always out, white
                = always in, mid-grey = as found.
            choke: pixels by which the matte shrinks; below 0 it grows.
            feather: pixels to each side over which its edge is softened.
            despill: 0 to 1, how much of a one-coloured plate's reflection is taken out of the
                foreground.
            foreground_space: "linear" or "display": in which values the foreground will be laid
                over a new background; it is solved for that. None = as it is.

        Raises:
            CleanplateError: a value is out of range, or the mask does not fit the frame.
        """
        from cleanplate.predict.output.adjustment import adjust

        return adjust(
            self,
            known_mask=known_mask,
            choke=choke,
            feather=feather,
            despill=despill,
            foreground_space=foreground_space,
        )

    def composite(self, background: BackgroundSource) -> Still:
        """Lay the subject before another background, mixed in `foreground_space`.

        Args:
            background: a path or (H', W', 3) array, scaled to cover the frame and cut to it; or
                a colour, "#rrggbb" or a CSS name.
        """
        from cleanplate.predict.output.rendered_image import composite

        with self._seconds.stage("composite"):
            return composite(self, background)

    def preview(self, background: BackgroundSource | None = None) -> Still:
        """Set plate, frame, matte, depth and composite side by side, labelled, for eyes."""
        from cleanplate.predict.output.rendered_image import preview

        with self._seconds.stage("preview"):
            return preview(self, background)

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
                all but "composite", which comes along if `background` is given.
            background: for the composite, as `composite` takes it.
            bits: 8 or 16, of alpha, foreground and shadow.
            stem: by default the frame's own name.
            premultiplied: multiply the foreground's colour by alpha.
            overwrite: replace files whoever wrote them.

        Returns:
            the files written, the report last.

        Raises:
            CleanplateError: an unknown name in `save`, a file is there that is not ours, or one
                cannot be written. What was being written then is removed, what was there before
                stays.
        """
        from cleanplate.predict.output.result_files import Writing, save_result

        chosen = Writing.of(
            save, background, bits=bits, premultiplied=premultiplied, overwrite=overwrite
        )
        return save_result(self, Path(folder), stem or self.name, chosen)

    def _repr_png_(self) -> bytes:
        """Give a notebook the preview."""
        return self.preview().png()
