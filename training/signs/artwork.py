"""Artwork of signs: one picture per class, or the pages of a PDF, with sign and paper told apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame
from perception.paths import natural_order
from perception.pictures import SUFFIXES
from training.datasets.images import DataError, files, is_hidden
from training.datasets.pictures import read_bgr
from training.datasets.text import alike, plain, read_text

PDF, SVG = (".pdf",), (".svg", ".svgz")
SIDE = 256  # px, the longer side of a sign's face; the largest crop shows it at 80 px
PAGE_SIDE = 1600  # px, the longer side of a page before the paper around its sign is cut off
SMALLEST = 16  # px; on less, nobody can see what the sign is
WHITE, CHROMA = 215, 24  # of 255: paper is at least so bright, and its channels differ by no more
SPECK = 0.0005  # of the picture; smaller marks on paper are dirt
SOLID = 0.82  # of its convex hull; less is a drawing on a card, along which nobody cuts
LEFT_OUT = "-"  # in place of a name
SEVERAL = 0.25  # of the largest piece; a second one so large is another sign

Mask = NDArray[np.uint8]
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Artwork:
    """What is printed for one class.

    Attributes:
        label: name of the class.
        face: (H, W, 3) uint8 BGR, the longer side SIDE px; white paper outside the sign.
        mask: (H, W) uint8, 255 on the sign, 0 on the paper around it, between them at its edge.
        is_cut: a printed sign may be cut out along its outline; else it stays on its card.
        path: the file that it comes from.
    """

    label: str
    face: Frame
    mask: Mask
    is_cut: bool
    path: Path


def read(source: Path, names: Sequence[str] = ()) -> list[Artwork]:
    """Read the artwork of all classes.

    Args:
        source: a folder of pictures and PDFs, which are read in natural order; or one PDF.
        names: of the classes, in the order of pictures and pages, ``-`` for one to leave out; or one text
            file that has them, a name on each line. Without them, a picture has the name of its file, and a
            page that and its number.

    Returns:
        One for each class.

    Raises:
        DataError: there is nothing to read, a file cannot be read or shows no sign, two show the same, or
            names are missing, too many, the same, or none that a folder may have.
    """
    found = [one for path in _paths(source) for one in _pictures(path)]
    given = _given(names)
    if given and len(given) != len(found):
        raise DataError(
            f"{source} has {len(found)} pictures and pages, and --names has {len(given)} names; give one for "
            "each, in the order of the files' names and of the pages"
        )
    kept = [
        (label, path, picture)
        for label, (_, path, picture) in zip(given or [name for name, _, _ in found], found)
        if label != LEFT_OUT
    ]
    _require_names([(label, path) for label, path, _ in kept])
    if len(kept) < 2:
        labels = kept[0][0] if kept else "none"
        raise DataError(f"{source} has one sign at most ({labels}); a classifier needs two: add another")
    signs = [separate(label, picture, path) for label, path, picture in kept]
    for one, other in combinations(signs, 2):
        if np.array_equal(one.face, other.face):
            raise DataError(
                f"{one.path} ({one.label!r}) and {other.path} ({other.label!r}) show the same; take one out"
            )
    return signs


def _require_names(labels: Sequence[tuple[str, Path]]) -> None:
    """Refuse names that no folder may have, or that are nearly the same."""
    for number, (label, path) in enumerate(labels):
        if not label or "/" in label or "\\" in label or not label.isprintable() or is_hidden(Path(label)):
            raise DataError(f"{path}: no folder can be called {label!r}; give another name")
        for earlier, other in labels[:number]:
            if alike(earlier) == alike(label):
                raise DataError(
                    f"{other} and {path} would both be the class {label!r}; give one another name"
                )


def separate(label: str, picture: Picture, path: Path) -> Artwork:
    """Tell a sign from the paper around it: by transparency, or white that reaches in from the border.

    Args:
        label: name of the class.
        picture: (H, W, 3) BGR or (H, W, 4) BGRA uint8.
        path: the file that it comes from.

    Raises:
        DataError: there is nothing but paper, or the sign is too small.
    """
    has_alpha = picture.shape[2] == 4
    face = _on_white(picture) if has_alpha else picture
    mask = _filled(picture[..., 3]) if has_alpha else _not_paper(face)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise DataError(f"{path} shows nothing but paper; replace it by a picture of the sign {label!r}")
    cut = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = face[cut].shape[:2]
    if min(height, width) < SMALLEST:
        raise DataError(
            f"{path}: the sign {label!r} has {width}x{height} px; give a picture of {SMALLEST} px at least, "
            f"better {SIDE}"
        )
    scale = SIDE / max(height, width)
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    face = np.asarray(cv2.resize(face[cut], size_wh, interpolation=how), np.uint8)
    mask = np.asarray(cv2.resize(mask[cut], size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    solid = (mask > 127).astype(np.uint8)
    hull = cv2.contourArea(cv2.convexHull(cv2.findNonZero(solid)))
    return Artwork(label, face, mask, float(solid.sum()) >= SOLID * hull, path)


def may_be_several(one: Artwork) -> bool:
    """Whether a picture seems to show several signs side by side."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((one.mask > 127).astype(np.uint8))
    areas = np.sort(stats[1:, cv2.CC_STAT_AREA])[::-1]
    return len(areas) > 1 and bool(areas[1] >= SEVERAL * areas[0])


def _paths(source: Path) -> list[Path]:
    """The files with artwork, in natural order."""
    if source.is_file() and source.suffix.lower() in PDF:
        return [source]
    if not source.is_dir():
        what = "is one file and no PDF" if source.is_file() else "does not exist"
        raise DataError(f"{source} {what}; give a folder with one picture of each sign, or a PDF")
    others = [path for path in source.iterdir() if path.is_file() and not is_hidden(path)]
    if drawings := sorted(path for path in others if path.suffix.lower() in SVG):
        raise DataError(
            f"{drawings[0]} is an SVG, which cannot be read; save it as PNG, {SIDE} px at least, or as PDF"
        )
    paths = [*files(source), *(path for path in others if path.suffix.lower() in PDF)]
    if not paths:
        raise DataError(
            f"{source} has no pictures ({', '.join(SUFFIXES)}) and no PDF; put one picture of each sign there"
        )
    return sorted(paths, key=lambda path: natural_order(plain(path.name)))


def _pictures(path: Path) -> Iterator[tuple[str, Path, Picture]]:
    """Name, file and picture of each class in a file."""
    name = " ".join(plain(path.stem).replace("_", " ").split())
    if path.suffix.lower() not in PDF:
        yield name, path, _with_alpha(path)
        return
    pages = _pages(path)
    for number, page in enumerate(pages, 1):
        yield name if len(pages) == 1 else f"{name} {number}", path, page


def _with_alpha(path: Path) -> Picture:
    """(H, W, 4) BGRA of a picture with transparent parts, (H, W, 3) BGR of others."""
    picture = read_bgr(path)  # which knows what can be wrong with a file
    raw = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if raw is not None and raw.ndim == 3 and raw.shape[2] == 4 and (raw[..., 3] < 255).any():
        return np.asarray(raw, np.uint8)
    return picture


def _pages(path: Path) -> list[Picture]:
    """The pages of a PDF, (H, W, 3) BGR."""
    import pypdfium2

    try:
        with pypdfium2.PdfDocument(path) as document:
            pages = []
            for page in document:
                bitmap = page.render(scale=PAGE_SIDE / max(page.get_size()), prefer_bgrx=False)
                pages.append(np.array(bitmap.to_numpy()[..., :3], np.uint8))
    except (pypdfium2.PdfiumError, OSError, ZeroDivisionError) as error:
        raise DataError(
            f"{path} cannot be read as a PDF ({error}); save it anew, without a password"
        ) from error
    if not pages:
        raise DataError(f"{path} has no pages; take it out")
    return pages


def _given(names: Sequence[str]) -> list[str]:
    """The names as they are, or those that a file lists."""
    if len(names) == 1 and Path(names[0]).is_file():
        return [
            line for line in (plain(line).strip() for line in read_text(Path(names[0])).splitlines()) if line
        ]
    if len(names) == 1:
        raise DataError(f"--names: there is no file {names[0]}; give a text file, or a name for each sign")
    return [plain(name).strip() for name in names]


def _on_white(picture: Picture) -> Frame:
    """(H, W, 4) BGRA printed on white paper, (H, W, 3) BGR."""
    share = picture[..., 3:] / 255.0
    return np.asarray(np.rint(picture[..., :3] * share + 255.0 * (1 - share)), np.uint8)


def _filled(alpha: Mask) -> Mask:
    """What is opaque, and transparent parts within it, where paper shows."""
    outside = _reached((alpha < 128).astype(np.uint8))
    return np.asarray(np.where(outside, alpha, 255), np.uint8)


def _not_paper(face: Frame) -> Mask:
    """Everything but the white that reaches in from the border, and specks on it."""
    darkest, brightest = face.min(axis=2).astype(int), face.max(axis=2).astype(int)
    paper = (darkest >= WHITE) & (brightest - darkest <= CHROMA)
    sign = (~_reached(paper.astype(np.uint8))).astype(np.uint8)
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(sign)
    is_speck = stats[:, cv2.CC_STAT_AREA] < SPECK * sign.size
    sign[is_speck[pieces]] = 0
    return np.asarray(255 * sign, np.uint8)


def _reached(free: Mask) -> NDArray[np.bool_]:
    """Which of the pixels that are 1 are connected with the border."""
    _, pieces = cv2.connectedComponents(np.pad(free, 1, constant_values=1), connectivity=4)
    return np.asarray(pieces == pieces[0, 0])[1:-1, 1:-1]
