"""Fixtures for tests of nodes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="the nodes need ROS 2")

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from tests.ros import Peer, Process


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A node of the test's own."""
    peer = Peer()
    yield peer
    peer.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Starts processes, and ends those that the test has left."""
    started: list[Process] = []

    def start(*args: Any, **kwargs: Any) -> Process:
        started.append(Process(*args, **kwargs))
        return started[-1]

    yield start
    for process in started:
        if process.alive:
            print(process.stop(signal.SIGTERM)[1])  # pytest shows it if the test failed


@pytest.fixture
def spin(peer: Peer) -> Iterator[Callable[[Node], Node]]:
    """Runs nodes of this process in a thread, and destroys them in the end."""
    executor = SingleThreadedExecutor()
    nodes: list[Node] = []
    thread = threading.Thread(target=executor.spin, daemon=True)

    def spin(node: Node) -> Node:
        nodes.append(node)
        executor.add_node(node)
        if not thread.is_alive():
            thread.start()
        return node

    yield spin
    executor.shutdown()
    if thread.is_alive():
        thread.join()
    for node in nodes:
        node.destroy_node()
