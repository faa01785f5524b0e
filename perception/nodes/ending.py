"""Ending: how a process leaves its nodes, also while one of them hangs over a frame."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence

from rclpy.node import Node

from perception.nodes.camera_node import CameraNode

FRAME_S = 1.0  # for the frames that nodes are at when a signal ends them; launch and systemd wait longer


def destroy(nodes: Sequence[CameraNode]) -> None:
    """Destroy nodes after their frames, or end the process, because nothing stops a model that hangs."""

    def give_up() -> None:
        names = ", ".join(node.get_name() for node in nodes)
        print(f"{names}: still at a frame after {FRAME_S:g} s; ending without it", file=sys.stderr)
        for node in nodes:
            Node.destroy_node(node)  # or the middleware would leave its shared memory behind
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    patience = threading.Timer(FRAME_S, give_up)
    patience.daemon = True
    patience.start()
    for node in reversed(nodes):
        node.destroy_node()
    patience.cancel()
