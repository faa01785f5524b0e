"""Nodes as a process of their own: arguments, signals, faults, exit code."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import signal
import sys
import threading
import time
from collections.abc import Sequence

import rclpy
from rclpy.exceptions import NotInitializedException, ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions, install_signal_handlers
from rclpy.utilities import remove_ros_args

from perception.engines.threads import share_cores
from perception.errors import PerceptionError
from perception.malloc import keep_freed
from perception.nodes import params
from perception.nodes.camera_node import CameraNode
from perception.nodes.cameras import Cameras
from perception.nodes.ending import destroy
from perception.nodes.middleware import RCL_ERRORS, use_fast_dds_profile

SIGNALS = (signal.SIGINT, signal.SIGTERM)
REST_S = 0.1  # after a fault, lest one that comes again and again take a whole core


def run(node_class: type[CameraNode], args: Sequence[str] | None = None) -> int:
    """Run a node until a signal stops it; see ``run_together``."""
    return run_together(node_class.task, [node_class], args)


def run_together(
    name: str, node_classes: Sequence[type[CameraNode]], args: Sequence[str] | None = None
) -> int:
    """Run nodes in one process until a signal stops it.

    They share the cameras and the cores. Each has a thread of its own, so that a transition of one, or a
    fault, stops no other.

    Args:
        name: of the program.
        node_classes: what to run.
        args: the command line, the program's name first; by default that of this process.

    Returns:
        The exit code: 0 after SIGINT or SIGTERM, 1 if no node could start. While they start, these signals
        end the process at once.
    """
    args = sys.argv if args is None else args
    parser = _parser(name, node_classes)
    # Python calls no handler during a native call, and the one in which TensorRT builds takes minutes.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    stopped: list[int] = []
    with contextlib.ExitStack() as stack:
        try:
            parser.parse_args(remove_ros_args(args)[1:])
            faulthandler.enable()  # a crash of native code says on which line of which task it was
            share_cores(len(node_classes))
            keep_freed()
            use_fast_dds_profile()
            rclpy.init(args=list(args), signal_handler_options=SignalHandlerOptions.NO)
            stack.callback(rclpy.try_shutdown)
            cameras = Cameras()
            nodes: list[CameraNode] = []
            stack.callback(destroy, nodes)
            for node_class in node_classes:
                nodes.append(node_class(cameras=cameras))
            started = [_started(node) for node in nodes]
            if not any(started):
                return 1
            # rclpy's own handlers, which end the spinning, call these too. Without them a KeyboardInterrupt
            # could occur anywhere, and an error that only the shutdown caused would look like any other.
            for number in SIGNALS:
                signal.signal(number, lambda number, _: stopped.append(number))
            install_signal_handlers()
            if stopped:  # before rclpy's handlers were there
                return 0
            _spin(nodes)
        except (PerceptionError, ParameterException, NotInitializedException, *RCL_ERRORS) as error:
            if not stopped:
                print(f"{name}: {error}", file=sys.stderr)
                return 1
    return 0


def _parser(name: str, node_classes: Sequence[type[CameraNode]]) -> argparse.ArgumentParser:
    is_one = len(node_classes) == 1
    description = node_classes[0].__doc__ if is_one else "All nodes in one process, which reads a frame once."
    parser = argparse.ArgumentParser(prog=name, description=description)
    known = [
        parameter.name if is_one else f"{node_class.task}:{parameter.name}"
        for node_class in node_classes
        for parameter in node_class.parameters
    ]
    parser.epilog = f"parameters: --ros-args -p NAME:=VALUE, with {', '.join(known)}"
    return parser


def _started(node: CameraNode) -> bool:
    return not params.value(node, "autostart", bool) or _start(node)


def _start(node: CameraNode) -> bool:
    success = TransitionCallbackReturn.SUCCESS
    return bool(node.trigger_configure() == success and node.trigger_activate() == success)


def _spin(nodes: Sequence[CameraNode]) -> None:
    """Spin each node in a thread of its own, the first one in this, until the shutdown."""
    others = [threading.Thread(target=_spin_one, args=[node], name=node.get_name()) for node in nodes[1:]]
    for thread in others:
        thread.start()
    _spin_one(nodes[0])
    for thread in others:
        thread.join()


def _spin_one(node: CameraNode) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while node.context.ok():
        try:
            executor.spin()
        except ExternalShutdownException:
            return
        except Exception as error:  # whatever an event sets off, the node goes on
            if node.context.ok():
                node.failed(error)
                time.sleep(REST_S)
