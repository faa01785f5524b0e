"""Tries: what somebody gave to be looked at, and what ``perception run`` found in it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from perception import topics
from perception.boxes import Box
from perception.frames import Frame
from perception.model import HasShares, NamesThings, Placed, Result
from perception.paths import natural_order
from perception.reader import BoxesFrom
from perception.recordings.bag import BagReader
from perception.recordings.sources import open_source
from perception.tasks import shipped
from studio.jobs import DONE, Job

KIND = "try"
NONE = "none"


@dataclass(frozen=True)
class Found:
    """One thing in a frame.

    Attributes:
        label: its class.
        score: 0…1.
        box: (x1, y1, x2, y2) px; None for the whole frame.
        is_known: whether it is of a class that the model knows.
    """

    label: str
    score: float
    box: Box | None
    is_known: bool


@dataclass(frozen=True)
class Answer:
    """What was found in a frame.

    Attributes:
        things: signs, the surest first.
        shares: of the frame by class, 0…1, the largest first.
    """

    things: tuple[Found, ...]
    shares: Mapping[str, float]


@dataclass(frozen=True)
class Choice:
    """What shall look.

    Attributes:
        models: file by task, ``"none"`` to leave the task out.
        boxes: where signs are, as ``--boxes`` of ``perception run`` has it.
        detector: file of the model that finds them; None for the shipped one.
    """

    models: Mapping[str, str]
    boxes: BoxesFrom = "detector"
    detector: Path | None = None


def command(given: Path, out: Path, choice: Choice) -> list[str]:
    """The command that looks at a file.

    Args:
        given: picture, video, bag, tub or folder of pictures.
        out: folder for what it finds.
        choice: what looks.
    """
    argv = [sys.executable, "-m", "perception", "run", str(given), "--out", str(out), "--boxes", choice.boxes]
    for task, model in choice.models.items():
        argv += [f"--{task}", model]
    argv += ["--detector", str(choice.detector)] if choice.detector else []
    return argv


def given(job: Job) -> Path:
    """What a try looks at."""
    return Path(job.argv[4])


def model_of(job: Job, task: str) -> Path | None:
    """The model file of a task that a try used; None if it left the task out."""
    name = job.argv[job.argv.index(f"--{task}") + 1]
    return None if name == NONE else Path(name)


def out(job: Job) -> Path:
    """Folder of what a try found."""
    return Path(job.about) / "out"


def pictures(job: Job) -> Sequence[Path]:
    """The frames with what was found drawn over them, as far as they are there."""
    folder = out(job) / "overlay"
    return _pictures(folder, folder.stat().st_mtime_ns) if folder.is_dir() else ()


def answer(job: Job, number: int) -> Answer:
    """What was found in a frame.

    Args:
        job: a try that is done.
        number: of the frame, among those that could be used.
    """
    things: list[Found] = []
    shares: dict[str, float] = {}
    if job.state == DONE:
        for result in _results(out(job) / "results", number):
            if isinstance(result, NamesThings):
                things += [_found(thing) for thing in result.sightings()]
            if isinstance(result, HasShares):
                shares |= {label: share for label, share in result.fractions().items() if share > 0}
    largest = dict(sorted(shares.items(), key=lambda item: -item[1]))
    return Answer(tuple(sorted(things, key=lambda thing: -thing.score)), largest)


def frame(job: Job, number: int) -> Frame | None:
    """A frame as it was, among those that could be used; None if there is none of this number.

    Raises:
        InputError: what was given cannot be read any more.
    """
    good = (shot.image for shot in open_source(given(job)).shots() if shot.image is not None)
    return next(islice(good, number, None), None)


def forget(job: Job) -> None:
    """Delete what was uploaded and what was found in it."""
    shutil.rmtree(job.about, ignore_errors=True)


@lru_cache(maxsize=8)
def _pictures(folder: Path, changed: int) -> Sequence[Path]:
    """The pictures in a folder; ``changed`` has them listed anew when one has come."""
    return sorted(folder.glob("*.jpg"), key=lambda path: natural_order(path.name))


def _found(thing: Any) -> Found:
    box = thing.box if isinstance(thing, Placed) else None
    return Found(thing.label, float(thing.score), box, bool(thing))


@lru_cache(maxsize=64)
def _results(bag: Path, number: int) -> tuple[Result, ...]:
    return tuple(_read(bag, number))


def _read(bag: Path, number: int) -> Iterator[Result]:
    """The results of the frame of this number, one of each task."""
    with BagReader(bag, quiet=True) as reader:
        for task in shipped():
            of_task = topics.of_task(task)
            name, info = f"/{of_task.shown.name}", f"/{topics.label_info_name(task)}"
            if not {name, info} <= set(reader.topics):
                continue
            names = {
                entry.class_id: entry.class_name
                for _, _, message in reader.messages([info])
                for entry in message.class_map
            }
            message = reader.at(name, number)
            if message is not None:
                yield of_task.parse(message, names, ())
