"""Stack: both nodes in one process."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from perception.commands import ros

ROS_ARGS = "--ros-args"  # what follows is for ROS 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes; ``split`` has taken ROS 2's part of it before."""
    parser.usage = f"perception stack [{ROS_ARGS} -p NAME:=VALUE … -r FROM:=TO …]"
    parser.epilog = "parameters of one node: -p signs:boxes:=frame; in a namespace: --params-file FILE"
    parser.set_defaults(command=run, takes_ros_args=True)


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """A command line, cut before ROS 2's part."""
    end = words.index(ROS_ARGS) if ROS_ARGS in words else len(words)
    return list(words[:end]), list(words[end:])


def run(options: argparse.Namespace) -> int:
    """Run both nodes until a signal stops them."""
    with ros.needed():
        from perception.nodes.stack import main
    return main(["stack", *options.ros_args])
