"""The examples run as they are, against real topics."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="the example is a node")

from geometry_msgs.msg import PoseStamped, Twist
from sensor_msgs.msg import Range

from tests.ros import end, stamped
from tests.ros_fixtures import peer

__all__ = ["peer"]

ROOT = Path(__file__).parents[1]


def test_the_lane_follower_steers_to_the_lane_and_halts_when_it_must(peer) -> None:
    process = subprocess.Popen([sys.executable, "examples/lane_follower.py"], cwd=ROOT)
    try:
        commands = peer.collect(Twist, "cmd_vel", 1)
        send_lane, send_line = (
            peer.sender(PoseStamped, "ground/lane", 1),
            peer.sender(Range, "ground/stop_line", 1),
        )

        def drives(right_m: float, stop_m: float, speed: float, turn: float) -> None:
            """Lanes and lines come until it drives so."""
            lane = stamped(PoseStamped(), 1)
            lane.pose.position.x, lane.pose.position.z = right_m, 0.5

            def so() -> bool:
                send_line(stamped(Range(range=stop_m), 1))
                send_lane(lane)
                peer.spin(0.05)
                said = commands[-1]
                return (said.linear.x, said.angular.z) == pytest.approx((speed, turn))

            peer.until(so, f"{speed} m/s and {turn:.2f} rad/s")

        peer.until(lambda: commands, "a command")
        assert commands[-1].linear.x == 0.0  # nothing is known yet
        drives(0.1, math.inf, 0.3, -0.3 * 0.2 / 0.26)
        drives(-0.1, math.nan, 0.3, 0.3 * 0.2 / 0.26)
        drives(0.0, 0.15, 0.0, 0.0)
        drives(0.0, math.inf, 0.3, 0.0)
        peer.until(lambda: commands[-1].linear.x == 0.0, "a halt, because no lane comes any more")
        drives(0.0, math.inf, 0.3, 0.0)
        process.send_signal(signal.SIGINT)
        process.wait(10)
        peer.spin(0.2)
        assert commands[-1].linear.x == 0.0  # it leaves no car that drives on
    finally:
        end(process, signal.SIGINT)
