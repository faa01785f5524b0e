"""ROS 2: what commands say where it is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from perception.errors import PerceptionError


@contextmanager
def needed() -> Iterator[None]:
    """Within it, what needs ROS 2 is imported.

    Raises:
        PerceptionError: it is not there.
    """
    try:
        yield
    except ImportError as error:
        raise PerceptionError(
            f"this command needs ROS 2 ({error}); run 'make setup', or source an installed one "
            "such as /opt/ros/jazzy/setup.bash"
        ) from error
