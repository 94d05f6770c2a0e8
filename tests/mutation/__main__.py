"""Read many mutated pictures and depth files: each must give a result or a plain error.

python -m tests.mutation --count 10000           so many of each kind
python -m tests.mutation --only pictures --seed 7
python -m tests.mutation --only depths --index 1234 --keep FOLDER
                                                 one mutant again, its file kept
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from tests.mutation import seeds
from tests.mutation.mutants import mutant
from tests.mutation.trial import READERS, trial

SEED = 20260101


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--only", choices=list(READERS), action="append", help="may be repeated")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--index", type=int, help="this mutant alone")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="the files of faults go there")
    given = parser.parse_args(arguments)
    found = 0
    for kind in given.only or READERS:
        files = getattr(seeds, kind)()
        alone = given.index is not None
        indices = range(given.index, given.index + 1) if alone else range(given.count)
        with tqdm(total=len(indices), desc=kind, disable=None) as bar:
            outcome = trial(
                files, READERS[kind], indices, given.seed, told=lambda _, bar=bar: bar.update()
            )
        print(f"{kind}: {outcome}")
        for fault in outcome.faults:
            print(f"  {fault}")
        if given.keep:
            given.keep.mkdir(parents=True, exist_ok=True)
            wanted = [int(fault.split(",", 1)[0]) for fault in outcome.faults]
            for index in [given.index] if alone else wanted:
                name, data, _ = mutant(files, given.seed, index)
                (given.keep / f"{kind}-{index}-{name}").write_bytes(data)
        found += len(outcome.faults)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
