"""What tests of nodes need: messages, a peer on the network, nodes in processes of their own."""

from __future__ import annotations

import array
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from perception.demo.domain import own_domain

# Before anything of ROS starts: neither another run nor another machine may hear these tests, nor the home
# folder keep their logs.
os.environ["ROS_DOMAIN_ID"] = str(own_domain())
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_LOG_DIR"] = str(Path(__file__).parents[1] / "build" / "ros_log")

import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image

from perception.nodes.middleware import use_fast_dds_profile

use_fast_dds_profile()  # a test that starts a process waits for it up to 3 s otherwise

BLUE, GREEN, RED, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)
ROOT = Path(__file__).parents[1]
PATIENCE_S = 20.0
REPEAT_S = 2.0
SETTLE_S = 1.0  # each side discovers the other by itself, and not at the same time


def solid(bgr: tuple[int, int, int], height: int = 40, width: int = 60) -> np.ndarray:
    """A frame of one colour; the test models answer with the strongest channel."""
    return np.full((height, width, 3), bgr, np.uint8)


def image(frame: np.ndarray, stamp: int = 1, encoding: str = "bgr8", **fields: Any) -> Image:
    """An Image message of camera ``front``; fields replace what would be right."""
    message = Image(height=frame.shape[0], width=frame.shape[1], step=frame.strides[0], encoding=encoding)
    message.data = array.array("B", frame.tobytes())
    for name, value in fields.items():
        setattr(message, name, value)
    return stamped(message, stamp)


def jpeg(frame: np.ndarray, stamp: int = 1) -> CompressedImage:
    """The same as CompressedImage."""
    data = cv2.imencode(".jpg", frame)[1].tobytes()
    return stamped(CompressedImage(format="jpeg", data=array.array("B", data)), stamp)


def stamped(message: Any, stamp: int) -> Any:
    """The message at so many seconds, from camera ``front``."""
    message.header.stamp = Time(sec=stamp, nanosec=5)
    message.header.frame_id = "front"
    return message


def pixels(message: Image) -> np.ndarray:
    """The picture in a message as it came."""
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    return rows if message.encoding == "mono8" else rows.reshape(message.height, message.width, 3)


class Peer:
    """A node of the test: it sends, collects, calls."""

    def __init__(self) -> None:
        rclpy.init()
        self.node: Node = rclpy.create_node("peer")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._topics: list[str] = []
        self._clients: dict[str, Any] = {}

    def close(self) -> None:
        """Leave the network."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown()

    def collect(self, message_type: type, topic: str, qos: Any = qos_profile_sensor_data) -> list[Any]:
        """A list that grows by what arrives."""
        messages: list[Any] = []
        self._topics.append(topic)
        self.node.create_subscription(message_type, topic, messages.append, qos)
        return messages

    def sender(
        self, message_type: type, topic: str, qos: Any = qos_profile_sensor_data
    ) -> Callable[[Any], None]:
        """A function that publishes, once there is a subscriber."""
        publisher = self.node.create_publisher(message_type, topic, qos)
        self.until(lambda: publisher.get_subscription_count() > 0, f"a subscriber of {topic}")
        self.spin(SETTLE_S)
        return publisher.publish

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Spin until a condition holds; give back its value."""
        end = time.monotonic() + PATIENCE_S
        while not (value := condition()):
            if time.monotonic() > end:
                pytest.fail(f"waited {PATIENCE_S:.0f} s for {what}; {self._seen()}")
            self._executor.spin_once(timeout_sec=0.05)
        return value

    def _seen(self) -> str:
        """What this side knows of the network, as a hint at what is missing."""
        nodes = [f"{space.rstrip('/')}/{name}" for name, space in self.node.get_node_names_and_namespaces()]
        topics = [
            f"{topic} ({self.node.count_publishers(topic)} to {self.node.count_subscribers(topic)})"
            for topic, _ in self.node.get_topic_names_and_types()
        ]
        return (
            f"nodes seen: {', '.join(sorted(nodes))}; topics (publishers to subscribers): {', '.join(topics)}"
        )

    def spin(self, seconds: float) -> None:
        """Spin for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.02)

    def matched(self, count: int) -> None:
        """Wait until so many of this peer's collections have a publisher."""
        self.until(lambda: sum(map(self._has_publisher, self._topics)) >= count, "the node's publishers")
        self.spin(SETTLE_S)

    def _has_publisher(self, topic: str) -> bool:
        return self.node.count_publishers(topic) > 0

    def call(self, service_type: type, name: str, request: Any) -> Any:
        """Call a service, again and again until it answers: asking twice must do no harm.

        As long as only one side has discovered the other, a request or its answer is lost.
        """
        if name not in self._clients:
            self._clients[name] = self.node.create_client(service_type, name)
            self.until(self._clients[name].service_is_ready, f"the service {name}")
        futures: list[Any] = []
        again = 0.0

        def answered() -> Any:
            nonlocal again
            if time.monotonic() > again:
                futures.append(self._clients[name].call_async(request))
                again = time.monotonic() + REPEAT_S
            return next((future for future in futures if future.done()), None)

        return self.until(answered, f"an answer of {name}").result()

    def transition(self, node_name: str, transition_id: int) -> bool:
        """Ask a lifecycle node for a transition, once."""
        name = f"/{node_name}/change_state"
        if name not in self._clients:  # one that does not exist may be asked for twice
            unknown = ChangeState.Request(transition=Transition(label="to see whether both sides have met"))
            assert not self.call(ChangeState, name, unknown).success
        future = self._clients[name].call_async(ChangeState.Request(transition=Transition(id=transition_id)))
        self.until(future.done, f"an answer of {name}")
        return bool(future.result().success)

    def health(
        self,
        node_name: str,
        condition: Callable[[DiagnosticStatus], Any],
        arrays: list[DiagnosticArray] | None = None,
    ) -> DiagnosticStatus:
        """The first status of a node for which a condition holds, from now on or among those collected."""
        if arrays is None:
            arrays = self.collect(DiagnosticArray, "/diagnostics", 10)

        def find() -> DiagnosticStatus | None:
            own = [s for a in arrays for s in a.status if s.name.startswith(f"{node_name}:")]
            return next((status for status in own if condition(status)), None)

        return self.until(find, f"a diagnostic status of {node_name} that fits")


def values(status: DiagnosticStatus) -> dict[str, str]:
    """A status's values by key."""
    return {pair.key: pair.value for pair in status.values}


def end(process: subprocess.Popen, with_signal: signal.Signals) -> None:
    """End a process in order, because a killed one leaves its shared memory behind."""
    process.send_signal(with_signal)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Process:
    """A node in a process of its own, as users start it."""

    def __init__(self, name: str, *parameters: str, arguments: tuple[str, ...] = ()) -> None:
        given = [word for parameter in parameters for word in ("-p", parameter)]
        command = [sys.executable, "-m", f"perception.nodes.{name}", "--ros-args", *given, *arguments]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Send a signal; give the exit code and what was printed."""
        self._process.send_signal(with_signal)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """Wait for the end; give the exit code and what was printed."""
        try:
            output, _ = self._process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            output, _ = self._process.communicate()
            pytest.fail(f"did not end within {PATIENCE_S:.0f} s; it printed:\n{output}")
        return self._process.returncode, output

    @property
    def alive(self) -> bool:
        """It has not ended."""
        return self._process.poll() is None
