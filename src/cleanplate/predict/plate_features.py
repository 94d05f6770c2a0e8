"""The network's features of one plate, kept for each exposure that frames bring."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np

from cleanplate.arrays import Coded, Mask, Picture, Plane
from cleanplate.depth import Normalisation
from cleanplate.formats.pictures import resize, to_float
from cleanplate.predict.alignment.aligned_plate import AlignedPlate
from cleanplate.predict.alignment.exposure import Exposure
from cleanplate.predict.alignment.homography import Matrix, scaled, warp
from cleanplate.predict.geometry import disparity_fusion
from cleanplate.predict.geometry.plate_depth import PlateDepth
from cleanplate.predict.plate_disparity import estimate_disparity
from cleanplate.predict.session import PairSession, PlateFeatures
from cleanplate.predict.size import Size
from cleanplate.predict.upsample import fill_outside

KEPT_EXPOSURES = 4
"""For so many different exposures the plate's features are kept."""


class PlateFeatureCache:
    """Features of one plate. They depend on the plate and an exposure alone, never on a frame.

    A steady camera brings one exposure, so that features are computed once; those of a registered
    plate are computed for its frame and not kept. Threads may share a cache.

    Args:
        session: the network.
        plate: (H, W, 3) sRGB: uint8, uint16, or float32 in [0, 1].
        working: (height, width) of the pictures and planes that are given and made.
        network: (height, width) at which the network takes them.
        given: the plate's metric depth; None = not known.
        relative: (h, w) the plate's relative disparity of another network, nan where unknown; None
            = without metric depth, the model estimates it from the plate.
    """

    def __init__(
        self,
        session: PairSession,
        plate: Coded | Picture,
        working: Size,
        network: Size,
        *,
        given: PlateDepth | None,
        relative: Plane | None = None,
    ):
        self._session = session
        self._plate = plate
        self._working = working
        self._network = network
        self._given = given
        self._lock = threading.RLock()
        self._kept: OrderedDict[Exposure, PlateFeatures] = OrderedDict()
        self._has_own = relative is None
        self._estimated = None if relative is None else _normalised(relative, working)

    def of(self, plate: AlignedPlate, frame: Picture) -> tuple[PlateFeatures, Mask | None]:
        """Give the features of the plate as it is aligned with a frame.

        Args:
            plate: aligned with the frame.
            frame: (h, w, 3) the frame at working size, sRGB in [0, 1].

        Returns:
            the features, and (h, w) bool where a registered plate shows nothing; None = nowhere.
        """
        if plate.matrix is not None:
            return self._of_registered(plate, plate.matrix, frame)
        with self._lock:
            features = self._kept.get(plate.exposure)
            if features is None:
                picture, _ = plate.small(self._working)
                features = self._encode(picture, *self._relative())
                self._kept[plate.exposure] = features
                while len(self._kept) > KEPT_EXPOSURES:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(plate.exposure)
        return features, None

    def _of_registered(
        self, plate: AlignedPlate, matrix: Matrix, frame: Picture
    ) -> tuple[PlateFeatures, Mask | None]:
        picture, covers = plate.small(self._working)
        hidden = None if covers is None or covers.all() else ~covers
        if hidden is not None:
            # Nothing is known there: the network shall see no difference; see `full_size_matte`.
            picture = np.where(hidden[..., None], frame, picture)
        if self._given is None:
            disparity, valid = self._relative()
            if disparity is not None:
                coarse = scaled(matrix, self._working[1] / plate.size[1])
                disparity = np.asarray(warp(disparity, coarse), np.float32)
        else:
            moved = plate.moved_disparity(self._given.full)
            disparity, valid = disparity_fusion.for_network(
                moved, self._given.normalisation, self._working
            )
        return self._encode(picture, disparity, valid), hidden

    def _encode(
        self, picture: Picture, disparity: Plane | None, valid: Mask | None
    ) -> PlateFeatures:
        """Run the plate's graph.

        What it was given stands, holes filled, if it gives no disparity of its own, and if another
        network estimated it.
        """
        features = self._session.encode_plate(picture, disparity, valid, self._network)
        own = self._has_own and features.disparity is not None
        if not own and disparity is not None and valid is not None:
            filled = fill_outside(disparity, valid.astype(np.float32))
            features = features._replace(disparity=np.where(valid, disparity, filled))
        return features

    def _relative(self) -> tuple[Plane | None, Mask | None]:
        """Give relative disparity at working size, not registered, and where it is known.

        Both are None where the plate's depth is neither given nor estimated by the model.

        Without a given depth it is estimated once, from the plate in its own exposure.
        """
        if self._given is not None:
            return self._given.relative(self._working)
        with self._lock:
            if self._estimated is None:
                if not self._session.estimates_plate:
                    return None, None
                own = to_float(resize(self._plate, self._working))
                self._estimated = estimate_disparity(self._session, own)
            return self._estimated, np.ones(self._estimated.shape, np.bool_)


def _normalised(relative: Plane, size: Size) -> Plane:
    """Bring relative disparity to a size, holes filled, and to median 0 and spread 1."""
    known = np.isfinite(relative)
    if not known.all():
        filled = fill_outside(relative, known.astype(np.float32))
        relative = np.where(known, relative, filled)
    small = np.asarray(resize(relative, size), np.float32)
    return np.asarray(Normalisation.of(small).apply(small), np.float32)
