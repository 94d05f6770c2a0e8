"""Commands for synthetic training data: `cleanplate synth COMMAND ...`."""

from __future__ import annotations

import click

from cleanplate.cli.lazy_group import LazyGroup

COMMANDS = {
    "build": "Compose a data set from plates and cutouts.",
    "clips": "Make clips with exact truth from plates and cutouts.",
    "stats": "Measure a data set: counts, means, coverage, depth.",
    "check": "Check a data set and list its faults.",
    "render": "Render plates, cutouts and pairs with Blender.",
    "procedural": "Generate procedural plates and cutouts from a seed.",
    "depth": "Make plates of photographs, with depth from a network.",
    "cutouts": "Extract cutouts from RGBA files, photos with masks, or clips.",
    "pack": "Pack plates, cutouts or pairs into one compressed file.",
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
    """Make training data: plates, cutouts, composites, and their statistics."""
