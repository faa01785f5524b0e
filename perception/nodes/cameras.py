"""Cameras: each camera topic is subscribed to once in a process, and each of its frames decoded once.

image_raw ─► the one subscription ─► Picture ─► every node that listens ─► its worker
                                        └ decoded by the worker that needs it first
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from perception import frames, topics
from perception.frames import Fallback, Frame
from perception.nodes import inputs
from perception.nodes.messages import message_class, qos_profile
from perception.topics import Qos


class Picture:
    """A camera's message, and once somebody has asked for it, the frame in it.

    Attributes:
        message: as it came.
    """

    def __init__(self, message: Image | CompressedImage) -> None:
        self.message = message
        self._lock = threading.Lock()
        self._frame: Frame | None = None

    @property
    def header(self) -> Any:
        """The message's std_msgs/Header."""
        return self.message.header

    def frame(self, fallback: Fallback) -> Frame:
        """The frame, (H, W, 3) uint8 BGR and read-only; of several threads, one decodes and the others wait.

        Args:
            fallback: see ``frames.from_image``.

        Raises:
            FrameError: the message cannot be decoded; whoever asks next gets the same error.
        """
        with self._lock:
            if self._frame is None:
                if isinstance(self.message, Image):
                    frame = frames.from_image(self.message, fallback=fallback)
                else:
                    frame = frames.from_compressed(self.message)
                frame.flags.writeable = False  # others read it, too
                self._frame = frame
            return self._frame


@dataclass
class _Feed:
    """One topic: who listens, and the subscription, which is the first listener's."""

    transport: str
    qos: Qos = topics.NEWEST_RELIABLE
    listeners: list[Any] = field(default_factory=list)
    subscription: Subscription | None = None


class Cameras:
    """The camera topics of one process.

    Frames are asked for reliably as long as every camera offers that, because Fast DDS loses most best-effort
    messages over 512 kB; of those that arrive the newest still wins.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._feeds: dict[tuple[str, str], _Feed] = {}

    def listen(self, node: Any, transport: str) -> None:
        """Give a node the frames of its camera, until it leaves.

        Args:
            node: its ``on_picture`` is called with each Picture, and must return at once. That may be in the
                thread of another node; ``failed`` gets what it raised.
            transport: a key of ``topics.CAMERA``.
        """
        key = (transport, node.resolve_topic_name(inputs.camera_topic(node, transport)))
        with self._lock:
            feed = self._feeds.setdefault(key, _Feed(transport))
            feed.listeners.append(node)
            if feed.subscription is None:
                self._subscribe(feed)

    def leave(self, node: Node) -> None:
        """Stop a node's frames, if it has any; the others' go on."""
        with self._lock:
            for key, feed in list(self._feeds.items()):
                if node not in feed.listeners:
                    continue
                was_first = feed.listeners[0] is node
                if was_first:
                    self._unsubscribe(feed)
                feed.listeners.remove(node)
                if not feed.listeners:
                    del self._feeds[key]
                elif was_first and node.context.ok():  # at a shutdown, all leave
                    self._subscribe(feed)

    def subscription(self, node: Node) -> Subscription | None:
        """That which brings a node's frames; None if it does not listen."""
        with self._lock:
            return next((feed.subscription for feed in self._feeds.values() if node in feed.listeners), None)

    def _subscribe(self, feed: _Feed) -> None:
        node = feed.listeners[0]
        feed.subscription = node.create_subscription(
            message_class(topics.CAMERA[feed.transport][0]),
            inputs.camera_topic(node, feed.transport),
            self._to(feed),
            qos_profile(feed.qos),
            event_callbacks=inputs.SubscriptionEventCallbacks(
                incompatible_qos=lambda _: self._take_best_effort(feed)
            ),
        )

    def _unsubscribe(self, feed: _Feed) -> None:
        feed.listeners[0].destroy_subscription(feed.subscription)
        feed.subscription = None

    def _take_best_effort(self, feed: _Feed) -> None:
        """A camera publishes best effort, so reliable cannot be asked for."""
        with self._lock:
            if feed.subscription is not None and feed.qos.reliable:
                self._unsubscribe(feed)
                feed.qos = topics.NEWEST
                self._subscribe(feed)

    def _to(self, feed: _Feed) -> Callable[[Image | CompressedImage], None]:
        def deliver(message: Image | CompressedImage) -> None:
            picture = Picture(message)
            with self._lock:  # once a node has left, nothing more comes to it
                for listener in feed.listeners:
                    try:
                        listener.on_picture(picture)
                    except Exception as error:  # what goes wrong in one node costs no other its frame
                        listener.failed(error)

        return deliver
