"""Check of a run's plates, cutouts and pairs before its first step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder
from cleanplate.synthesis.building.asset_selection import AssetType, check_asset
from cleanplate.training.data.pair_augmentation import open_pairs
from cleanplate.training.recipes import DataRecipe


def raise_if_unusable(
    data: DataRecipe, watch: Callable[[list[Path]], Iterable[Path]] = iter
) -> None:
    """Read every plate, cutout and mixed-in pair once, as `synth build` does.

    The order of samples is fixed, so that a damaged file could not be left out later: such a run
    is refused before its first step. Stored sets are not read; `cleanplate synth check` does that.

    Args:
        data: of the recipe.
        watch: wraps the list of files, to draw progress.

    Raises:
        CleanplateError: naming every file that cannot be used.
    """
    nouns: dict[Path, AssetType] = {}
    if data.kind == "composites":
        nouns |= {file: "plates" for one in data.plates for file in PlateFolder.open(one).files}
        nouns |= {file: "cutouts" for one in data.cutouts for file in CutoutFolder.open(one).files}
    faults: list[str] = []
    for file in watch(list(nouns)):
        try:
            check_asset(nouns[file], file, needs_depth=False)
        except CleanplateError as error:
            faults.append(f"{error.file or file}: {error.what}")
    pairs = None if data.pairs is None else open_pairs(data.pairs)
    count = 0 if pairs is None else len(pairs)
    for number in range(count):
        assert pairs is not None
        try:
            pairs.read(number)
        except CleanplateError as error:
            faults.append(str(error).partition("\n")[0])
    if faults:
        more = [f"and {len(faults) - 20} more"] if len(faults) > 20 else []
        raise CleanplateError(
            f"{len(faults)} of {len(nouns) + count} plates, cutouts and pairs cannot be used:"
            "\n  " + "\n  ".join([*faults[:20], *more]),
            cure="Repair these files, or remove them from their folders.",
        )
