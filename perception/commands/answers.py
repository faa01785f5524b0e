"""Answers: what each model says about a shot, which a stream has followed and a single picture has not."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from perception.errors import FrameError, InputError
from perception.model import Follower, Model, NamesThings, ReadsBoxes, Result
from perception.reader import BoxesFrom
from perception.recordings.shots import Shot, Source
from perception.tasks import TASKS, resolve

_log = logging.getLogger(__name__)
_MOST = 0.9  # of crops of signs are found; if fewer are, they should not be searched
_CROP_PX = 256  # pictures up to this size may be signs that somebody cut out


class Answers:
    """Asks the models about the shots of one source after the other.

    Args:
        models: at most one of each task.
        boxes: where the boxes of models that read boxes come from.

    Raises:
        ValueError: boxes are to be found, but a model that reads boxes has nothing that finds them.
    """

    def __init__(self, models: Sequence[Model], boxes: BoxesFrom) -> None:
        # A bad box costs only the answers that follow, so models that read boxes come last.
        self.models = sorted(models, key=lambda model: isinstance(model, ReadsBoxes))
        self._boxes = boxes
        self._followers: dict[str, Follower] = {}
        for model in self.models:
            task = TASKS[model.spec.task]
            if boxes != "frame" and task.follower:
                self._followers[model.spec.task] = resolve(task.follower)(model, boxes)
        self._source: Source | None = None
        self._pictures = self._named = self._largest = 0

    def begin(self, source: Source) -> None:
        """Begin another source; nothing of the last one is followed into it."""
        self.end()
        self._source = source
        for follower in self._followers.values():
            follower.reset()

    def end(self) -> None:
        """End a source; hint at pictures that are parts of a frame."""
        if self._largest <= _CROP_PX and self._named < _MOST * self._pictures:
            _log.warning(
                "%s: nothing known was found in %d of %d pictures, and the largest has %d px; are these "
                "crops of signs? --boxes frame reads each as one sign",
                self._source.name if self._source else "",
                self._pictures - self._named,
                self._pictures,
                self._largest,
            )
        self._pictures = self._named = self._largest = 0

    def about(self, shot: Shot) -> Iterator[tuple[Model, Result]]:
        """Each model with its answer, as they come.

        Raises:
            FrameError: the shot or one of its boxes is bad.
        """
        if shot.image is None:
            raise shot.error or FrameError("data", "no picture")
        for model in self.models:
            yield model, self._ask(model, shot)

    def _ask(self, model: Model, shot: Shot) -> Result:
        assert shot.image is not None and self._source is not None
        follower = self._followers.get(model.spec.task)
        if follower is not None and self._source.is_stream:
            # A driver may leave all stamps at zero; then the time of recording is all that there is.
            return follower.follow(shot.image, shot.boxes, shot.stamp_ns or shot.time_ns)
        if not isinstance(model, ReadsBoxes):
            return model(shot.image)
        if self._boxes != "detector":
            return model.classify_boxes(shot.image, shot.boxes)
        result = model(shot.image)
        self._pictures += 1
        self._named += isinstance(result, NamesThings) and any(result.sightings())
        self._largest = max(self._largest, *shot.image.shape[:2])
        return result


def check_boxes(source: Source, boxes: BoxesFrom) -> None:
    """See that a source has the boxes that are asked for, and mention those that are not.

    Raises:
        InputError: it has none.
    """
    others = source.unused_boxes
    if boxes == "rois" and not source.box_topic:
        remedy = f"--rois {others[0]} takes those of that topic" if others else "--boxes detector finds them"
        why = "no topic of boxes has a name that ends in rois" if others else "it has no boxes"
        raise InputError(f"{source.name}: {why}; {remedy}")
    if boxes == "detector" and others:
        takes = "--boxes rois" if len(others) == 1 and others[0].endswith("rois") else f"--rois {others[0]}"
        _log.warning(
            "%s: signs are found in the frames; the boxes on %s are not used, %s takes them",
            source.name,
            ", ".join(others),
            takes,
        )
