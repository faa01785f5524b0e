"""One node as a process of its own: arguments, signals, exit code."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Sequence

import rclpy
from rclpy.exceptions import NotInitializedException, ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions, install_signal_handlers
from rclpy.utilities import remove_ros_args

from perception.errors import PerceptionError
from perception.nodes import params
from perception.nodes.camera_node import CameraNode
from perception.nodes.middleware import RCL_ERRORS, carry_large_messages

SIGNALS = (signal.SIGINT, signal.SIGTERM)
FRAME_S = 1.0  # for the frame that a node is at when a signal ends it; launch and systemd wait longer


def run(node_class: type[CameraNode], args: Sequence[str] | None = None) -> int:
    """Run a node until a signal stops it.

    Args:
        node_class: what to run.
        args: the command line, the program's name first; by default that of this process.

    Returns:
        The exit code: 0 after SIGINT or SIGTERM, 1 if it could not start. While it starts, these signals end
        the process at once.
    """
    args = sys.argv if args is None else args
    parser = argparse.ArgumentParser(prog=node_class.task, description=node_class.__doc__)
    parser.epilog = "parameters: --ros-args -p NAME:=VALUE, with " + ", ".join(
        p.name for p in node_class.parameters
    )
    # Python calls no handler during a native call, and the one in which TensorRT builds takes minutes.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    stopped: list[int] = []
    with contextlib.ExitStack() as stack:
        try:
            parser.parse_args(remove_ros_args(args)[1:])
            carry_large_messages()
            rclpy.init(args=list(args), signal_handler_options=SignalHandlerOptions.NO)
            stack.callback(rclpy.try_shutdown)
            node = node_class()
            stack.callback(_destroy, node)
            if params.value(node, "autostart", bool) and not _start(node):
                return 1
            # rclpy's own handlers, which end the spinning, call these too. Without them a KeyboardInterrupt
            # could occur anywhere, and an error that only the shutdown caused would look like any other.
            for number in SIGNALS:
                signal.signal(number, lambda number, _: stopped.append(number))
            install_signal_handlers()
            if stopped:  # before rclpy's handlers were there
                return 0
            executor = SingleThreadedExecutor()
            executor.add_node(node)
            executor.spin()
        except ExternalShutdownException:
            pass
        except (PerceptionError, ParameterException, NotInitializedException, *RCL_ERRORS) as error:
            if not stopped:
                print(f"{node_class.task}: {error}", file=sys.stderr)
                return 1
    return 0


def _start(node: CameraNode) -> bool:
    success = TransitionCallbackReturn.SUCCESS
    return bool(node.trigger_configure() == success and node.trigger_activate() == success)


def _destroy(node: CameraNode) -> None:
    """Destroy a node after its frame, or end the process, because nothing stops a model that hangs."""

    def give_up() -> None:
        print(f"{node.get_name()}: still at a frame after {FRAME_S:g} s; ending without it", file=sys.stderr)
        Node.destroy_node(node)  # or the middleware would leave its shared memory behind
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    patience = threading.Timer(FRAME_S, give_up)
    patience.daemon = True
    patience.start()
    node.destroy_node()
    patience.cancel()
