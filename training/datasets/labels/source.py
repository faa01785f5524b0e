"""Where labels come from: a file or folder, the pictures that belong to it, and what goes wrong with it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TypeVar

from perception.pictures import SUFFIXES
from training.datasets import parts
from training.datasets.images import is_hidden
from training.datasets.labels.shapes import Part, Reason, Shape, Unmapped
from training.datasets.text import plain

LABEL_IMAGES = ("mask", "masks", "segmentationclass", "segmentationclassraw", "segmentationobject")
OWN = ("classes.json", "data.yaml")
Element = TypeVar("Element")


class Source:
    """A file or folder of labels.

    Args:
        path: the file or folder.
        pictures: a folder where its pictures are, if they are elsewhere.

    Attributes:
        root: the folder.
        unmapped: what was not taken over, so far.
    """

    def __init__(self, path: Path, pictures: Path | None = None) -> None:
        self.path = path
        self.pictures = pictures
        self.root = path if path.is_dir() else path.parent
        self.unmapped: list[Unmapped] = []

    def say(self, reason: Reason, path: Path, place: str = "", message: str = "") -> None:
        """Note that something was not taken over."""
        self.unmapped.append(Unmapped(reason, path, place, message))

    def files(self, suffix: str) -> list[Path]:
        """The files of labels with this suffix: the one that was named, or those directly in the folder."""
        if self.path.is_file():
            return [self.path] if self.path.suffix.lower() == suffix else []
        found = (path for path in self.path.iterdir() if path.suffix.lower() == suffix and path.is_file())
        return sorted(path for path in found if not is_hidden(path))

    def shapes(
        self,
        elements: Iterable[tuple[str, Element]],
        parse: Callable[[Element, str], Shape | None],
        listed: Path,
        where: str = "",
    ) -> tuple[Shape, ...]:
        """Parse the shapes of a picture one by one; those that cannot be parsed are noted.

        Args:
            elements: place and content of each.
            parse: raises an error for what cannot be used, and gives None for what is no area.
            listed: the file that they are in.
            where: the picture's place in it.
        """
        shapes = []
        for place, element in elements:
            full = f"{where}, {place}".strip(", ")
            try:
                shape = parse(element, place)
            except KeyError as error:
                self.say(Reason.BROKEN, listed, full, f"lacks {error}")
            except (AttributeError, IndexError, OverflowError, TypeError, ValueError) as error:
                self.say(Reason.BROKEN, listed, full, str(error))
            else:
                if shape is not None:
                    shapes.append(shape)
        return tuple(shapes)

    def find(self, name: str, listed: Path, place: str = "") -> Path | None:
        """The picture of a name, which may have folders and slashes of either kind; None is noted.

        Of several pictures of that name, the one counts whose folders agree most.
        """
        steps = [step for step in PurePosixPath(plain(name).replace("\\", "/")).parts if step != "/"]
        found = self._by_name.get(steps[-1], []) if steps else []
        if not found:
            self.say(Reason.NO_PICTURE, listed, place, name)
            return None
        agreeing = [_agreement(path, steps) for path in found]
        best = [path for path, count in zip(found, agreeing) if count == max(agreeing)]
        if len(best) > 1:
            best = [path for path in best if path.is_relative_to(listed.parent)] or best
        if len(best) > 1:
            named = f"{name} may be {best[0]} or {best[1]}; leave one of them"
            self.say(Reason.NO_PICTURE, listed, place, named)
            return None
        return best[0]

    def has(self, name: str) -> bool:
        """Whether there is a picture of this name, without its folders."""
        return plain(name) in self._by_name

    def named(self, stem: str) -> list[Path]:
        """The pictures of this name without suffix."""
        return self._by_stem.get(plain(stem), [])

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = defaultdict(list)
        for name, paths in self._by_name.items():
            found[Path(name).stem] += paths
        return found

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """All pictures by their names; label images are none.

        Beside a single file may be anything, so its folder is only searched if no other was named.
        """
        found: dict[str, list[Path]] = defaultdict(list)
        is_named = self.pictures is not None and self.path.is_file()
        for top in filter(None, (None if is_named else self.root, self.pictures)):
            for folder, folders, names in os.walk(top):
                if Path(folder) != top and any(name in names for name in OWN):
                    folders[:] = []  # what was imported before has the same pictures
                    continue
                folders[:] = sorted(one for one in folders if not is_label_folder(one))
                for name in names:
                    path = Path(folder, name)
                    is_new = path.suffix.lower() in SUFFIXES and path not in found[plain(name)]
                    if is_new and not is_hidden(path):
                        found[plain(name)].append(path)
        return {name: paths for name, paths in found.items() if paths}


def is_label_folder(name: str) -> bool:
    """Whether a folder of this name holds label images, or is some program's own."""
    return name.lower() in LABEL_IMAGES or name.lower().endswith("annot") or is_hidden(Path(name))


def _agreement(path: Path, steps: list[str]) -> int:
    """How many steps of a path agree with those of a name, from the last on."""
    own = [plain(step) for step in path.parts]
    count = 0
    while count < min(len(own), len(steps)) and own[-1 - count] == steps[-1 - count]:
        count += 1
    return count


def part_of(name: str) -> Part:
    """The part that a folder's name, or a word that stands for one, means."""
    part = parts.part_of(name)
    return "train" if part == "train" else "val" if part == "val" else "test" if part == "test" else ""
