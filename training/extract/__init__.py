"""Extract: the frames of drives that are worth labelling, with what models already say about them.

drives ─► scan: the sharpest frame of each stretch, its look, how unsure the models are
       ─► choose: the most different and most uncertain
       ─► write: pictures, label images to correct, crops of signs to sort, picks.json, report.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

import perception
from perception.errors import InputError, ModelError
from perception.frames import Frame, resize
from perception.model import Model, Result
from perception.paths import shared
from perception.recordings.shots import Source
from perception.recordings.sources import open_source
from perception.tasks import TASKS, resolve
from training.extract.candidates import Judge, Look, scan, thumbnail
from training.extract.choose import choose
from training.extract.extraction import Extraction, Labeller
from training.extract.write import Extracted, write
from training.onnx.features import Features
from training.tasks import column


def extract(
    inputs: Sequence[Path],
    out: Path,
    *,
    count: int = 40,
    models: Sequence[Path] = (),
    detector: Path | None = None,
    topic: str | None = None,
) -> Extracted:
    """Pick the frames of drives that are worth labelling, and write them.

    The same inputs and models give the same picks. The inputs are read twice: to judge them, and to write
    the few that were picked.

    Args:
        inputs: drives: bags, videos, tubs or folders of pictures.
        out: a folder that does not exist yet.
        count: how many frames are wanted; there are fewer if the rest look like them.
        models: whose doubts count, and whose answers are written beside the frames.
        detector: what finds signs for a model that reads them; None takes the shipped one.
        topic: of the images, in bags that have several.

    Raises:
        InputError: ``out`` exists, or an input cannot be read or has no usable frame.
        ModelError: a model cannot be used.
        WrongTaskError: nothing is extracted for a model's task.
    """
    require(out, count)
    sources = [open_source(path, topic=topic, use_rois=False) for path in inputs]
    with opened(models, detector) as labelling:
        return pick(sources, out, labelling, count=count, with_progress=True)


def require(out: Path, count: int) -> None:
    """Refuse options that make no sense.

    Raises:
        InputError: ``out`` exists, or ``count`` is below 1.
    """
    if out.exists():
        raise InputError(f"{out} exists already; give the name of a new folder")
    if count < 1:
        raise InputError(f"--count is {count}; it must be 1 or more")


@dataclass(frozen=True)
class Labelling:
    """Models that are open.

    Attributes:
        labellers: each with what its task does with its results.
        judge: asks all of them about a frame.
        names: of their files.
    """

    labellers: tuple[Labeller, ...]
    judge: Judge
    names: tuple[str, ...]


@contextmanager
def opened(models: Sequence[Path], detector: Path | None) -> Iterator[Labelling]:
    """Open models; for the arguments see ``extract``."""
    with ExitStack() as stack:
        labellers = tuple(stack.enter_context(_opened(path, detector)) for path in models)
        yield Labelling(labellers, _judge(models, labellers), tuple(path.name for path in models))


def pick(
    sources: Sequence[Source], out: Path, labelling: Labelling, *, count: int, with_progress: bool
) -> Extracted:
    """Pick frames of drives by models that are open, and write them; see ``extract``."""
    with _progress("judging", sources, with_progress) as seen:
        found = scan(sources, labelling.judge, seen)
    if not found.candidates:
        names = ", ".join(source.name for source in sources)
        raise InputError(f"{names}: none of {found.frames} frames can be used")
    picks = choose(found.candidates, count)
    done = Extracted(out, tuple(source.name for source in sources), found, picks, count, labelling.names)
    with _progress("writing", sources, with_progress) as seen:
        write(done, sources, labelling.labellers, seen)
    return done


@contextmanager
def _opened(path: Path, detector: Path | None) -> Iterator[Labeller]:
    """A model, with what finds its boxes if it reads boxes."""
    with ExitStack() as stack:
        model: Model = stack.enter_context(perception.load(path))
        task = TASKS[model.spec.task]
        extraction: Extraction = column(model.spec.task, "extract")
        if task.finder:
            finder = perception.load(detector or shared(f"models/{TASKS[task.finder].file}"))
            model = resolve(task.reader)(stack.enter_context(finder), model)
        yield Labeller(model, extraction)


def _judge(paths: Sequence[Path], labellers: Sequence[Labeller]) -> Judge:
    """Ask all models; a frame's look comes from the first one that sees whole frames."""
    look: Callable[[Frame], Look] = thumbnail
    for path, labeller in zip(paths, labellers):
        if labeller.task.has_look and look is thumbnail:
            look = _look_of(path, labeller.model)

    def judged(frame: Frame) -> tuple[Look, tuple[float, ...]]:
        results: list[Result] = [labeller.model(frame) for labeller in labellers]
        unsure = (labeller.task.unsure(result) for labeller, result in zip(labellers, results))
        return look(frame), tuple(unsure)

    return judged


def _look_of(path: Path, model: Model) -> Callable[[Frame], Look]:
    """A net's deepest features; thumbnails, which is said, if it has none."""
    try:
        features = Features(path)
    except ModelError as error:
        print(f"{error}; frames are compared as small pictures instead")
        return thumbnail

    def look(frame: Frame) -> Look:
        first: Look = features(resize(frame, model.spec.input_hw)[None])[0]
        return first

    return look


@contextmanager
def _progress(what: str, sources: Sequence[Source], is_shown: bool) -> Iterator[Callable[[], None]]:
    """A progress bar; calling what it gives counts a frame."""
    with Progress(transient=True, disable=not is_shown) as progress:
        task = progress.add_task(what, total=sum(source.count for source in sources))
        yield lambda: progress.advance(task)
