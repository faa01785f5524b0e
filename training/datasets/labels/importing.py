"""Import: labels of other tools become one of the project's own layouts, whole or not at all."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import track

from perception.engines import read_spec
from perception.paths import writing
from perception.spec import Color
from perception.tasks import UNLABELLED
from training.datasets import folders
from training.datasets.images import DataError
from training.datasets.labels import forms
from training.datasets.labels.collect import Classes, Collector, Kind
from training.datasets.labels.shapes import Labels, Picture, Unmapped
from training.datasets.labels.source import Source
from training.datasets.text import alike, plain
from training.graph import wheel


@dataclass(frozen=True)
class Imported:
    """What was imported.

    Attributes:
        folder: where it was written.
        source: folder that the labels came from.
        form: that they had.
        kind: what the data set holds.
        labels: names of the classes.
        pictures: how many there are.
        boxes: how many there are.
        uncounted: share of the pixels that are of no class.
        unmapped: what was not taken over as it is.
    """

    folder: Path
    source: Path
    form: str
    kind: Kind
    labels: tuple[str, ...]
    pictures: int
    boxes: int
    uncounted: float
    unmapped: tuple[Unmapped, ...]


def import_labels(
    path: Path,
    out: Path,
    *,
    kind: Kind | None = None,
    pictures: Path | None = None,
    classes: Path | None = None,
    colors: Path | None = None,
    rest: str | None = None,
) -> Imported:
    """Import labels and their pictures.

    Everything goes into a folder beside the wanted one, which gets its name when all is there.

    Args:
        path: a file, folder or ZIP file of labels.
        out: a new folder for the data set.
        kind: what to write; None writes boxes if all shapes are upright rectangles.
        pictures: folder of the pictures, if they are elsewhere.
        classes: a classes.json or a model file whose classes the data set shall have; None takes those of the
            source.
        colors: table of colours, for label images.
        rest: class of the pixels that are in no shape; None does not count them.

    Raises:
        DataError: ``out`` is there already, the labels have no form that is read or cannot be used, or no
            picture is left.
    """
    for given in filter(None, (path, pictures, classes, colors)):
        if not given.exists():
            raise DataError(f"there is no {given}; check the path")
    require_new(out)
    with _unpacked(path) as unpacked, partial(out) as part:
        source = Source(unpacked, pictures)
        read = forms.read(source, colors)
        chosen = kind or ("boxes" if read.are_boxes else "masks")
        if rest is not None and chosen == "boxes":
            raise DataError("boxes have no pixels that are in no shape; leave out --rest")
        known = _classes(read, classes, rest)
        collector = Collector(part, source, known, chosen, None if rest is None else known.ids[plain(rest)])
        for picture in _shown(read):
            collector.take(picture)
        collector.finish()
        return Imported(
            out,
            source.root,
            read.form,
            chosen,
            known.labels,
            collector.pictures,
            collector.boxes,
            collector.uncounted,
            tuple(source.unmapped),
        )


def require_new(out: Path) -> None:
    """Refuse to write where something is already.

    Raises:
        DataError: there is.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} holds something already; name a new folder, or empty that one")


@contextmanager
def partial(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that gets its name if all goes well, and is removed if not."""
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with writing(part):
            part.mkdir(parents=True)
            yield part
            if out.exists():
                out.rmdir()
            part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The path, or what a ZIP file holds, as tools hand out their exports."""
    if path.suffix.lower() != ".zip":
        yield path
        return
    with TemporaryDirectory(prefix="labels-") as folder:
        try:
            with zipfile.ZipFile(path) as packed:
                packed.extractall(folder)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise DataError(f"{path} cannot be unpacked ({error}); download it again") from error
        inner = [one for one in Path(folder).iterdir() if not one.name.startswith(("__MACOSX", "."))]
        yield inner[0] if len(inner) == 1 and inner[0].is_dir() else Path(folder)


def _shown(read: Labels) -> Iterator[Picture]:
    """The pictures, with a progress bar on a terminal."""
    console = Console(stderr=True)
    total = len(read.pictures) if isinstance(read.pictures, Sequence) else None
    if not console.is_terminal:
        yield from read.pictures
        return
    yield from track(read.pictures, "Importing", total=total, console=console, transient=True)


def _classes(read: Labels, given: Path | None, rest: str | None) -> Classes:
    """The classes to write: those given, or those of the source."""
    if given is None:
        labels = list(read.labels)
        if rest is not None and plain(rest) not in labels:
            labels.append(plain(rest))
        drawn = wheel(len(labels))
        palette = tuple(read.colors.get(label, color) for label, color in zip(labels, drawn))
        if len(set(palette)) < len(palette):
            palette = drawn
        return _counted(tuple(labels), palette, {label: number for number, label in enumerate(labels)})
    if given.suffix.lower() == ".onnx":
        spec = read_spec(given)
        names, palette = spec.labels, spec.palette
    else:
        names, palette = folders.describe(given if given.is_dir() else _described(given))
    ids = {plain(name): number for number, name in enumerate(names)}
    likened = {alike(name): number for name, number in ids.items()}
    ids |= {name: likened[alike(name)] for name in read.labels if alike(name) in likened}
    if rest is not None and plain(rest) not in ids:
        raise DataError(f"--rest is {rest!r}; {given} has the classes {', '.join(names)}")
    return _counted(names, palette, ids)


def _described(path: Path) -> Path:
    """The folder of a classes.json."""
    if path.name != "classes.json":
        raise DataError(f"{path} lists no classes; give a classes.json, its folder, or a model file (.onnx)")
    return path.parent


def _counted(labels: tuple[str, ...], palette: tuple[Color, ...], ids: dict[str, int]) -> Classes:
    if not labels:
        raise DataError("no shape has a class, so there is nothing to learn; label the pictures")
    if len(labels) > UNLABELLED:
        raise DataError(f"the labels have {len(labels)} classes; a model can know {UNLABELLED}")
    return Classes(labels, palette, ids)
