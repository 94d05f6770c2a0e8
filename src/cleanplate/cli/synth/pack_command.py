"""`cleanplate synth pack`: pack plates, cutouts or pairs into one compressed file."""

from __future__ import annotations

from pathlib import Path

import click

from cleanplate.cli.options import max_pixels_option, overwrite_option


@click.command(
    epilog="Example: cleanplate synth pack cutouts rendered/cutouts data/cutouts.tar.gz",
)
@click.argument("kind", type=click.Choice(["plates", "cutouts", "pairs"]))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.argument("archive", type=click.Path(path_type=Path, dir_okay=False))
@max_pixels_option
@click.option(
    "--card",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write a Markdown card with counts, licences and attributions.",
)
@click.option(
    "--quality", type=click.IntRange(1, 100), default=85, show_default=True, help="JPEG quality."
)
@click.option(
    "--depth-step",
    type=click.FloatRange(0, 0.1),
    default=0.005,
    show_default=True,
    help="Relative step to which depth is rounded; 0 keeps it exact.",
)
@click.option(
    "--long-side",
    type=click.IntRange(16),
    metavar="PIXELS",
    help="Reduce larger plates and pairs to this long side.  [default: unchanged]",
)
@overwrite_option
def command(
    *,
    kind: str,
    folder: Path,
    archive: Path,
    card: Path | None,
    quality: int,
    depth_step: float,
    long_side: int | None,
    overwrite: bool,
) -> None:
    """Pack the assets of one KIND in FOLDER into ARCHIVE.

    Plates and cutouts become a .tar.gz that unpacks to a folder of the same name; pairs become a
    shard (.tar) that training reads as it is. Only items with their .json are packed. An existing
    ARCHIVE or card is replaced only with --overwrite, because neither records who wrote it.
    """
    from cleanplate.files.ownership import check_target
    from cleanplate.synthesis.assets import packing as archives
    from cleanplate.synthesis.assets.asset_compression import CompressionSettings

    if kind == "cutouts" and long_side is not None:
        raise click.UsageError("--long-side is for plates and pairs.")

    for target in (archive, card):
        if target is not None:
            check_target(target, overwrite=overwrite)
    pack = {
        "plates": archives.pack_plates,
        "cutouts": archives.pack_cutouts,
        "pairs": archives.pack_pairs,
    }[kind]
    if card is not None:
        from cleanplate.synthesis.assets.asset_card import write_asset_card

        write_asset_card(folder, card, kind)
    count = pack(folder, archive, CompressionSettings(quality, depth_step, long_side))
    click.echo(f"{count} {kind}, {archive.stat().st_size / 1e6:.1f} MB: {archive}")
