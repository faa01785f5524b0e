"""Fixtures of tests that speak ROS 2."""

from tests.ros_fixtures import peer, spin, start

__all__ = ["peer", "spin", "start"]
