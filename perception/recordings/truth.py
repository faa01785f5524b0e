"""Truth: what is known about the frames of a drive, as results to compare with.

A bag may have it on topics: masks that somebody recorded or made, or boxes with their true classes. A folder
has it as label images: ``masks/`` and ``classes.json`` beside ``images/``, as the training reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from perception import pictures, topics
from perception.errors import FrameError, InputError
from perception.model import LabelsPixels, Result
from perception.recordings.bag import BagReader
from perception.recordings.shots import Shot
from perception.segmentation import RoadMask
from perception.spec import ModelSpec
from perception.tasks import UNLABELLED, shipped

IMAGES, MASKS, CLASSES = "images", "masks", "classes.json"

_BLACK = (0, 0, 0)
_ONE_BYTE = ("mono8", "8UC1")


class Truth(Protocol):
    """What is true of the shots of one source, which are asked for in their order."""

    def of(self, shot: Shot) -> Sequence[Result]:
        """What is true of a shot; empty where nobody knows.

        Raises:
            InputError: the truth cannot be read.
        """

    def close(self) -> None:
        """Close its files."""


class NoTruth:
    """Nothing is known."""

    def of(self, shot: Shot) -> Sequence[Result]:
        return ()

    def close(self) -> None:
        pass


class TopicTruth:
    """Messages of a bag with the stamps of its images.

    Args:
        path: the bag.
        names: its topics that are the truth.
        specs: of the models; what ids mean where the bag does not say.
        where: names a topic's place in error messages, as the file that asks for it has it.

    Raises:
        InputError: the bag cannot be read, or a topic is not there or cannot be the truth.
    """

    def __init__(
        self, path: Path, names: Sequence[str], specs: Sequence[ModelSpec], where: Mapping[str, str]
    ) -> None:
        self._streams: list[_Stream] = []
        try:
            for name in names:
                self._streams.append(_Stream(path, name, specs, where[name]))
        except BaseException:
            self.close()
            raise

    def of(self, shot: Shot) -> Sequence[Result]:
        found = [stream.at(shot.stamp_ns) for stream in self._streams]
        return [result for result in found if result is not None]

    def close(self) -> None:
        for stream in self._streams:
            stream.close()


class _Stream:
    """One topic, read along with the images, so that few messages are in memory."""

    def __init__(self, path: Path, name: str, specs: Sequence[ModelSpec], where: str) -> None:
        tasks = {topics.of_task(task).shown.kind: task for task in reversed(shipped())}
        self._name, self._where = name, where
        self._bag = BagReader(path, quiet=True)
        try:
            kind = self._bag.topics.get(name, "")
            if kind not in tasks:
                what = f"is of type {kind}" if kind else f"is not in {path}"
                raise InputError(f"{where}: {name} {what}; the truth is on topics of {' or '.join(tasks)}")
            self._task = topics.of_task(tasks[kind])
            spec = next((spec for spec in specs if spec.task == tasks[kind]), None)
            own = dict(enumerate(spec.labels if spec else ()))
            self._labels = _recorded_labels(self._bag, name, tasks[kind]) or own
        except BaseException:
            self.close()
            raise
        self._messages = self._bag.messages([name])
        self._waiting: dict[int, Any] = {}
        self._newest_ns: int | None = None

    def close(self) -> None:
        self._bag.close()

    def at(self, stamp_ns: int) -> Result | None:
        """The message with a stamp; stamps ascend."""
        while self._newest_ns is None or self._newest_ns < stamp_ns:
            _, _, message = next(self._messages, (None, None, None))
            if message is None:
                break
            self._newest_ns = topics.stamp_ns(message)
            self._waiting[self._newest_ns] = message
        message = self._waiting.pop(stamp_ns, None)
        self._waiting = {stamp: kept for stamp, kept in self._waiting.items() if stamp > stamp_ns}
        if message is None:
            return None
        where = f"{self._where}: a message on {self._name}"
        if getattr(message, "encoding", _ONE_BYTE[0]) not in _ONE_BYTE:
            raise InputError(f"{where} is a picture ({message.encoding}); a mask has {_ONE_BYTE[0]}")
        try:
            result = self._task.parse(message, self._labels, [_BLACK] * len(self._labels))
        except ValueError as error:
            raise InputError(f"{where} is no truth: {error}; class ids must be numbers") from error
        if isinstance(result, LabelsPixels):
            _check_ids(result.class_ids, result.labels, where)
        return result


def _recorded_labels(bag: BagReader, name: str, task: str) -> dict[int, str]:
    """The classes behind the ids, where the node that made the topic was recorded with its labels."""
    own = topics.of_task(task).shown.name
    info = f"{name.removesuffix(own)}{topics.label_info_name(task)}" if name.endswith(own) else ""
    if info not in bag.topics:
        return {}
    _, _, message = next(iter(bag.messages([info])))
    return {entry.class_id: entry.class_name for entry in message.class_map}


class FolderTruth:
    """Label images beside pictures.

    Args:
        root: the folder with ``images/`` and ``masks/``; ``classes.json`` is in it or beside it.

    Raises:
        InputError: ``classes.json`` is missing or is none.
    """

    def __init__(self, root: Path) -> None:
        self._masks = root / MASKS
        beside = root.absolute().parent / CLASSES  # as of root/val/images
        self._labels = _read_labels(
            beside if beside.exists() and not (root / CLASSES).exists() else root / CLASSES
        )

    def of(self, shot: Shot) -> Sequence[Result]:
        path = self._masks / f"{Path(shot.name).stem}.png"
        if not path.exists():
            return ()
        try:
            ids = pictures.read_ids(path)
        except FrameError as error:
            raise InputError(f"{path}: no label image: {error}") from error
        _check_ids(ids, self._labels, str(path))
        return (RoadMask(ids, ids, self._labels, (_BLACK,) * len(self._labels)),)

    def close(self) -> None:
        pass


def _check_ids(ids: NDArray[np.uint8], labels: Sequence[str], where: str) -> None:
    strange = sorted(set(np.unique(ids).tolist()) - {*range(len(labels)), UNLABELLED})
    if strange:
        raise InputError(
            f"{where}: no class has the ids {', '.join(map(str, strange))}; the classes are "
            f"{', '.join(labels)}, from 0 on, and {UNLABELLED} is for pixels without one"
        )


def has_masks(path: Path) -> bool:
    """Whether a folder has pictures and label images."""
    return all((path / name).is_dir() for name in (IMAGES, MASKS))


def _read_labels(path: Path) -> tuple[str, ...]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return tuple(str(entry["name"]) for entry in entries)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror}; it names the classes of the masks"
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f'{path}: not a list of classes, [{{"name": "Road"}}, …]: {error}') from error
