"""The webcam of a browser: models answer about its frames as they come."""

from __future__ import annotations

import argparse
import base64
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import cv2

from perception.commands import replay
from perception.commands.answers import Answers
from perception.commands.models import open_models
from perception.frames import decode
from perception.model import NamesThings, Result
from perception.recordings.shots import Shot, Source
from perception.report.summary import overlay
from studio.tries import Choice

QUALITY = 80
IDLE_S = 60.0  # without a frame, after which the models are closed


class Webcam:
    """Opens models at the first frame and closes them when no more come; one frame at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._choice: Choice | None = None
        self._answers: Answers | None = None
        self._stream = ""
        self._timer: threading.Timer | None = None

    def answer(self, data: bytes, choice: Choice, stream: str) -> Mapping[str, Any]:
        """What models say about a frame.

        Args:
            data: of a JPEG or PNG.
            choice: the models; others than for the last frame are opened first.
            stream: which page it comes from; signs are followed from frame to frame of one stream.

        Returns:
            ``picture``, a data URL of the frame with all results drawn in; ``signs``, captions of those that
            are known; ``ms`` by stage.

        Raises:
            FrameError: the frame cannot be used.
            ModelError: a model cannot be used.
        """
        begin = time.perf_counter()
        frame = decode(data)
        read_ms = (time.perf_counter() - begin) * 1000.0
        with self._lock:
            answers = self._opened(choice, stream)
            now = time.monotonic_ns()
            shot = Shot(now, now, "", "webcam", frame, None, None, read_ms)
            by_task = {model.spec.task: result for model, result in answers.about(shot)}
            self._close_later()
        results = list(by_task.values())
        jpeg = cv2.imencode(".jpg", overlay(frame, results), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
        return {
            "picture": f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}",
            "signs": _captions(results),
            "ms": {stage: round(ms, 1) for stage, ms in replay.latency_ms(shot, by_task).items()},
        }

    def close(self) -> None:
        """Free the models' memory."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for model in self._answers.models if self._answers else ():
            model.close()
        self._answers = self._timer = None

    def _opened(self, choice: Choice, stream: str) -> Answers:
        if self._answers is None or choice != self._choice:
            self._close()
            options = argparse.Namespace(**choice.models, detector=choice.detector, device="auto")
            self._answers = Answers(open_models(options, choice.boxes), choice.boxes)
            self._choice, self._stream = choice, ""
        if stream != self._stream:
            self._stream = stream
            self._answers.begin(Source("webcam", 0, 1.0, 0, lambda: iter(())))
        return self._answers

    def _close_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(IDLE_S, self.close)
        self._timer.daemon = True
        self._timer.start()


def _captions(results: Sequence[Result]) -> list[str]:
    return [
        thing.caption
        for result in results
        if isinstance(result, NamesThings)
        for thing in result.sightings()
        if thing
    ]
