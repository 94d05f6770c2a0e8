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

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cleanplate.depth import depth_to_disparity, read_depth
from cleanplate.errors import CleanplateError
from cleanplate.pictures import read_alpha, read_image

DepthMeaning = Literal["metres", "near-dark", "near-bright"]
FOLDERS = ("bg", "fg_bg", "mask", "depth")


class Folders:
    """The samples of a folder in the assignment's form, in the order of their names.

    Args:
        folder: holds `bg/ fg_bg/ mask/ depth/`.
        depth: what depth files mean. "metres": 16-bit PNG in millimetres, NPY or EXR in metres.
            "near-dark", "near-bright": grey pictures of disparity up to scale and shift, as a
            monocular network gives them (the 2020 report's are near-dark).

    Raises:
        CleanplateError: if a folder is missing or empty, or a file has no partner.
    """

    def __init__(self, folder: Path, depth: DepthMeaning = "metres"):
        self.meaning = depth
        plates, frames, masks, depths = (_by_name(folder / name) for name in FOLDERS)
        for found, kind in ((masks, "mask"), (depths, "depth")):
            _demand_partners(frames, found, folder / kind)
            _demand_partners(found, frames, folder / "fg_bg")
        self._samples = [
            (frames[name], _plate(name, plates, folder / "bg"), masks[name], depths[name])
            for name in sorted(frames)
        ]

    def __len__(self) -> int:
        return len(self._samples)

    def files(self, number: int) -> tuple[Path, Path, Path, Path]:
        """Frame, plate, mask and depth of a sample."""
        return self._samples[number]

    def read(self, number: int) -> dict[str, Any]:
        """Read a sample at the size it is stored in.

        The plate's disparity is the frame's where no subject is. No shadow is known of: 1.
        """
        frame_file, plate_file, mask_file, depth_file = self._samples[number]
        frame, alpha = read_image(frame_file), read_alpha(mask_file)
        disparity = self._disparity(depth_file)
        if disparity.shape != alpha.shape:
            raise CleanplateError(
                f"depth is {disparity.shape[1]} x {disparity.shape[0]}, "
                f"the mask {alpha.shape[1]} x {alpha.shape[0]}",
                file=depth_file,
            )
        return {
            "source": frame_file,
            "plate": read_image(plate_file),
            "frame": frame,
            "foreground": frame,
            "alpha": alpha,
            "shadow": np.ones_like(alpha),
            "disparity": disparity,
            "plate_disparity": np.where(alpha <= 0, disparity, np.float32(np.nan)),
            "subject_disparity": np.where(alpha >= 0.5, disparity, np.float32(np.nan)),
        }

    def _disparity(self, file: Path) -> npt.NDArray[np.float32]:
        if self.meaning == "metres":
            return np.asarray(depth_to_disparity(read_depth(file)), np.float32)
        grey = read_alpha(file)
        return 1 - grey if self.meaning == "near-dark" else grey


def _by_name(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise CleanplateError(
            "there is no such folder", file=folder, cure=f"It needs {', '.join(FOLDERS)}."
        )
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or not file.is_file():
            continue
        if file.stem in found:
            raise CleanplateError(f"two files are named {file.stem}", file=file)
        found[file.stem] = file
    if not found:
        raise CleanplateError("the folder is empty", file=folder)
    return found


def _demand_partners(given: Mapping[str, Path], found: Mapping[str, Path], folder: Path) -> None:
    missing = sorted(given.keys() - found.keys())
    if missing:
        more = f" (and {len(missing) - 1} more like it)" if len(missing) > 1 else ""
        raise CleanplateError(
            f"has no partner {folder.name}/{missing[0]}.*{more}",
            file=given[missing[0]],
            cure="Files of one sample have one name in all folders.",
        )


def _plate(name: str, plates: Mapping[str, Path], folder: Path) -> Path:
    prefix = name
    while prefix not in plates:
        prefix, _, rest = prefix.rpartition("_")
        if not prefix or not rest:
            raise CleanplateError(
                f"sample {name} has no plate {folder.name}/{name}.*",
                file=folder,
                cure="A plate has the sample's name, or its beginning up to an underscore.",
            )
    return plates[prefix]
