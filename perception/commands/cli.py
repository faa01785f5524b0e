"""The ``perception`` command: run, play, info, bench, demo."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

import perception
from perception.commands.run import OVERLAYS, run
from perception.engines import DEVICES, open_engine
from perception.errors import InputError, PerceptionError, WrongTaskError
from perception.paths import shared
from perception.report import tables
from perception.segmentation import Segmenter
from perception.signs import SignClassifier

if TYPE_CHECKING:
    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]

_NONE = "none"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 if all went well, 1 for an error that one line on stderr explains, 130 after Ctrl-C. SIGTERM and
        SIGHUP end it in order, too, through SystemExit with 143 and 129.
        A wrong usage leaves with 2 through SystemExit, as argparse does it.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    try:
        with _unwinding():
            command(options)
            sys.stdout.flush()
    except BrokenPipeError:  # who read it has seen enough, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (PerceptionError, OSError) as error:  # OSError: an output that cannot be written
        print(f"perception: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


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
    parser = argparse.ArgumentParser(
        prog="perception", description="Camera frames in, sign classes and road masks out."
    )
    parser.add_argument("--version", action="version", version=perception.__version__)
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_run(commands)
    _add_play(commands)
    _add_info(commands)
    _add_bench(commands)
    _add_demo(commands)
    return parser


def _add_run(commands: SubParsers) -> None:
    parser = commands.add_parser("run", help="models over a bag, video, folder or picture, without ROS")
    parser.add_argument(
        "inputs", nargs="+", type=Path, metavar="INPUT", help="bag, video, folder of pictures or picture"
    )
    parser.add_argument(
        "--out", required=True, type=Path, help="folder for results/ (a bag), overlay and report.html"
    )
    parser.add_argument(
        "--signs", metavar="MODEL", help="sign model; 'none' leaves signs out (default: the shipped one)"
    )
    parser.add_argument("--segmentation", metavar="MODEL", help="the same for masks")
    parser.add_argument("--topic", help="image topic of the bag, where it has several")
    parser.add_argument(
        "--rois",
        metavar="TOPIC",
        help="topic of the boxes to classify; 'none' takes whole frames (default: one that ends in rois)",
    )
    parser.add_argument(
        "--overlay", choices=OVERLAYS, default="frames", help="annotated frames as (default: frames)"
    )
    _add_device(parser)
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
        type=_count,
        default=1,
        metavar="N",
        help="begin when a topic has so many (default: 1)",
    )
    parser.add_argument(
        "--wait",
        type=positive,
        default=2.0,
        metavar="SECONDS",
        help="but wait no longer than this (default: 2)",
    )
    parser.set_defaults(command=_play)


def _add_info(commands: SubParsers) -> None:
    parser = commands.add_parser("info", help="what a model file says about itself")
    parser.add_argument("model", type=Path)
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(command=_info)


def _add_bench(commands: SubParsers) -> None:
    parser = commands.add_parser("bench", help="milliseconds a frame by stage: read, prepare, infer, finish")
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL")
    parser.add_argument("--frames", type=_count, default=100, help="timed frames (default: 100)")
    parser.add_argument(
        "--boxes",
        type=_count,
        metavar="N",
        help="classifiers get N boxes of each frame, in one call (default: the whole frame)",
    )
    parser.add_argument(
        "--input", type=Path, metavar="FILE", help="take frames from here (default: a painted 1280x720)"
    )
    parser.add_argument("--topic", help="image topic of the bag, where it has several")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here, too")
    _add_device(parser)
    parser.set_defaults(command=_bench)


def _add_demo(commands: SubParsers) -> None:
    parser = commands.add_parser("demo", help="both nodes on the shipped bag over DDS, with a report")
    parser.add_argument(
        "--bag", type=Path, help="another bag with compressed images and rois (default: the shipped one)"
    )
    parser.add_argument("--signs", type=Path, metavar="MODEL", help="sign model (default: the shipped one)")
    parser.add_argument(
        "--segmentation", type=Path, metavar="MODEL", help="segmentation model (default: the shipped one)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/demo"), help="folder for the recording and report.html"
    )
    parser.set_defaults(command=_demo)


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="where the models run (default: auto)"
    )


def _run(options: argparse.Namespace) -> None:
    classify = segment = None
    if options.signs != _NONE:
        classify = _load(options.signs or shared("models/signs.onnx"), SignClassifier, options.device)
    if options.segmentation != _NONE:
        segment = _load(options.segmentation or shared("models/segnet.onnx"), Segmenter, options.device)
    if classify is None and segment is None:
        raise InputError("both models are 'none', so there is nothing to run")
    outcome = run(
        options.inputs,
        options.out,
        classify=classify,
        segment=segment,
        topic=options.topic,
        rois=options.rois,
        overlays=options.overlay,
        console=Console(stderr=True),
    )
    summary = outcome.summary
    console = Console()
    console.print(tables.stages(summary.latency.percentiles()))
    bad = ", ".join(f"{count} {reason}" for reason, count in summary.bad_reasons.items())
    console.print(f"{summary.good} frames" + (f", bad: {bad}" if bad else ""), highlight=False)
    for name, path in (("results", outcome.results), ("report", outcome.report)):
        console.print(f"{name}: {path}", highlight=False, markup=False, soft_wrap=True)


def _play(options: argparse.Namespace) -> None:
    try:
        from perception.demo.player import play
    except ImportError as error:
        raise _no_ros(error) from error
    play(
        options.bag,
        rate=options.rate,
        loop=options.loop,
        clock=options.clock,
        topics=options.topics,
        subscribers=options.subscribers,
        wait_s=options.wait,
    )


def _info(options: argparse.Namespace) -> None:
    spec = open_engine(options.model, device="cpu").spec
    if options.json:
        print(json.dumps(json.loads(spec.to_json()), indent=2, ensure_ascii=False))
    else:
        Console().print(tables.spec(spec, title=options.model.name))


def _bench(options: argparse.Namespace) -> None:
    from perception.commands.bench import bench

    console = Console()
    results = bench(
        options.models,
        count=options.frames,
        input_path=options.input,
        topic=options.topic,
        device=options.device,
        boxes=options.boxes,
    )
    for result in results:
        stages = {stage: tuple(values.values()) for stage, values in result["stages_ms"].items()}
        boxes = f", {result['boxes']} boxes" if result["boxes"] else ""
        what = f"{result['model']} on {result['device']}, {result['frame']}{boxes}: {result['fps']} frames/s"
        if result["compared_with"]:
            what += f"; infer {result['times_as_fast']} times as fast as {result['compared_with']}"
        console.print(what, highlight=False, soft_wrap=True)
        console.print(tables.stages(stages))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _demo(options: argparse.Namespace) -> None:
    try:
        from perception.demo.demo import demo
    except ImportError as error:
        raise _no_ros(error) from error
    demo(
        options.bag or shared("demo/street"),
        options.out,
        signs=options.signs or shared("models/signs.onnx"),
        segmentation=options.segmentation or shared("models/segnet.onnx"),
    )


def _no_ros(error: ImportError) -> PerceptionError:
    return PerceptionError(
        f"this command needs ROS 2 ({error}): run 'make setup', or source an installed one "
        "such as /opt/ros/jazzy/setup.bash"
    )


def _load(path: str | Path, kind: type[Any], device: str) -> Any:
    model = perception.load(path, device=device)
    if not isinstance(model, kind):
        raise WrongTaskError(
            f"{path}: a model for {model.spec.task!r} cannot serve there; swap --signs and --segmentation"
        )
    return model


def positive(text: str) -> float:
    """A number above 0, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)
