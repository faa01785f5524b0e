"""The demo's figures of a recording: counted and timed by hand."""

from __future__ import annotations

import struct

import pytest

from perception.demo.recorder import IMAGE, RESULTS, TOPICS, traffic
from perception.nodes.serialized import Message

MS = 1_000_000
START = 5_000 * MS


def message(topic: str, stamp: int, sent_ms: int, received_ms: int) -> Message:
    """As DDS brings it: four bytes of CDR, then seconds and nanoseconds of the stamp."""
    data = bytes(4) + struct.pack("<iI", stamp, 7 * stamp) + b"and so on"
    return Message(topic, START + sent_ms * MS, START + received_ms * MS, data)


def test_results_are_timed_from_the_publishing_of_the_image_with_their_stamp() -> None:
    images = [message(IMAGE, 1, 0, 3), message(IMAGE, 2, 100, 104), message(IMAGE, 3, 200, 205)]
    others = [message(topic, 1, 0, 0) for topic in TOPICS if topic not in (IMAGE, *RESULTS)]
    # The second image is answered before the first, the third never; one answer is to no image.
    answers = [(2, 120), (1, 140), (9, 150)]
    results = [message(topic, stamp, 0, at) for topic in RESULTS for stamp, at in answers]
    by_topic = traffic([*images, *others, *results])
    assert by_topic[IMAGE].count == 3 and by_topic[IMAGE].latency_ms is None
    assert by_topic[IMAGE].rate_hz == pytest.approx(2 / 0.202)
    for topic in RESULTS:
        assert by_topic[topic].count == 3
        assert by_topic[topic].latency_ms == pytest.approx((80.0, 134.0, 138.8))
    assert by_topic["/diagnostics"].rate_hz is None
