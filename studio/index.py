"""The index: looks at data sets, one after the other, in a thread of its own, and fills the catalogue."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from perception.errors import PerceptionError
from perception.recordings.tub_files import is_tub
from studio.catalogue import FAILED, LISTING, READY, WAITING, Catalogue
from studio.folders import Folders, OutsideError
from training.check import task_of, understood
from training.datasets.images import DataError, is_hidden
from training.gallery import Gallery, Shown
from training.tasks import column

DEEPEST = 3  # folders below those that were named, in which data sets are looked for
MOST = 2000  # folders that are looked into
MARKS = ("train", "images", "masks", "classes.json", "gt.txt", "data.yaml", "val", "Final_Training")


class Index:
    """Fills the catalogue.

    Args:
        catalogue: to fill.
        folders: pictures outside them are not listed.
    """

    def __init__(self, catalogue: Catalogue, folders: Folders) -> None:
        self._catalogue, self._folders = catalogue, folders
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="index")
        for one in catalogue.sets():
            if one.state in (WAITING, LISTING):  # the studio ended before it was done
                self._thread.submit(self._look, one.id, one.path)

    def add(self, path: Path) -> str:
        """Look at a folder soon. Returns the id of the data set."""
        set_id = self._catalogue.add(path)
        self._thread.submit(self._look, set_id, path)
        return set_id

    def close(self) -> None:
        """End after what is being looked at."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _look(self, set_id: str, path: Path) -> None:
        try:
            task = task_of(path)
            self._catalogue.change(set_id, state=LISTING, task=task, done=0, total=0)
            gallery: Gallery = column(task, "gallery")(path)
            self._catalogue.change(
                set_id,
                labels=json.dumps(gallery.labels),
                common=json.dumps(gallery.common),
                total=len(gallery),
                summary=understood(path),
            )
            self._catalogue.fill(set_id, self._own(gallery))
            self._catalogue.change(set_id, state=READY)
        except (DataError, PerceptionError, OutsideError, OSError) as error:
            self._catalogue.change(set_id, state=FAILED, error=str(error))

    def _own(self, gallery: Gallery) -> Iterator[Shown]:
        """The pictures of a data set, which a list of files may name elsewhere.

        Raises:
            OutsideError: one is outside the folders.
        """
        for one in gallery.pictures():
            self._folders.inside(one.path)
            yield one


def candidates(folders: Folders) -> list[Path]:
    """Folders that look like data sets, by the names in them; what is in one of them is a part of it."""
    found: list[Path] = []
    looked = 0
    waiting = [(root, 0) for root in folders.roots]
    while waiting and looked < MOST:
        folder, depth = waiting.pop(0)
        looked += 1
        try:
            names = sorted(entry.name for entry in os.scandir(folder) if not is_hidden(Path(entry.name)))
        except OSError:
            continue
        if any(name in MARKS for name in names) or _has_class_folders(folder, names):
            if not is_tub(folder):  # a drive has no labels yet
                found.append(folder)
        elif depth < DEEPEST:
            waiting += [
                (folder / name, depth + 1)
                for name in names
                if (folder / name).is_dir() and not (folder / name).is_symlink()
            ]
    return found


def _has_class_folders(folder: Path, names: list[str]) -> bool:
    """Whether two folders in it hold pictures and nothing deeper."""
    count = 0
    for name in names[:50]:
        inner = folder / name
        if not inner.is_dir():
            continue
        try:
            with os.scandir(inner) as entries:
                first = next(iter(entries), None)
        except OSError:
            continue
        count += first is not None and first.name.lower().endswith((".png", ".jpg", ".jpeg", ".ppm", ".webp"))
        if count == 2:
            return True
    return False
