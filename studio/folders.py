"""Which files the studio may read: those in the folders that were named at start, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class OutsideError(Exception):
    """A path that is in none of the folders, or not there at all; the two are not told apart."""


class Folders:
    """The folders that were named at start.

    Args:
        roots: the folders.

    Raises:
        OSError: one is not there.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        self.roots = tuple(dict.fromkeys(root.expanduser().resolve(strict=True) for root in roots))

    def inside(self, given: str | Path) -> Path:
        """The real path of a file or folder, wherever its symlinks lead.

        Raises:
            OutsideError: it leads out of the folders, or to nothing.
        """
        try:
            real = Path(given).expanduser().resolve(strict=True)
        except (OSError, RuntimeError, ValueError):  # missing, a loop of links, or a name with a NUL
            real = None
        if real is None or not any(real.is_relative_to(root) for root in self.roots):
            raise OutsideError(
                f"{given} is not in {', '.join(map(str, self.roots))}; start the studio with its folder: "
                "python -m studio FOLDER"
            )
        return real
