"""Job: a frame on its way from the camera's topic to the worker."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from sensor_msgs.msg import CompressedImage, Image

from perception import topics
from perception.latency import Stopwatch
from perception.nodes.cameras import Picture


@dataclass(frozen=True)
class Job:
    """A frame on its way to the worker; a node that needs more with it adds fields.

    Attributes:
        picture: the camera's message, with its frame.
        watch: started when the frame was there.
        arrived_ns: when the frame was there, by a clock that nobody sets.
    """

    picture: Picture
    watch: Stopwatch = field(default_factory=Stopwatch)
    arrived_ns: int = field(default_factory=time.monotonic_ns, kw_only=True)

    @property
    def image(self) -> Image | CompressedImage:
        """The camera's message."""
        return self.picture.message

    @property
    def time_ns(self) -> int:
        """When the frame was taken: its stamp, or where a camera sets none, when it arrived."""
        return topics.stamp_ns(self.image) or self.arrived_ns
