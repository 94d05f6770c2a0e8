"""Mean alpha where there is no subject: nothing changed, a camera's noise, a shadow alone.

    python -m benchmarks.empty_frames [--plates FOLDER] [--cutouts FOLDER] [--model NAME]
                                      [--scenes 20] [--json FILE]

Scenes are the compositor's, without their subjects; without folders its procedural ones. A frame is

- the plate itself;
- the plate through a camera: 10 % more light, noise of 2/255, JPEG of quality 90;
- the plate with the shadow that a subject would cast, and without the subject. Scenes whose shadow
  takes a tenth of the light or more from less than 1 % of the picture are passed over.

All are 0 in truth: a matte has nothing to find.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.disturbances import Eight, compressed, exposed, noisy
from cleanplate import Predictor
from cleanplate.files.atomic import replacing
from cleanplate.light import coded_from_linear
from cleanplate.markdown_table import markdown_table
from cleanplate.synthesis.compositor.composer import Composer
from cleanplate.synthesis.compositor.settings import CompositorSettings

SIZE = (360, 640)
KINDS = ("identical", "camera", "shadow")
QUALITY = 90


def scenes(composer: Composer, count: int) -> Iterator[dict[str, Eight]]:
    """Give "plate" and the frame of each kind of `KINDS`, of so many scenes."""
    index = found = 0
    while found < count:
        composition = composer.compose(index, SIZE)
        index += 1
        if (composition.shadow < 0.9).mean() < 0.01:
            continue
        found += 1
        plate = composition.plate_srgb
        yield {
            "plate": plate,
            "identical": plate,
            "camera": compressed(noisy(exposed(plate, 1.1), 2.0, index), QUALITY),
            "shadow": coded_from_linear(composition.background),
        }


def measured(predictor: Predictor, composer: Composer, count: int) -> dict[str, dict[str, float]]:
    """Give mean and largest mean alpha of each kind over the scenes."""
    alphas: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for one in scenes(composer, count):
        scene = predictor.scene(one["plate"])
        for kind in KINDS:
            alphas[kind].append(float(scene.predict(one[kind], "alpha").alpha.mean()))
    return {
        kind: {"mean": float(np.mean(values)), "largest": float(np.max(values))}
        for kind, values in alphas.items()
    }


def settings() -> CompositorSettings:
    """Shadows always, and no camera: that is applied here."""
    return CompositorSettings(camera=False, identical_share=0.0, shadow_share=1.0)


def main() -> None:
    """Print the table; write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plates", type=Path)
    parser.add_argument("--cutouts", type=Path)
    parser.add_argument("--model", help="default: the shipped one")
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    composer = Composer.from_folders(
        options.plates, options.cutouts, seed=options.seed, settings=settings()
    )
    predictor = Predictor(options.model)
    found = measured(predictor, composer, options.scenes)
    rows = [(kind, f"{one['mean']:.4f}", f"{one['largest']:.4f}") for kind, one in found.items()]
    print(markdown_table(("frame", "mean alpha", "largest of a scene"), rows))
    if options.json:
        document: dict[str, Any] = {
            "model": predictor.model.name,
            "scenes": options.scenes,
            "mean_alpha": found,
        }
        with replacing(options.json) as part:
            part.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
