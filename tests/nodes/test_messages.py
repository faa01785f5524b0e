"""Results as messages."""

from __future__ import annotations

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from perception import Sign, Signs, topics
from perception.nodes import messages


def sign(class_id: int, score: float, known: bool) -> Sign:
    return Sign(class_id, f"sign {class_id}", score, float(known), known, None, np.zeros(0, np.float32), {})


def test_known_signs_come_surest_first_and_unknown_ones_not_at_all():
    signs = Signs((sign(3, 0.7, True), sign(4, 0.99, False), sign(5, 0.9, True)))

    (build,) = [t.build for t in topics.of_task("signs").results if t.name == "signs/classification"]
    message = build(messages.make, signs, topics.Origin(Header(frame_id="front"), (40, 60)))

    assert [(one.class_id, one.score) for one in message.results] == [("5", 0.9), ("3", 0.7)]
    assert message.header.frame_id == "front"


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_an_image_holds_the_pixels_row_by_row(shape: tuple[int, ...]):
    picture = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)

    message = topics.image(messages.make, picture, "bgr8", Header())

    assert (message.height, message.width, message.step) == (5, 7, picture.nbytes // 5)
    assert bytes(message.data) == picture.tobytes()


def test_numbers_that_would_end_the_process_when_sent_become_floats():
    point = messages.make("geometry_msgs/msg/Point", x=1, y=np.float32(2.5), z=np.int64(3))
    numbers = [point.x, point.y, point.z]
    assert numbers == [1.0, 2.5, 3.0] and {type(number) for number in numbers} == {float}
    assert serialize_message(point)
    assert messages.make("sensor_msgs/msg/Range", radiation_type=1, range=2).radiation_type == 1
