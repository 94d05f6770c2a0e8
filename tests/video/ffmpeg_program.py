"""FFmpeg's own program, as the reader and writer that is independent of the package."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()

PLANES = {
    "yuv420p": (np.uint8, (1, 2, 2)),
    "yuva420p": (np.uint8, (1, 2, 2, 1)),
    "yuv444p": (np.uint8, (1, 1, 1)),
    "yuv444p10le": (np.uint16, (1, 1, 1)),
    "yuva444p12le": (np.uint16, (1, 1, 1, 1)),
    "gray": (np.uint8, (1,)),
    "gray16le": (np.uint16, (1,)),
}
"""Type of samples, and by how much each plane is smaller along both axes."""


def ffmpeg(*arguments: object, stdin: bytes | None = None) -> bytes:
    """Run it; what it writes on stdout."""
    command = [FFMPEG, "-hide_banner", "-v", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def described(path: Path) -> str:
    """What it says about a file."""
    command = [FFMPEG, "-hide_banner", "-i", str(path)]
    return subprocess.run(command, capture_output=True, check=False).stderr.decode("utf-8")


def planes(
    path: Path, pixel_format: str, size: tuple[int, int], *options: object
) -> list[tuple[npt.NDArray[np.generic], ...]]:
    """Decode a video's frames to planes of the format that it is stored in."""
    kind, factors = PLANES[pixel_format]
    raw = ffmpeg(
        *options, "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough",
        "-pix_fmt", pixel_format, "-f", "rawvideo", "-",
    )  # fmt: skip
    samples = np.frombuffer(raw, kind)
    width, height = size
    sizes = [(-(-height // by), -(-width // by)) for by in factors]
    per_frame = sum(h * w for h, w in sizes)
    assert len(samples) % per_frame == 0
    found = []
    for start in range(0, len(samples), per_frame):
        place, parts = start, []
        for h, w in sizes:
            parts.append(samples[place : place + h * w].reshape(h, w))
            place += h * w
        found.append(tuple(parts))
    return found


def rgb(path: Path, size: tuple[int, int], *options: object) -> npt.NDArray[np.uint8]:
    """Decode to (N, H, W, 3) by its own conversion."""
    raw = ffmpeg(
        *options, "-i", path, "-fps_mode", "passthrough", "-sws_flags",
        "bilinear+accurate_rnd+full_chroma_int", "-pix_fmt", "rgb24", "-f", "rawvideo", "-",
    )  # fmt: skip
    return np.frombuffer(raw, np.uint8).reshape(-1, size[1], size[0], 3)


def times(path: Path) -> list[Fraction]:
    """Times of a file's video packets, sorted."""
    text = ffmpeg("-i", path, "-map", "0:v:0", "-c", "copy", "-copyts", "-f", "framehash", "-")
    base, found = Fraction(1), []
    for line in text.decode("utf-8").splitlines():
        if line.startswith("#tb 0:"):
            base = Fraction(line.split(":")[1].strip())
        elif not line.startswith("#"):
            found.append(int(line.split(",")[2]) * base)
    return sorted(found)


def audio_hash(path: Path) -> str:
    """Hash of a file's audio packets as they are stored."""
    return ffmpeg("-i", path, "-map", "0:a", "-c", "copy", "-f", "hash", "-").decode("utf-8")
