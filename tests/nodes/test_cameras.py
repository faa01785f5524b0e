"""A frame is decoded once, by whoever needs it first."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from perception import FrameError, frames
from perception.nodes.cameras import Picture
from tests.ros import RED, image, jpeg, solid


def fallback(_: object) -> np.ndarray:
    raise FrameError("encoding", "there is none")


def test_a_frame_is_decoded_once_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    decode, decoded = frames.from_compressed, []

    def slow(message: object) -> np.ndarray:
        decoded.append(message)
        time.sleep(0.1)
        return decode(message)

    monkeypatch.setattr(frames, "from_compressed", slow)
    picture, given = Picture(jpeg(solid(RED), stamp=7)), []
    threads = [threading.Thread(target=lambda: given.append(picture.frame(fallback))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decoded) == 1 and len(given) == 4
    assert all(frame is given[0] for frame in given)
    assert not given[0].flags.writeable  # the others read it, too
    assert picture.header.stamp.sec == 7


def test_whoever_asks_for_a_broken_frame_gets_its_error() -> None:
    picture = Picture(image(solid(RED), encoding="no such thing"))
    for _ in range(2):
        with pytest.raises(FrameError, match="no such thing"):
            picture.frame(fallback)
