"""Writer of a WebDataset shard: a tar file whose bytes depend on its samples alone."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cleanplate.files.atomic import replacing


def write_shard(
    file: Path, samples: Iterable[tuple[str, Mapping[str, bytes], Mapping[str, Any]]]
) -> dict[str, Any]:
    """Write samples as they come, each a name with parts by ending; whole or not at all.

    When it returns, the shard is on the disk.

    Returns:
        The shard's entries in its manifest: `file`, `bytes`, `sha256`.

    Raises:
        CleanplateError: if it cannot be written.
    """
    with replacing(file) as temporary, temporary.open("wb") as stream:
        sink = _DigestWriter(stream)
        with tarfile.open(fileobj=sink, mode="w:", format=tarfile.USTAR_FORMAT) as tar:
            for name, parts, _ in samples:
                for ending, data in parts.items():
                    # Owner, time and mode are TarInfo's defaults: 0, 0 and 644.
                    member = tarfile.TarInfo(f"{name}.{ending}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
        size, digest = sink.size, sink.digest.hexdigest()
    return {"file": file.name, "bytes": size, "sha256": digest}


class _DigestWriter(io.RawIOBase):
    """Passes bytes on, and adds up their number and their SHA-256."""

    def __init__(self, stream: io.BufferedWriter):
        super().__init__()
        self.stream, self.size, self.digest = stream, 0, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: Any, /) -> int:
        self.digest.update(data)
        self.size += len(data)
        return self.stream.write(data)
