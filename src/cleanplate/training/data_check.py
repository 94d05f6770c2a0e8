"""Reading through what a run will be made of, before it begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder
from cleanplate.synthesis.building.asset_selection import AssetType, check_asset
from cleanplate.training.data.pair_augmentation import open_pairs
from cleanplate.training.recipes import DataRecipe


def demand_usable(data: DataRecipe, watch: Callable[[list[Path]], Iterable[Path]] = iter) -> None:
    """Read every plate, cutout and mixed-in pair once, as `synth build` does before it begins.

    Which samples come when is fixed, so that none can be left out later: a run that would meet a
    damaged one is refused before its first step. Stored sets are not read through, which
    `cleanplate synth check` does.

    Args:
        data: of the recipe.
        watch: draws progress.

    Raises:
        CleanplateError: that names all that cannot be used.
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
            cure="Mend them, or take them out of their folders.",
        )
