"""`Scene`: a plate prepared for many frames."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from cleanplate.arrays import Coded, Picture, Plane
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import resize
from cleanplate.predict.alignment.aligned_plate import AlignedPlate
from cleanplate.predict.alignment.plate_aligner import FrameAligner, PlateAligner
from cleanplate.predict.alignment.scaled_frame import ScaledFrame
from cleanplate.predict.frame_outputs import (
    OF_DEPTH,
    OUTPUTS,
    DepthSources,
    FrameSources,
    check_outputs,
    compute_outputs,
    no_plate_disparity,
    no_subject_disparity,
)
from cleanplate.predict.frame_pixels import DecodedPixels, FramePixels
from cleanplate.predict.geometry.plate_depth import PlateDepth, PlateDisparity
from cleanplate.predict.geometry.subject_disparity import place_subjects
from cleanplate.predict.inputs import PictureSource, as_picture
from cleanplate.predict.plate_features import PlateFeatureCache
from cleanplate.predict.prediction_report import frame_report
from cleanplate.predict.prediction_settings import PredictionSettings
from cleanplate.predict.result import Result
from cleanplate.predict.session import Compared, PairSession, PlateFeatures
from cleanplate.predict.size import Size, check_fit, default_long_side, network_size, working_size
from cleanplate.predict.stage_timer import StageTimer
from cleanplate.predict.upsample import Matte, full_size_matte


class _Request(NamedTuple):
    """What is asked of one frame."""

    outputs: tuple[str, ...]
    timer: StageTimer
    name: str
    resampled: bool


class AlignedFrame(NamedTuple):
    """A frame with the plate aligned to it: what `Scene.align` gives and `Scene.compare` takes.

    scaled: the frame, with its smaller copies.
    plate: aligned with it.
    """

    scaled: ScaledFrame
    plate: AlignedPlate
    scene: Scene
    request: _Request


class Scene:
    """One plate, with everything that depends on it alone computed once.

    Made by `Predictor.scene`; give it frames with `predict`. A frame's result is the same whatever
    frames came before it.

    Threads may share a scene: locks guard what is kept. A scene can be pickled: the plate, its
    depth and the settings go along, and the model is opened again from its folder.
    """

    def __init__(
        self,
        session: PairSession,
        settings: PredictionSettings,
        plate: Coded | Picture,
        depth: PlateDisparity | None = None,
    ):
        self.plate = plate
        # A result hands out this very array where nothing was changed.
        self.plate.flags.writeable = False
        self.settings = settings
        self._session = session
        self._given = depth
        metric = depth is not None and depth.metric
        self._depth = PlateDepth.of(depth.values, self.size) if depth and metric else None
        relative = depth.values if depth and not metric else None
        self.aligner = PlateAligner(plate, settings.align, force=settings.force)
        self._features = PlateFeatureCache(
            session,
            plate,
            self.working_size,
            self.network_size,
            given=self._depth,
            relative=relative,
        )
        self._lock = threading.Lock()
        self._other_size: Scene | None = None

    def __reduce__(self) -> tuple[Callable[..., Scene], tuple[Any, ...]]:
        return Scene, (self._session, self.settings, self.plate, self._given)

    @property
    def size(self) -> Size:
        """(height, width) of the plate."""
        return self.plate.shape[0], self.plate.shape[1]

    @property
    def working_size(self) -> Size:
        """(height, width) to which plate and frames are reduced to compare them."""
        return working_size(self.size, self._long_side)

    @property
    def network_size(self) -> Size:
        """(height, width) at which the network sees them; larger than small pictures are."""
        return network_size(self.size, self._long_side)

    @property
    def _long_side(self) -> int:
        chosen = self.settings.working_size
        return chosen or default_long_side(self.size, self._session.model.working_size)

    @property
    def metric(self) -> bool:
        """Whether the plate's depth is known in metres, and so are results."""
        return self._depth is not None

    @property
    def disparity(self) -> Plane | None:
        """(H, W) the given disparity of the plate in 1/m, nan where unknown; None if not given."""
        return None if self._depth is None else self._depth.full

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs that `predict` can give of this scene's frames."""
        if self._no_depth() is not None:
            return tuple(name for name in OUTPUTS if name not in OF_DEPTH)
        return tuple(name for name in OUTPUTS if self.metric or name != "depth")

    def predict(
        self,
        frame: PictureSource,
        outputs: Iterable[str] | str | None = None,
        *,
        aligner: FrameAligner | None = None,
    ) -> Result:
        """Compare one frame with the plate.

        Args:
            frame: a path, or (H, W, 3) RGB: uint8, uint16, or float in [0, 1]. An array is
                copied, so its buffer may be filled again.
            outputs: what to compute, of "alpha", "foreground", "shadow", "disparity", "depth",
                "subject_disparity", "depth_measured", "plate", "subjects" (the report's list);
                None = all that this scene can give (`Scene.outputs`). Alpha is always there.
                What is not asked for is not computed.
            aligner: aligns the plate with the frame, in place of `Scene.aligner`; for a clip,
                whose frames follow each other, see `cleanplate.video`. Not for resampled plates.

        Raises:
            CleanplateError: the frame cannot be read, its size differs (see `fit`), the plate is
                plainly not this frame's (see `force`), or an output cannot be given.
        """
        return self.compare(self.align(frame, outputs, aligner=aligner))

    def align(
        self,
        frame: PictureSource | FramePixels,
        outputs: Iterable[str] | str | None = None,
        *,
        aligner: FrameAligner | None = None,
    ) -> AlignedFrame:
        """Do the first half of `predict`, which is short: read a frame, align the plate with it.

        Of a clip, frames are aligned in their order; they may then be compared at the same time.
        Arguments and errors are those of `predict`; a frame may also be `FramePixels`, which are
        not copied and decoded as far as they are needed.
        """
        wanted = check_outputs(outputs, self.outputs, self._no_depth())
        timer = StageTimer()
        with timer.stage("read"):
            pixels = _pixels_of(frame, self.settings.max_pixels)
        fitted = check_fit(self.size, pixels.size, self.settings.fit)
        scene = self.resampled(pixels.size) if fitted else self
        name = Path(frame).stem if isinstance(frame, (str, Path)) else "frame"
        scaled = timer.timed("size", ScaledFrame.of, pixels, scene.working_size)
        plate = (aligner or scene.aligner).align(scaled, timer)
        request = _Request(wanted, timer, name, resampled=fitted)
        return AlignedFrame(scaled, plate, scene, request)

    def compare(self, aligned: AlignedFrame) -> Result:
        """Do the second half of `predict`: run the network, compute the outputs.

        Args:
            aligned: of `align`, of this scene.
        """
        return aligned.scene._compare(aligned)

    def _compare(self, aligned: AlignedFrame) -> Result:
        frame, plate, request = aligned.scaled, aligned.plate, aligned.request
        timer = request.timer
        features, hidden = timer.timed("plate network", self._features.of, plate, frame.working)
        compared = timer.timed("network", self._session.compare, frame.working, features)
        matte = timer.timed("upsample", full_size_matte, compared.alpha, hidden, frame, plate)
        depth = None
        if OF_DEPTH.intersection(request.outputs):
            place = self._depth_sources
            depth = timer.timed("subject depth", place, plate, matte, compared, features)
        sources = FrameSources(plate, hidden, matte, compared.shadow, depth)
        return self._result(frame.pixels, sources, request)

    def _result(self, pixels: FramePixels, sources: FrameSources, request: _Request) -> Result:
        """Compute the outputs, and report what was found and done."""
        outputs, timer = request.outputs, request.timer
        arrays = compute_outputs(outputs, pixels, sources.matte.full, sources, timer)
        no_depth = self._no_depth()
        report = frame_report(
            session=self._session,
            settings=self.settings,
            network=self.network_size,
            sources=sources,
            given=self._depth,
            plate_depth_source=None if self._given is None else self._given.source,
            arrays=arrays,
            no_depth=None if no_depth is None else no_depth.what,
        )
        report |= {"outputs": list(outputs), "plate_resampled": request.resampled}
        return Result(
            pixels=pixels,
            alpha=sources.matte.full,
            arrays=arrays,
            sources=sources,
            report={**report, "seconds": timer.seconds()},
            name=request.name,
            metric=self.metric,
        )

    def _depth_sources(
        self, plate: AlignedPlate, matte: Matte, compared: Compared, features: PlateFeatures
    ) -> DepthSources:
        """Place the subjects, and gather what disparity is computed from."""
        given = self._depth
        assert features.disparity is not None, "see `_no_depth`"
        placed = place_subjects(
            regressor=self._session.subject_depth,
            alpha=matte.small,
            network=compared.subject_disparity,
            plate=features.disparity,
            given=given,
            matrix=plate.matrix,
            size=self.size,
            focal=self.settings.focal,
        )
        return DepthSources(
            subject=placed.disparity,
            plate=features.disparity,
            given=None if given is None else given.full,
            normalisation=None if given is None else given.normalisation,
            holes=self.settings.depth_holes,
            report=placed.report,
        )

    def _no_depth(self) -> CleanplateError | None:
        """Say why no output of depth can be given; None if they can."""
        if self._given is None and not self._session.estimates_plate:
            return no_plate_disparity()
        return None if self._session.places_subjects else no_subject_disparity()

    def with_plate(self, plate: Coded | Picture) -> Scene:
        """Give a scene with another plate of the same size; everything else stays.

        Args:
            plate: (H, W, 3) sRGB: uint8, uint16, or float32 in [0, 1]; it becomes read-only.
        """
        return Scene(self._session, self.settings, plate, self._given)

    def at_working_size(self, long_side: int) -> Scene:
        """Give the scene with another working size, its long side in pixels; the aligner stays."""
        settings = replace(self.settings, working_size=long_side)
        scene = Scene(self._session, settings, self.plate, self._given)
        scene.aligner = self.aligner
        return scene

    def resampled(self, size: Size) -> Scene:
        """Give the scene with its plate resampled to another size; the last one is kept."""
        with self._lock:
            if self._other_size is None or self._other_size.size != size:
                settings = self.settings
                if settings.focal is not None:
                    settings = replace(settings, focal=settings.focal * size[1] / self.size[1])
                plate = resize(self.plate, size)
                self._other_size = Scene(self._session, settings, plate, self._given)
            return self._other_size


def _pixels_of(frame: PictureSource | FramePixels, max_pixels: int | None) -> FramePixels:
    if isinstance(frame, FramePixels):
        return frame
    return DecodedPixels(as_picture(frame, "frame", max_pixels))
