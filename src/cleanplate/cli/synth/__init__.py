"""The commands of the data engine: `cleanplate synth COMMAND ...`."""

from __future__ import annotations

import click

from cleanplate.cli.lazy_group import LazyGroup

COMMANDS = {
    "build": "Compose a data set from plates and cutouts.",
    "stats": "Measure a data set: counts, means, coverage, depth.",
    "check": "Prove a data set whole, or name its faults.",
    "render": "Render plates, cutouts and pairs with Blender.",
    "procedural": "Make plates and cutouts from nothing but numbers.",
    "depth": "Give plain photographs a depth, from a depth network.",
    "cutouts": "Make cutouts of RGBA files, photos with masks, or a clip and its plate.",
    "pack": "Keep plates, cutouts or pairs as one small file.",
}
"""Name -> one line of help. See `lazy_group`."""


@click.group(
    cls=LazyGroup,
    package=__name__,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: cleanplate synth build --plates rooms --cutouts people -o set",
)
def command() -> None:
    """Make training samples: plates, cutouts, composites, and what is known of them."""
