"""Reader: a frame in, all traffic signs in it out, read; on a stream, followed from frame to frame.

frame ─► SignDetector ─► boxes ─► SignClassifier ─► Signs ─► SignTracker ─► Tracks
"""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType
from typing import Literal, get_args

from numpy.typing import ArrayLike

from perception.detection import SignDetector
from perception.frames import Frame
from perception.model import Result
from perception.signs import Sign, SignClassifier, Signs
from perception.spec import ModelSpec
from perception.tracking import SignTracker

BoxesFrom = Literal["detector", "rois", "frame"]
BOXES_FROM: tuple[BoxesFrom, ...] = get_args(BoxesFrom)


class SignReader:
    """Finds the signs in a frame and reads them.

    Args:
        find: says where signs are.
        classify: says which they are. Closing the reader closes both.
    """

    def __init__(self, find: SignDetector, classify: SignClassifier) -> None:
        self.find = find
        self.classify = classify

    @property
    def spec(self) -> ModelSpec:
        """What the classifier's file says about itself."""
        return self.classify.spec

    @property
    def device(self) -> str:
        """Where the classifier runs: ``"cpu"``, ``"cuda"`` or ``"tensorrt"``."""
        return self.classify.device

    def __call__(self, frame: Frame) -> Signs:
        """The same as ``read``."""
        return self.read(frame)

    def read(self, frame: Frame) -> Signs:
        """Find and read the signs in one frame, (H, W, 3) uint8 BGR of any size.

        Returns:
            One for each box that was found, the surest box first, known or not. All go through the classifier
            in one call. What hardly looks like a sign is known only if it reads the more like one.

        Raises:
            FrameError: the frame is not such an array.
        """
        boxes = self.find(frame)
        signs = self.classify.classify_boxes(frame, boxes.xyxy)
        finding = {f"find {stage}": value for stage, value in boxes.latency_ms.items()}
        latency_ms = {**finding, **signs.latency_ms}
        found = (
            replace(sign, found=score, is_known=_is_known(sign, score), latency_ms=latency_ms)
            for sign, score in zip(signs, boxes.scores.tolist(), strict=True)
        )
        return Signs(tuple(found), latency_ms)

    def classify_boxes(self, frame: Frame, boxes_xyxy: ArrayLike | None) -> Signs:
        """Read the signs in boxes that somebody else found; see ``SignClassifier.classify_boxes``."""
        return self.classify.classify_boxes(frame, boxes_xyxy)

    def close(self) -> None:
        """Free the memory of both models; the reader cannot be called any more."""
        self.find.close()
        self.classify.close()

    def __enter__(self) -> SignReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _is_known(sign: Sign, found: float) -> bool:
    """Whether detector and classifier together take a box for a known sign: the product of their odds."""
    return sign.is_known and found * sign.known >= (1.0 - found) * (1.0 - sign.known)


class SignFollower:
    """Reads a stream of frames and follows its signs.

    Args:
        model: a reader; a classifier will do if the boxes come from elsewhere.
        tracker: what follows them.
        boxes: where boxes come from: ``"detector"`` finds them, ``"rois"`` takes those that come with each
            frame, ``"frame"`` takes every frame as one sign, which is not followed.

    Raises:
        ValueError: ``boxes`` is none of these, or it is ``"detector"`` and the model finds none.
    """

    def __init__(
        self, model: SignReader | SignClassifier, tracker: SignTracker, boxes: BoxesFrom = "detector"
    ) -> None:
        if boxes not in BOXES_FROM:
            raise ValueError(f"boxes is {boxes!r}; it must be one of {', '.join(BOXES_FROM)}")
        if boxes == "detector" and not isinstance(model, SignReader):
            raise ValueError("boxes is 'detector', but the model finds none; give a SignReader")
        self._model = model
        self._tracker = tracker
        self._boxes = boxes

    @classmethod
    def of(cls, model: SignReader | SignClassifier, boxes: BoxesFrom = "detector") -> SignFollower:
        """A follower with a tracker of its own."""
        return cls(model, SignTracker(model.spec), boxes)

    def follow(self, frame: Frame, boxes_xyxy: ArrayLike | None, stamp_ns: int) -> Result:
        """Read the next frame.

        Args:
            frame: (H, W, 3) uint8 BGR of any size.
            boxes_xyxy: (M, 4) corners in pixels that came with it; used for ``"rois"`` only, where None takes
                the frame as one sign, which is not followed.
            stamp_ns: when it was taken.

        Returns:
            Tracks, or the frame's own Signs where nothing is followed.

        Raises:
            FrameError: the frame or a box is bad; what was followed stays as it was.
        """
        if self._boxes == "detector":
            assert isinstance(self._model, SignReader)  # checked at the start
            signs = self._model.read(frame)
        elif self._boxes == "frame" or boxes_xyxy is None:
            return self._model.classify_boxes(frame, None)
        else:
            signs = self._model.classify_boxes(frame, boxes_xyxy)
        return self._tracker.update(signs, stamp_ns, size_hw=frame.shape[:2])

    def reset(self) -> None:
        """Forget all that was followed, as after a jump in time."""
        self._tracker.reset()
