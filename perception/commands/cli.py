"""The ``perception`` command: run, play, record, evaluate, info, bench, build, doctor, demo, stack."""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

import perception
from perception.commands import (
    bench_command,
    build,
    camera_pose,
    compare,
    doctor,
    evaluate,
    fleet,
    fleet_options,
    models,
    overlays,
    record,
    ros,
    run,
    stack,
)
from perception.commands.options import count, positive
from perception.engines import DEVICES, read_spec
from perception.errors import InputError, PerceptionError
from perception.fleet import inputs
from perception.paths import model_file, shared
from perception.report import tables
from perception.tasks import TASKS, shipped

if TYPE_CHECKING:
    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 if all went well, 1 for an error that one line on stderr explains, 3 if a drive is not as expected
        or this machine not as it must be, 130 after Ctrl-C. Through SystemExit, SIGTERM and SIGHUP end it in
        order with 143 and 129, and wrong usage with 2.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    logging.basicConfig(format="perception: %(message)s")
    own, ros_args = stack.split(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    options = parser.parse_args(own, argparse.Namespace(ros_args=ros_args, takes_ros_args=False))
    if ros_args and not options.takes_ros_args:
        parser.error(f"only stack takes {stack.ROS_ARGS}")
    command: Callable[[argparse.Namespace], int | None] = options.command
    try:
        with _unwinding():
            code = command(options) or 0
            sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as head has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (PerceptionError, OSError) as error:  # OSError: an output that cannot be written
        print(f"perception: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


@contextmanager
def _unwinding() -> Iterator[None]:
    """Within it, SIGTERM and SIGHUP raise as Ctrl-C does, so that files are ended and processes stopped."""

    def leave(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup means it
            signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _parser() -> argparse.ArgumentParser:
    description = "Camera frames in, traffic signs and the ground out."
    parser = argparse.ArgumentParser(prog="perception", description=description)
    parser.add_argument("--version", action="version", version=perception.__version__)
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_run(commands)
    _add_play(commands)
    _add_record(commands)
    _add_info(commands)
    _add_evaluate(commands)
    timed = commands.add_parser("bench", help="milliseconds a frame by stage: read, prepare, infer, finish")
    bench_command.add_options(timed)
    build.add_options(commands.add_parser("build", help="TensorRT's engines ahead of the first start"))
    camera_pose.add_options(commands.add_parser("camera-pose", help="how a camera is above the floor"))
    _add_doctor(commands)
    _add_demo(commands)
    stack.add_options(commands.add_parser("stack", help="both nodes in one process, until Ctrl-C"))
    return parser


def _add_run(commands: SubParsers) -> None:
    parser = commands.add_parser("run", help="models over a bag, tub, video, folder or picture, without ROS")
    parser.add_argument(
        "inputs",
        nargs="+",
        type=inputs.place,
        metavar="INPUT",
        help="bag, tub, video, folder of pictures or picture",
    )
    parser.add_argument(
        "--out", required=True, type=Path, help="folder for results/ (a bag), overlay and report.html"
    )
    models.add_models(parser)
    parser.add_argument(
        "--models",
        nargs=2,
        type=Path,
        metavar=("OLD", "NEW"),
        help="compare two model files, or folders with them, on the same frames",
    )
    models.add_boxes(parser)
    parser.add_argument("--topic", help="image topic of the bag, or field of the tub, where it has several")
    parser.add_argument(
        "--overlay",
        choices=overlays.OVERLAYS,
        help="annotated frames as (default: frames; with --models: none)",
    )
    _add_device(parser)
    fleet_options.add_options(parser)
    parser.set_defaults(command=_run)


def _add_play(commands: SubParsers) -> None:
    parser = commands.add_parser("play", help="publish a bag over DDS at its own pace, without rosbag2")
    parser.add_argument("bag", type=Path, help="bag folder, .mcap or .db3")
    parser.add_argument("--rate", type=positive, default=1.0, help="2 plays twice as fast (default: 1)")
    parser.add_argument("--loop", action="store_true", help="begin again at the end, until Ctrl-C")
    parser.add_argument(
        "--clock", action="store_true", help="publish the bag's time on /clock, for use_sim_time"
    )
    parser.add_argument("--topics", nargs="+", metavar="TOPIC", help="play these only")
    parser.add_argument(
        "--subscribers",
        type=count,
        default=1,
        metavar="N",
        help="begin when a topic has so many and no more turn up (default: 1)",
    )
    parser.add_argument(
        "--wait",
        type=positive,
        default=10.0,
        metavar="SECONDS",
        help="but wait no longer than this (default: 10)",
    )
    parser.add_argument(
        "--jumps",
        choices=("skip", "wait"),
        default="skip",
        help="where the bag has no message for over a minute, as when a clock was set (default: skip)",
    )
    parser.set_defaults(command=_play)


def _add_record(commands: SubParsers) -> None:
    parser = commands.add_parser("record", help="camera topics into an MCAP file, without rosbag2")
    record.add_options(parser)


def _add_info(commands: SubParsers) -> None:
    parser = commands.add_parser("info", help="what a model file says about itself")
    parser.add_argument("model", metavar="MODEL", help="a model file, or a shipped one's name")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(command=_info)


def _add_evaluate(commands: SubParsers) -> None:
    parser = commands.add_parser("evaluate", help="whether drives still go as expected, for CI")
    evaluate.add_options(parser)
    _add_device(parser)
    fleet_options.add_options(parser)
    parser.set_defaults(command=evaluate.run)


def _add_doctor(commands: SubParsers) -> None:
    parser = commands.add_parser("doctor", help="what is wrong on this machine, before a drive")
    doctor.add_options(parser)


def _add_demo(commands: SubParsers) -> None:
    parser = commands.add_parser("demo", help="both nodes on the shipped bag over DDS, with a report")
    parser.add_argument(
        "--bag", type=Path, help="another bag with compressed images and rois (default: the shipped one)"
    )
    for task in shipped():
        parser.add_argument(
            f"--{task}", type=Path, metavar="MODEL", help=f"model for {task} (default: the shipped one)"
        )
    parser.add_argument(
        "--detector", type=Path, metavar="MODEL", help="what finds the signs (default: the shipped one)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/demo"),
        help="folder for the recording and report.html (default: out/demo)",
    )
    parser.set_defaults(command=_demo)


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="where the models run (default: auto)"
    )


def _run(options: argparse.Namespace) -> int:
    boxes = models.boxes_from(options)
    if fleet_options.check(options):
        if options.models:
            raise InputError("--models compares on one machine, without --ray; leave one out")
        return fleet.run_all(options)
    options.inputs = inputs.local(options.inputs)
    if options.models:
        compare.command(options, boxes)
        return 0
    outcome = run.run(
        options.inputs,
        options.out,
        models.open_models(options, boxes),
        boxes=boxes,
        topic=options.topic,
        rois=options.rois,
        overlays=options.overlay or "frames",
        console=Console(stderr=True),
    )
    run.show(outcome, Console())
    return 0


def _play(options: argparse.Namespace) -> None:
    with ros.needed():
        from perception.demo.player import play
    play(
        options.bag,
        rate=options.rate,
        loop=options.loop,
        clock=options.clock,
        topics=options.topics,
        subscribers=options.subscribers,
        wait_s=options.wait,
        jumps=options.jumps,
    )


def _info(options: argparse.Namespace) -> None:
    path = model_file(options.model, "")
    spec = read_spec(path)
    if options.json:
        print(json.dumps(json.loads(spec.to_json()), indent=2, ensure_ascii=False))
    else:
        Console().print(tables.spec(spec, title=path.name))


def _demo(options: argparse.Namespace) -> None:
    with ros.needed():
        from perception.demo import demo
    paths = {name: model_file(getattr(options, name) or "", task.file) for name, task in shipped().items()}
    paths[demo.DETECTOR] = model_file(options.detector or "", TASKS[demo.DETECTOR].file)
    console = Console()
    outcome = demo.demo(options.bag or shared("demo/street"), options.out, paths, console=console)
    demo.show(outcome, console)
