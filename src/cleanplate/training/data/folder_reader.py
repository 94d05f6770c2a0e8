"""Reader of sets in four folders, `bg/ fg_bg/ mask/ depth/`, whose files are paired by name.

    fg_bg/NAME.jpg   the frame; each one is a sample
    mask/NAME.*      its alpha, grey
    depth/NAME.*     its depth
    bg/NAME.*        its plate, or bg/PREFIX.* for the longest PREFIX with NAME = PREFIX_...,
                     so that many samples share a plate: room_0007 has the plate room

Any file name extension is allowed. A file without a partner of its name is an error; files are
never paired by the order of a listing.
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
    """The samples of a set in four folders, in the order of their names.

    Only the name and four numbers of each sample are kept, in arrays that worker processes share.

    Args:
        folder: holds `bg/ fg_bg/ mask/ depth/`.
        depth: meaning of the depth files. "metres": as in docs/depth.md, integers (16-bit PNG) in
            millimetres, floats (NPY, EXR) in metres.
            "near-dark", "near-bright": grey pictures of disparity up to scale and shift, as
            monocular networks give them (the 2020 report's are near-dark). In a set that
            `cleanplate synth build` made (it has a `plan.json`) they are near-bright, masks are
            binary, and samples that are not finished are left out.

    Raises:
        CleanplateError: if a folder is missing or empty, or a file has no partner.
    """

    def __init__(self, folder: Path, depth: DepthMeaning = "metres"):
        self.folder, self.plan = folder, read_plan(folder)
        self.meaning: DepthMeaning = "near-bright" if self.plan else depth
        plates, *others = (_Listing(folder / name) for name in FOLDERS)
        made = build_manifest.finished_samples(folder, self.plan)
        if made is not None:
            for listing in others:
                listing.keep(np.isin(listing.names, made))
        frames, masks, depths = others
        for listing in (masks, depths):
            _raise_if_unpaired(frames, listing)
            _raise_if_unpaired(listing, frames)
        self._names, self._plates = frames.names, plates
        self._plate = _plates_of(frames.names, plates)
        self._endings = frames, masks, depths

    def __len__(self) -> int:
        return len(self._names)

    @property
    def nbytes(self) -> int:
        """Memory of the listing in bytes."""
        listings = (self._plates, *self._endings)
        return self._plate.nbytes + sum(one.names.nbytes + one.codes.nbytes for one in listings)

    def files(self, number: int) -> tuple[Path, Path, Path, Path]:
        """Return the paths of frame, plate, mask and depth of a sample."""
        frame, mask, depth = (listing.file(number) for listing in self._endings)
        return frame, self._plates.file(int(self._plate[number])), mask, depth

    def asset_split(self) -> tuple[Numbers, Numbers] | None:
        """Split the samples so that training and validation share no plate and no cutout.

        Returns:
            Numbers of the training and of the validation samples. None where the set has no plan
            that names the assets of its samples, or too few assets.
        """
        return (
            build_manifest.asset_split(self.plan, self._names.astype(np.int64))
            if self.plan
            else None
        )

    def read(self, number: int) -> dict[str, Any]:
        """Read a sample at its stored size.

        The plate's disparity is the frame's outside the subject. `depth_given` is False: its
        unknown pixels have the subject's shape, so it must not be an input. The shadow is unknown
        and set to 1.

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
        with sample_decoding.name_in_errors(file), opened(file) as stream:
            grey = sample_decoding.decode_grey_depth(stream.read())
        return 1 - grey if self.meaning == "near-dark" else grey


class _Listing:
    """The files of one folder, sorted by name.

    names: (n,) without extension; codes: (n,) uint8, index of each file's extension in `endings`.
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
        """Keep the entries that an index array or a mask selects."""
        self.names, self.codes = self.names[which], self.codes[which]

    def file(self, number: int) -> Path:
        """Return the path of an entry."""
        stem = os.fsdecode(bytes(self.names[number]))
        return self.folder / f"{stem}{self.endings[self.codes[number]]}"


def _raise_if_unpaired(given: _Listing, found: _Listing) -> None:
    missing = np.flatnonzero(~np.isin(given.names, found.names))
    if missing.size:
        alone = given.file(int(missing[0]))
        more = f" (and {missing.size - 1} more like it)" if missing.size > 1 else ""
        raise CleanplateError(
            f"has no partner {found.folder.name}/{alone.stem}.*{more}",
            file=alone,
            cure="Files of one sample have one name in all folders.",
        )


def _plates_of(names: Names, plates: _Listing) -> npt.NDArray[np.int32]:
    """Find each sample's plate, by its own name or the longest prefix of it; (n,) indices."""
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
                text = os.fsdecode(name)
                raise CleanplateError(
                    f"sample {text} has no plate {plates.folder.name}/{text}.*",
                    file=plates.folder,
                    cure="Name the plate as the sample, or as the part before an underscore.",
                )
        found[sample] = known[prefix]
    return found


def _picture(file: Path) -> npt.NDArray[Any]:
    with sample_decoding.name_in_errors(file), opened(file) as stream:
        return sample_decoding.decode_picture(stream.read())


def _plane(file: Path) -> Plane:
    with sample_decoding.name_in_errors(file), opened(file) as stream:
        return sample_decoding.decode_plane(stream.read())
