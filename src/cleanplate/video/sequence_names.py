"""Names of numbered pictures: `shot.%04d.png`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cleanplate.errors import CleanplateError

_FIELD = re.compile(r"%(?:0?(\d+))?d")
DIGITS = 6
"""Of numbers in a folder that is named without a pattern."""


@dataclass(frozen=True)
class SequenceNames:
    """A pattern of names in one folder.

    folder: where they are.
    before, after: what stands before and after the number; `after` ends in the suffix.
    digits: least number of digits, filled with 0.
    """

    folder: Path
    before: str
    after: str
    digits: int

    @classmethod
    def of(cls, pattern: str | Path) -> SequenceNames:
        """Read a pattern with one `%d` or `%04d` in its file name.

        Raises:
            CleanplateError: there is none, several, or one in the folder's name.
        """
        path = Path(pattern)
        fields = list(_FIELD.finditer(path.name))
        if len(fields) != 1 or is_pattern(str(path.parent)):
            raise CleanplateError(
                "is no pattern of numbered names",
                file=pattern,
                cure="Write one %04d in the file's name, such as shot.%04d.png.",
            )
        field = fields[0]
        return cls(
            path.parent,
            path.name[: field.start()],
            path.name[field.end() :],
            int(field[1] or 1),
        )

    @property
    def suffix(self) -> str:
        """Give the ending, in lower case, with its dot."""
        return Path("x" + self.after).suffix.lower()

    def name(self, number: int) -> str:
        """Give the name of picture `number`."""
        return f"{self.before}{number:0{self.digits}d}{self.after}"

    def path(self, number: int) -> Path:
        """Give its path."""
        return self.folder / self.name(number)

    def number(self, name: str) -> int | None:
        """Read the number of a name; None if it is no name of this pattern."""
        middle = name[len(self.before) : len(name) - len(self.after) or None]
        if not (name.startswith(self.before) and name.endswith(self.after) and middle.isdecimal()):
            return None
        return int(middle) if self.name(int(middle)) == name else None

    def present(self) -> list[int]:
        """Give the numbers of the files that are there, sorted."""
        if not self.folder.is_dir():
            return []
        found = (self.number(path.name) for path in self.folder.iterdir())
        return sorted(number for number in found if number is not None)

    @property
    def pattern(self) -> str:
        """Give the pattern as it is written."""
        return f"{self.before}%0{self.digits}d{self.after}"


def is_pattern(path: str | Path) -> bool:
    """Whether a path has a field for a number in it."""
    return _FIELD.search(str(path)) is not None
