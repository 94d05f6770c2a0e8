"""The assignment's form: `bg/ fg_bg/ mask/ depth/`, paired by name.

    fg_bg/NAME.jpg   the frame; each one is a sample
    mask/NAME.*      its alpha, grey
    depth/NAME.*     its depth
    bg/NAME.*        its plate, or bg/PREFIX.* for the longest PREFIX with NAME = PREFIX_...,
                     so that many samples share a plate: room_0007 has the plate room

The endings are free, names are not: whatever lacks a partner is an error. Nothing is paired by
the order in which a file system lists its files.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.depth import depth_to_disparity, read_depth
from cleanplate.depth.depth_files import warn_of_doubts
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import opened
from cleanplate.files.listing import is_hidden
from cleanplate.synthesis.building.folder_writer import FOLDERS
from cleanplate.synthesis.building.plan import read_plan
from cleanplate.training.data import build_manifest, sample_decoding

DepthMeaning = Literal["metres", "near-dark", "near-bright"]
Numbers = npt.NDArray[np.intp]
Names = npt.NDArray[np.bytes_]


class Folders:
    """The samples of a folder in the assignment's form, in the order of their names.

    What is kept of a sample is its name and four numbers, in arrays that worker processes share.

    Args:
        folder: holds `bg/ fg_bg/ mask/ depth/`.
        depth: what depth files mean. "metres": as docs/depth.md says: integers (16-bit PNG) in
            millimetres, floats (NPY, EXR) in metres.
            "near-dark", "near-bright": grey pictures of disparity up to scale and shift, as a
            monocular network gives them (the 2020 report's are near-dark). Where a `plan.json`
            says that `cleanplate synth build` made the folder, they are near-bright, masks are
            hard, and samples that it has not finished are not seen.

    Raises:
        CleanplateError: if a folder is missing or empty, or a file has no partner.
    """

    def __init__(self, folder: Path, depth: DepthMeaning = "metres"):
        self.folder, self.plan = folder, read_plan(folder)
        self.meaning: DepthMeaning = "near-bright" if self.plan else depth
        plates, *others = (_Listing(folder / name) for name in FOLDERS)
        made = build_manifest.made_samples(folder, self.plan)
        if made is not None:
            for listing in others:
                listing.keep(np.isin(listing.names, made))
        frames, masks, depths = others
        for listing in (masks, depths):
            _demand_partners(frames, listing)
            _demand_partners(listing, frames)
        self._names, self._plates = frames.names, plates
        self._plate = _plates_of(frames.names, plates)
        self._endings = frames, masks, depths

    def __len__(self) -> int:
        return len(self._names)

    @property
    def nbytes(self) -> int:
        """Memory that the listing takes."""
        listings = (self._plates, *self._endings)
        return self._plate.nbytes + sum(one.names.nbytes + one.codes.nbytes for one in listings)

    def files(self, number: int) -> tuple[Path, Path, Path, Path]:
        """Frame, plate, mask and depth of a sample."""
        frame, mask, depth = (listing.file(number) for listing in self._endings)
        return frame, self._plates.file(int(self._plate[number])), mask, depth

    def sides(self) -> tuple[Numbers, Numbers] | None:
        """Give the numbers of samples that train and of those that validate.

        The two share no plate and no cutout. None where the set does not tell what its samples
        are made of, or of too little.
        """
        return build_manifest.sides(self.plan, self._names.astype(np.int64)) if self.plan else None

    def read(self, number: int) -> dict[str, Any]:
        """Read a sample at the size it is stored in.

        The plate's disparity is the frame's where no subject is. It is not for a network to see:
        what is unknown of it has the subject's shape. No shadow is known of: 1.

        Raises:
            CleanplateError: if a file cannot be decoded, or depth differs in size from the mask.
        """
        frame_file, plate_file, mask_file, depth_file = self.files(number)
        frame, alpha = _picture(frame_file), _plane(mask_file)
        if self.plan:  # JPEG has blurred what was 0 or 1
            alpha = np.asarray(alpha >= 0.5, np.float32)
        disparity = self._disparity(depth_file)
        if disparity.shape != alpha.shape:
            raise CleanplateError(
                f"depth is {disparity.shape[1]} x {disparity.shape[0]}, "
                f"the mask {alpha.shape[1]} x {alpha.shape[0]}",
                file=depth_file,
            )
        return {
            "source": frame_file,
            "plate": _picture(plate_file),
            "frame": frame,
            "foreground": frame,
            "alpha": alpha,
            "shadow": np.ones_like(alpha),
            "disparity": disparity,
            "plate_disparity": np.where(alpha <= 0, disparity, np.float32(np.nan)),
            "subject_disparity": np.where(alpha >= 0.5, disparity, np.float32(np.nan)),
            "depth_given": False,
        }

    def _disparity(self, file: Path) -> Plane:
        if self.meaning == "metres":
            disparity = depth_to_disparity(read_depth(file))
            warn_of_doubts(file, disparity)
            return disparity
        with sample_decoding.of(file), opened(file) as stream:
            grey = sample_decoding.grey_depth(stream.read())
        return 1 - grey if self.meaning == "near-dark" else grey


class _Listing:
    """The files of one folder, sorted by name.

    names: (n,) without ending; codes: (n,) uint8, each file's place in `endings`.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        if not os.path.isdir(folder):
            raise CleanplateError(
                "there is no such folder", file=folder, cure=f"It needs {', '.join(FOLDERS)}."
            )
        names, codes, endings = [], bytearray(), dict[str, int]()
        with os.scandir(folder) as entries:
            for entry in entries:
                if not is_hidden(entry.name) and entry.is_file():
                    stem, ending = os.path.splitext(entry.name)
                    names.append(os.fsencode(stem))
                    codes.append(endings.setdefault(ending, len(endings)))
        if not names:
            raise CleanplateError("the folder is empty", file=folder)
        self.names: Names = np.array(names)
        self.codes = np.frombuffer(codes, np.uint8)
        self.endings = tuple(endings)
        self.keep(np.argsort(self.names, kind="stable"))
        twice = np.flatnonzero(self.names[1:] == self.names[:-1])
        if twice.size:
            number = int(twice[0])
            raise CleanplateError(
                f"two files are named {self.file(number).stem}", file=self.file(number + 1)
            )

    def keep(self, which: npt.NDArray[Any]) -> None:
        """Keep the entries that an index or a mask names."""
        self.names, self.codes = self.names[which], self.codes[which]

    def file(self, number: int) -> Path:
        """Give the path of an entry."""
        stem = os.fsdecode(bytes(self.names[number]))
        return self.folder / f"{stem}{self.endings[self.codes[number]]}"


def _demand_partners(given: _Listing, found: _Listing) -> None:
    missing = np.flatnonzero(~np.isin(given.names, found.names))
    if missing.size:
        lonely = given.file(int(missing[0]))
        more = f" (and {missing.size - 1} more like it)" if missing.size > 1 else ""
        raise CleanplateError(
            f"has no partner {found.folder.name}/{lonely.stem}.*{more}",
            file=lonely,
            cure="Files of one sample have one name in all folders.",
        )


def _plates_of(names: Names, plates: _Listing) -> npt.NDArray[np.int32]:
    """Find each sample's plate: of its own name, or of that name's longest beginning."""
    near = np.minimum(np.searchsorted(plates.names, names), len(plates.names) - 1)
    found = np.where(plates.names[near] == names, near, -1).astype(np.int32)
    others = np.flatnonzero(found < 0)
    if not others.size:
        return found
    known = {bytes(name): number for number, name in enumerate(plates.names)}
    for sample in others:
        prefix = name = bytes(names[sample])
        while prefix not in known:
            prefix, _, rest = prefix.rpartition(b"_")
            if not prefix or not rest:
                told = os.fsdecode(name)
                raise CleanplateError(
                    f"sample {told} has no plate {plates.folder.name}/{told}.*",
                    file=plates.folder,
                    cure="A plate has the sample's name, or its beginning up to an underscore.",
                )
        found[sample] = known[prefix]
    return found


def _picture(file: Path) -> npt.NDArray[Any]:
    with sample_decoding.of(file), opened(file) as stream:
        return sample_decoding.picture(stream.read())


def _plane(file: Path) -> Plane:
    with sample_decoding.of(file), opened(file) as stream:
        return sample_decoding.plane(stream.read())
