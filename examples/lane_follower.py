"""Follow the lane, and halt before stop lines. This is an example: it sees no obstacle and knows no rule.

python examples/lane_follower.py --ros-args -r cmd_vel:=/my_car/cmd_vel
"""

import contextlib
import math
import time

import rclpy
from geometry_msgs.msg import PoseStamped, Twist
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Range

SPEED, HALT_M, LOST_S = 0.3, 0.20, 0.3  # m/s; metres before a stop line; seconds without a lane


class LaneFollower(Node):
    """Steers on a circle to where the lane is at the look-ahead distance (pure pursuit)."""

    def __init__(self) -> None:
        super().__init__("lane_follower")
        self.lane, self.came_s, self.stop_m = None, -math.inf, math.nan
        self.create_subscription(PoseStamped, "ground/lane", self.on_lane, 1)
        self.create_subscription(Range, "ground/stop_line", self.on_stop_line, 1)
        self.commands = self.create_publisher(Twist, "cmd_vel", 1)
        self.create_timer(0.05, self.drive)

    def on_lane(self, lane: PoseStamped) -> None:
        self.lane, self.came_s = lane.pose.position, time.monotonic()

    def on_stop_line(self, line: Range) -> None:
        self.stop_m = line.range  # +Inf: there is none; NaN: unknown

    def drive(self) -> None:
        command = Twist()  # all zero: halt
        if time.monotonic() - self.came_s < LOST_S and not self.stop_m < HALT_M:
            # In the camera's frame, x is to the right and z is ahead.
            curvature = -2 * self.lane.x / (self.lane.x**2 + self.lane.z**2)
            command.linear.x, command.angular.z = SPEED, SPEED * curvature
        self.commands.publish(command)


if __name__ == "__main__":
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)  # or nothing could be sent after Ctrl-C
    follower = LaneFollower()
    with contextlib.suppress(KeyboardInterrupt):
        rclpy.spin(follower)
    follower.commands.publish(Twist())  # halt
    time.sleep(0.1)  # until it is sent
