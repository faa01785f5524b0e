import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.commands.cli import main
from perception.recordings.bag import BagReader
from tests.bags import RAW, ROIS, raw, rois, text, write_bag
from tests.conftest import solid

ROOT = Path(__file__).parents[2]


def perception(*arguments: object) -> subprocess.CompletedProcess:
    """The command as a user types it."""
    command = [sys.executable, "-m", "perception", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_run_writes_results_overlay_and_report(
    tmp_path: Path, signs_model: Path, segmentation_model: Path, detector_model: Path
) -> None:
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red"), stamp)) for stamp in range(5)])
    out = tmp_path / "out"
    models = ("--signs", signs_model, "--segmentation", segmentation_model, "--detector", detector_model)
    done = perception("run", bag, "--out", out, *models)
    assert done.returncode == 0, done.stderr
    assert "5 frames" in done.stdout and "segmentation infer" in done.stdout
    assert "signs find infer" in done.stdout and "signs track" in done.stdout  # found and followed
    assert "5/5 frames" in done.stderr  # the progress bar
    assert (out / "results" / "metadata.yaml").exists() and (out / "report.html").exists()
    assert len(list((out / "overlay").iterdir())) == 5


def test_names_that_are_no_text_are_printed(tmp_path: Path, signs_model: Path) -> None:
    """As UTF-8 locales have it: what cannot be encoded is an error."""
    picture = tmp_path / os.fsdecode(b"stra\xdfe.png")
    picture.write_bytes(cv2.imencode(".png", solid("Red"))[1].tobytes())
    out = tmp_path / os.fsdecode(b"stra\xdfe")
    command = [sys.executable, "-m", "perception", "run", picture, "--out", out, "--signs", signs_model]
    command += ["--segmentation", "none", "--boxes", "frame"]
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(command, cwd=ROOT, env=strict, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert rb"stra\udcdfe/report.html" in done.stdout


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP])
def test_what_was_computed_before_a_signal_is_kept(
    tmp_path: Path, signs_model: Path, ending: signal.Signals
) -> None:
    frames = [(RAW, raw(solid("Red"), i)) for i in range(5000)]
    arguments = [
        "run",
        write_bag(tmp_path / "bag", frames),
        "--out",
        tmp_path / "out",
        "--segmentation",
        "none",
        "--boxes",
        "frame",
    ]
    command = [sys.executable, "-m", "perception", *arguments, "--signs", signs_model]
    ignored = signal.signal(ending, signal.SIG_DFL)  # under nohup, SIGHUP would be ignored by the child, too
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    signal.signal(ending, ignored)
    with process:
        until = time.monotonic() + 60
        while not (tmp_path / "out" / "overlay" / "000009.jpg").exists() and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(ending)
        assert process.wait(timeout=60) == 128 + ending
    with BagReader(tmp_path / "out" / "results") as results:
        assert 9 <= results.count("/signs/classification") < 5000


def test_options_reach_the_run(tmp_path: Path, signs_model: Path, segmentation_model: Path) -> None:
    """Two cameras, of which one is chosen, and boxes for it that do not end in rois."""
    frame = np.hstack([solid("Red"), solid("Green")])
    boxes = rois([(65.0, 5.0, 115.0, 35.0, "")], 0)
    messages = [(RAW, raw(solid("Blue"), 0)), ("/rear/image", raw(frame, 0)), ("/rear/boxes", boxes)]
    bag, out = write_bag(tmp_path / "bag", messages), tmp_path / "out"
    models = ["--signs", signs_model, "--segmentation", segmentation_model, "--device", "cpu"]
    chosen = ["--topic", "/rear/image", "--rois", "/rear/boxes", "--overlay", "none"]
    assert main([str(argument) for argument in ("run", bag, "--out", out, *models, *chosen)]) == 0
    with BagReader(out / "results") as results:
        (message,) = [m for _, _, m in results.messages(["/signs/detections"])]
        assert [each.results[0].hypothesis.class_id for each in message.detections] == ["1"]
        (mask,) = [m for _, _, m in results.messages(["/segmentation/mask"])]
        assert set(mask.data.tolist()) == {1, 2}
        # As the nodes offer them: whoever comes late gets the labels.
        topics = ("/signs/label_info", "/segmentation/mask", "/segmentation/confidence")
        (labels,), (masks,), (confidences,) = map(results.offered_qos, topics)
        assert (labels.durability.name, masks.durability.name) == ("TRANSIENT_LOCAL", "VOLATILE")
        assert (masks.reliability.name, confidences.reliability.name) == ("RELIABLE", "BEST_EFFORT")
    assert not (out / "overlay").exists()


def test_the_bags_boxes_are_taken_if_they_are_asked_for(tmp_path: Path, signs_model: Path) -> None:
    bag = write_bag(
        tmp_path / "bag", [(RAW, raw(solid("Red"), 0)), (ROIS, rois([(5.0, 5.0, 25.0, 25.0, "")], 0))]
    )
    models = ["--signs", signs_model, "--segmentation", "none", "--boxes", "rois"]
    assert main([str(word) for word in ("run", bag, "--out", tmp_path / "out", *models)]) == 0
    with BagReader(tmp_path / "out" / "results") as results:
        (message,) = [m for _, _, m in results.messages(["/signs/detections"])]
    assert [each.bbox.size_x for each in message.detections] == [20.0]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--boxes", "frame", "--rois", "/cam/rois"], "--boxes frame does not take; leave one out"),
        (["--boxes", "rois", "--detector", "x.onnx"], "--boxes rois does not take; leave one out"),
        (["--rois", "/cam/rois", "--detector", "x.onnx"], "--boxes rois does not take; leave one out"),
        (["--rois", "none"], "--boxes frame takes each frame as one sign"),
        (["--detector", "no-such.onnx"], "no-such.onnx: no such file"),
    ],
)
def test_options_that_contradict_each_other(
    options: list[str], problem: str, signs_model: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["run", "x.mcap", "--out", "out", "--signs", str(signs_model), *options]) == 1
    assert problem in capsys.readouterr().err


def test_models_in_the_place_of_others_are_noticed(
    signs_model: Path, detector_model: Path, capsys: pytest.CaptureFixture
) -> None:
    models = ["--signs", str(signs_model), "--segmentation", "none", "--detector", str(signs_model)]
    assert main(["run", "x.mcap", "--out", "out", *models]) == 1
    assert "'signs' cannot serve as --detector; give it to --signs" in capsys.readouterr().err
    assert main(["run", "x.mcap", "--out", "out", "--signs", str(detector_model)]) == 1
    assert "'sign_detection' cannot serve as --signs; give it to --detector" in capsys.readouterr().err


def test_an_expected_error_is_one_line_and_exit_code_1(tmp_path: Path, signs_model: Path) -> None:
    bag = write_bag(tmp_path / "bag", [("/chatter", text("hello"))])
    done = perception("run", bag, "--out", tmp_path / "out", "--signs", signs_model, "--segmentation", "none")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"perception: {bag}: no image topic") and "/chatter (std_msgs/msg/String)" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "street.mcap", "--signs", "none", "--segmentation", "none", "--out", "out"],
        ["run", "no-such.mcap", "--out", "out"],
        ["info", "no-such.onnx"],
        ["bench", "no-such.onnx"],
    ],
)
def test_expected_errors(arguments: list, capsys: pytest.CaptureFixture) -> None:
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("perception: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [[], ["fly"], ["run", "x.mcap"], ["bench", "m.onnx", "--frames", "0"], ["play", "x", "--rate", "-1"]],
)
def test_wrong_usage_is_exit_code_2(arguments: list) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2


def test_swapped_models_are_noticed(
    tmp_path: Path, signs_model: Path, segmentation_model: Path, capsys: pytest.CaptureFixture
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), solid("Red"))
    models = ["--signs", str(segmentation_model), "--segmentation", str(signs_model)]
    assert main(["run", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), *models]) == 1
    assert "give it to --segmentation" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_one_line(
    tmp_path: Path, signs_model: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["bench", str(signs_model), "--frames", "1", "--json", str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_info_shows_the_spec(signs_model: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["info", str(signs_model)]) == 0
    output = capsys.readouterr().out
    for words in ("signs", "16×16", "Blue", "Green", "Red", "known: 0.5"):
        assert words in output


def test_info_and_bench_take_shipped_models_by_name(capsys: pytest.CaptureFixture) -> None:
    assert main(["info", "signs.int8"]) == 0 and "signs.int8.onnx" in capsys.readouterr().out
    assert main(["bench", "signs", "--frames", "1"]) == 0 and "signs.onnx on cpu" in capsys.readouterr().out
    assert main(["info", "sign"]) == 1 and "sign: no such file, and none of" in capsys.readouterr().err


def test_info_of_a_detector_says_which_frames_it_takes(
    detector_model: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["info", str(detector_model)]) == 0
    output = capsys.readouterr().out
    for words in ("sign_detection", "any size", "multiples of 16", "96×64", "found: 0.3"):
        assert words in output


def test_info_as_json(signs_model: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["info", str(signs_model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == ["Blue", "Green", "Red"]


def test_bench_prints_stages_and_writes_json(
    tmp_path: Path, signs_model: Path, segmentation_model: Path, capsys: pytest.CaptureFixture
) -> None:
    numbers = tmp_path / "deep" / "bench.json"
    models = [str(signs_model), str(segmentation_model)]
    assert main(["bench", *models, "--frames", "3", "--json", str(numbers)]) == 0
    output = capsys.readouterr().out
    for words in ("signs.onnx on cpu", "segnet.onnx on cpu", "read", "prepare", "infer", "finish"):
        assert words in output
    assert [entry["task"] for entry in json.loads(numbers.read_text())] == ["signs", "segmentation"]


def test_commands_without_ros_do_not_import_it() -> None:
    code = "import perception.commands.cli, sys; assert not {'torch', 'rclpy'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("arguments", [["play", "street"], ["demo"], ["record", "drive.mcap"]])
def test_without_ros_commands_that_need_it_say_what_to_do(
    arguments: list, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for folder, names in (("demo", ("player", "demo")), ("nodes", ("record",))):
        package = importlib.import_module(f"perception.{folder}")
        for name in names:  # other tests may have imported them
            monkeypatch.delitem(sys.modules, f"perception.{folder}.{name}", raising=False)
            monkeypatch.delattr(package, name, raising=False)
    for name in ["rclpy", *(name for name in sys.modules if name.startswith("rclpy."))]:
        monkeypatch.setitem(sys.modules, name, None)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "needs ROS 2" in error and "make setup" in error
