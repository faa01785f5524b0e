"""Sources: a bag, a tub, a video, a folder of pictures or one picture, all as a stream of shots.

A shot that cannot be used is part of the stream: it carries its error, and the next one follows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from perception import folders, pictures
from perception.errors import InputError
from perception.formats.kinds import VIDEO, advice, with_article
from perception.recordings import videos
from perception.recordings.bag import is_bag
from perception.recordings.bag_source import open_bag
from perception.recordings.shots import Shot, Source, attempt
from perception.recordings.tub import has_times, is_tub, open_tub

_log = logging.getLogger(__name__)
PICTURE_NS = 1_000_000_000  # pictures have no clock: one per second

PICTURES = pictures.SUFFIXES


def open_source(
    path: str | Path,
    *,
    topic: str | None = None,
    rois: str | None = None,
    use_rois: bool = True,
    start_ns: int = 0,
) -> Source:
    """Find out which kind of input a path is, and whether it can be read.

    Args:
        path: a bag (folder, .mcap, .db3), a tub of donkeycar, a video, a folder of pictures, or a picture.
        topic: the bag's image topic, or the tub's field; may be left out if it has one.
        rois: the bag's topic with boxes to classify; may be left out if its name ends in "rois".
        use_rois: False leaves boxes out, and no shot has any.
        start_ns: stamp of the first shot of a video or picture, which have no clock.

    Raises:
        InputError: it is missing, unreadable or empty, or the bag or tub has no such image topic.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if is_bag(path):
        return open_bag(path, topic, rois, use_rois=use_rois)
    if is_tub(path):
        return open_tub(path, topic, start_ns)
    if path.is_dir():
        return _open_pictures(path.absolute().name, _files(path), start_ns)
    kind = folders.kind_of(path)
    if kind == VIDEO:
        return videos.open_video(path, start_ns)
    if kind is None:
        return _open_pictures(path.name, [path], start_ns)
    what = "; ".join(filter(None, (with_article(kind), advice(kind))))
    raise InputError(
        f"{path}: {what}. Inputs are bags (.mcap, .db3), tubs of donkeycar (folders), "
        f"videos ({', '.join(videos.SUFFIXES[:4])}, …), pictures ({', '.join(pictures.SUFFIXES[:4])}, …) and "
        "folders of pictures"
    )


def has_clock(path: Path) -> bool:
    """Whether an input says itself when its shots were taken, as bags and most tubs do."""
    return is_bag(path) or (is_tub(path) and has_times(path))


def _files(folder: Path) -> Sequence[Path]:
    """The pictures of a folder; what is passed over is reported."""
    listing = folders.list_pictures(folder)
    remarks = folders.describe(folder, listing)
    if not listing.pictures:
        tubs = [entry.name for entry in sorted(folder.iterdir()) if is_tub(entry)]
        if tubs:
            raise InputError(f"{folder}: a folder of tubs; give one or more of them: {', '.join(tubs)}")
        raise InputError(
            f"{folder}: a folder with neither a bag nor pictures ({', '.join(pictures.SUFFIXES)})"
            + "".join(remark.removeprefix(str(folder)) for remark in remarks)
        )
    for remark in remarks:
        _log.warning("%s", remark)
    return listing.pictures


def _open_pictures(name: str, paths: Sequence[Path], start_ns: int) -> Source:
    end_ns = start_ns + len(paths) * PICTURE_NS
    shots = partial(_pictures, paths, start_ns)
    return Source(name, len(paths), 1e9 / PICTURE_NS, end_ns, shots, is_stream=False)


def _pictures(paths: Sequence[Path], start_ns: int) -> Iterator[Shot]:
    for index, path in enumerate(paths):
        stamp = start_ns + index * PICTURE_NS
        image, error, read_ms = attempt(pictures.read, path)
        yield Shot(stamp, stamp, "", path.name, image, error, None, read_ms)
