"""What the middleware needs to start and to carry frames."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import rclpy
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from perception.errors import PerceptionError
from perception.paths import shared

RCL_ERRORS = (
    rclpy_implementation.RCLError,
    rclpy_implementation.RCLInvalidROSArgsError,
    rclpy_implementation.UnknownROSArgsError,
)

# Humble and Jazzy read the first only. Kilted reads both, and warns that the first will be read no longer.
FAST_DDS_PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")

AnyNode = TypeVar("AnyNode", bound=Node)


def use_fast_dds_profile() -> None:
    """Let Fast DDS carry this process's messages over 512 kB, and announce the process every 0.3 s.

    By default it loses such messages if they are sent best effort, and announces a process every 3 s. Call it
    before ``rclpy.init``; Fast DDS reads it once. A profile that the user has chosen stays.
    """
    for name in FAST_DDS_PROFILES:
        os.environ.setdefault(name, fast_dds_profiles(os.environ))


def fast_dds_profiles(environment: Mapping[str, str]) -> str:
    """The Fast DDS file of this package for a process of this environment."""
    is_local = environment.get("ROS_DISTRO") == "humble" and environment.get("ROS_LOCALHOST_ONLY") == "1"
    return str(shared("config/fastdds_local.xml" if is_local else "config/fastdds.xml"))


@contextmanager
def started(make: Callable[[], AnyNode]) -> Iterator[AnyNode]:
    """A node for a command's own use, on the domain that the environment names.

    Raises:
        PerceptionError: ROS 2 cannot start here.
    """
    use_fast_dds_profile()
    try:
        # Without rclpy's handlers, Ctrl-C is Python's KeyboardInterrupt and ends any wait at once.
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        node = make()
    except RCL_ERRORS as error:
        rclpy.try_shutdown()
        raise PerceptionError(f"ROS 2 cannot start: {error}") from error
    try:
        yield node
    finally:
        rclpy.shutdown()
