"""How a clip's colour is coded: what the file states, what is assumed, what is refused.

Names and numbers are those of ITU-T H.273, which FFmpeg uses.
"""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate.errors import CleanplateError
from cleanplate.video.tone_map import CURVES, HDR, WIDE
from cleanplate.video.ycbcr import MATRICES

PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
TRANSFERS = {
    1: "bt709",
    4: "gamma22",
    5: "gamma28",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
MATRIX_NAMES = {
    0: "rgb",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
}
RANGES = {1: "limited", 2: "full"}

_SCENE = ("linear", "log100", "log316", "smpte428")
_CONVERT = "Convert it first, such as with `ffmpeg -i CLIP -vf zscale=t=bt709:m=bt709:p=bt709 OUT`."


@dataclass(frozen=True)
class ColourTags:
    """How colour is coded: names of H.273, "full" or "limited", and which of them are stated."""

    primaries: str
    transfer: str
    matrix: str
    colour_range: str
    tagged: frozenset[str]
    notes: tuple[str, ...]


def settle(
    name: str,
    *,
    primaries: int,
    transfer: int,
    matrix: int,
    colour_range: int,
    rgb: bool,
    grey: bool,
    jpeg: bool,
    size: tuple[int, int],
) -> ColourTags:
    """Give names to a file's tags, and defaults to what it does not state.

    Untagged YCbCr is BT.709 from 720 rows or 1280 columns on, else BT.601 (what players do);
    untagged range is limited, of JPEG, RGB and grey full.

    Args:
        name: of the file, for errors.
        primaries, transfer, matrix, colour_range: numbers of H.273 and FFmpeg.
        rgb: whether samples are R'G'B'.
        grey: whether there is luma alone.
        jpeg: whether the format is JPEG's, which has the full range.
        size: (width, height).

    Raises:
        CleanplateError: the matrix is one that is not known here.
    """
    found = {
        "primaries": PRIMARIES.get(primaries),
        "transfer": TRANSFERS.get(transfer),
        "matrix": "rgb" if rgb else MATRIX_NAMES.get(matrix),
        "colour_range": RANGES.get(colour_range),
    }
    if not rgb and found["matrix"] == "rgb":  # says R'G'B' and holds YCbCr
        found["matrix"] = None
    tagged = frozenset(key for key, value in found.items() if value is not None)
    notes = []
    if grey:
        found["matrix"] = found["matrix"] or "bt709"  # of no account
    elif found["matrix"] is None:
        assumed = "bt709" if size[0] >= 1280 or size[1] >= 720 else "smpte170m"
        found["matrix"] = assumed
        notes.append(f"the matrix is not tagged; {_NAMED[assumed]} is assumed by the size")
    if jpeg or rgb:
        found["colour_range"] = "full"
    elif found["colour_range"] is None:
        found["colour_range"] = "full" if grey else "limited"
        notes.append(f"the range is not tagged; {found['colour_range']} is assumed")
    found["primaries"] = found["primaries"] or "bt709"
    found["transfer"] = found["transfer"] or "bt709"
    if not rgb and found["matrix"] not in MATRICES:
        raise CleanplateError(
            f"its colour matrix {found['matrix']} is not supported", file=name, cure=_CONVERT
        )
    return ColourTags(
        str(found["primaries"]),
        str(found["transfer"]),
        str(found["matrix"]),
        str(found["colour_range"]),
        tagged,
        tuple(notes),
    )


def check_display(name: str, tags: ColourTags, tone_map: str | None) -> tuple[str, ...]:
    """Refuse what is not display-coded SDR, unless a tone map is asked for.

    The curves of BT.709, BT.601, BT.2020 and of plain gammas are taken for that of sRGB, as
    players and editors do; only primaries that are much wider are converted.

    Returns:
        notes on what is converted.

    Raises:
        CleanplateError: HDR without a tone map, light that is not display-coded, or no such curve.
    """
    if tone_map is not None and tone_map not in CURVES:
        raise CleanplateError(
            f"there is no tone map {tone_map!r}", cure=f"Choose of: {', '.join(CURVES)}."
        )
    if tags.transfer in HDR:
        which = "PQ" if tags.transfer == "smpte2084" else "HLG"
        if tone_map is None:
            raise CleanplateError(
                f"is HDR ({which}, {tags.transfer}), which has no sRGB values as it stands",
                file=name,
                cure=f"Ask for a tone map: {', '.join(CURVES)}; clip and plate must have the same.",
            )
        return (f"HDR ({which}) is tone-mapped to sRGB by the curve {tone_map}",)
    if tags.transfer in _SCENE:
        raise CleanplateError(
            f"its transfer characteristic {tags.transfer} is not display-coded",
            file=name,
            cure=_CONVERT,
        )
    if tags.primaries in WIDE:
        return (f"primaries {tags.primaries} are converted to those of sRGB",)
    return ()


_NAMED = {"bt709": "BT.709", "smpte170m": "BT.601"}
