"""Drives and what is expected of them, as a team's continuous integration runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from perception.commands.cli import main
from perception.expectations.quantities import Expectation, Quantity, judge
from perception.recordings.bag import BagWriter
from perception.recordings.results import make
from tests.bags import COMPRESSED, RAW, ROIS, compressed, damage, header, raw, rois, write_bag
from tests.conftest import COLORS, solid

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def models(signs_model: Path, segmentation_model: Path, detector_model: Path) -> list[object]:
    named = {"--signs": signs_model, "--segmentation": segmentation_model, "--detector": detector_model}
    return [word for pair in named.items() for word in pair]


def sign(color: str, number: int) -> np.ndarray:
    """A frame of grey, which is blue to the mask, with one sign; a green one is further down."""
    frame = solid("grey", 96, 128)
    y = 60 if color == "Green" else 12
    frame[y : y + 24, 20 + number : 44 + number] = solid(color, 1, 1)
    return frame


def drive(path: Path, *, without: tuple[int, ...] = ()) -> Path:
    """Two seconds: a red sign for the first, a green one for the second."""
    colors = ["Red"] * 10 + ["Green"] * 10
    with BagWriter(path) as bag:
        for number, color in enumerate(colors):
            if number not in without:
                message = raw(sign(color, number), number)
                bag.write(RAW, message, 100 * 10**9 + number * 10**8)
    return path


def write(path: Path, text: str) -> Path:
    path.write_text(dedent(text), encoding="utf-8")
    return path


def evaluate(*words: object) -> int:
    return main(["evaluate", *map(str, words)])


GOOD = """\
    frames: {good: {min: 20, max: 20}, bad: {max: 0}, dropped: {max: 0}}
    latency_ms:
      total: {p95: 60000}
      signs find infer: {p50: 60000}
    signs:
      seen:
        - {label: Red, between: [0, 1]}
        - {label: Green, between: [1, 2], min: 5}
        - {label: Blue, max: 0}
        - {label: Green, between: [0, 0.5], max: 0}
      label_changes: {max: 2}
    segmentation:
      shares:
        - {label: Blue, min: 0.94, max: 0.97}
        - {label: Red, between: [0, 0.9], min: 0.05}
        - {label: Green, between: [0, 0.9], max: 0}
      flicker: {max: 0.05}
    """


def test_a_drive_as_expected(tmp_path: Path, models: list, capsys: pytest.CaptureFixture) -> None:
    expect = write(tmp_path / "good.yaml", GOOD)
    bag = drive(tmp_path / "bag")
    assert evaluate(bag, "--expect", expect, *models) == 0
    out = capsys.readouterr().out
    assert f"{bag}: 14 of 14 expectations hold" in out and "bag: 20 frames" in out


@pytest.mark.parametrize(
    ("expectation", "problem"),
    [
        ("frames: {good: {min: 21}}", "good frames: 20; expected: at least 21"),
        ("frames: {bad: {min: 1}}", "bad frames: 0; expected: at least 1"),
        ("latency_ms: {total: {p50: 0.000001}}", "latency of total, p50, ms: "),
        ("latency_ms: {infer: {p50: 9}}", "because no frame had this stage; there are read, "),
        ("signs: {seen: [{label: Blue}]}", "signs: frames with Blue: 0; expected: at least 1"),
        (
            "signs: {seen: [{label: Red, between: [1.8, 2]}]}",
            "frames with Red, 1.8 to 2 s: 0; expected: at l",
        ),
        ("signs: {seen: [{label: Red, between: [5, 9]}]}", "because there is no good frame in this time"),
        ("signs: {accuracy: {min: 0.5}}", "because the drive has no labels to compare with"),
        ("segmentation: {flicker: {max: 0.0001}}", "segmentation: flicker: 0.0"),
        ("segmentation: {shares: [{label: Blue, max: 0.5}]}", "share of Blue: 0.9"),
    ],
)
def test_what_does_not_hold_is_named_and_the_exit_code_says_so(
    tmp_path: Path, models: list, expectation: str, problem: str, capsys: pytest.CaptureFixture
) -> None:
    expect = write(tmp_path / "bad.yaml", f"# one\n{expectation}\n")
    assert evaluate(drive(tmp_path / "bag"), "--expect", expect, *models) == 3
    out = capsys.readouterr().out
    assert f"{expect}:2: " in out and problem in out
    assert "0 of 1 expectations hold" in out


def test_bad_and_dropped_frames_are_counted(
    tmp_path: Path, models: list, capsys: pytest.CaptureFixture
) -> None:
    images = [
        compressed(sign("Red", n), n, keep=300 if n == 4 else None) for n in range(12) if n not in (6, 7)
    ]
    with BagWriter(tmp_path / "bag") as bag:
        for message in images:
            stamp_ns = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            bag.write(COMPRESSED, message, stamp_ns)
    expect = write(tmp_path / "a.yaml", "frames: {good: {min: 9, max: 9}, bad: {max: 0}, dropped: {max: 1}}")
    assert evaluate(tmp_path / "bag", "--expect", expect, *models) == 3
    out = capsys.readouterr().out
    assert "bad frames: 1; expected: at most 0" in out
    assert "dropped frames: 2; expected: at most 1" in out


def test_junit_for_several_drives_in_processes(
    tmp_path: Path, models: list, capsys: pytest.CaptureFixture
) -> None:
    bags = [drive(tmp_path / "good"), drive(tmp_path / "gap", without=(5, 6))]
    expect = write(tmp_path / "a.yaml", "frames:\n  dropped: {max: 0}\n  good: {min: 18}\n")
    junit = tmp_path / "new" / "junit.xml"
    words = ("--expect", expect, "--junit", junit, "--jobs", 2, *models)
    assert evaluate(*bags, *words) == 3
    out = capsys.readouterr().out
    assert out.index("good: 2 of 2 expectations hold") < out.index("gap: 1 of 2 expectations hold")
    root = ElementTree.parse(junit).getroot()
    assert (root.tag, root.attrib["tests"], root.attrib["failures"], root.attrib["errors"]) == (
        "testsuites",
        *("4", "1", "0"),
    )
    good, gap = root
    assert [suite.attrib["name"] for suite in root] == [str(bag) for bag in bags]
    assert (good.attrib["failures"], gap.attrib["failures"]) == ("0", "1")
    (failure,) = gap.iter("failure")
    assert failure.attrib["message"] == f"{expect}:2: dropped frames: 2; expected: at most 0"
    assert [case.attrib["line"] for case in gap.iter("testcase")] == ["2", "3"]
    assert [case.findtext("system-out") for case in good.iter("testcase")] == ["0", "20"]


def test_each_drive_may_have_a_file_of_its_own(tmp_path: Path, models: list) -> None:
    bags = [drive(tmp_path / "whole"), drive(tmp_path / "gap", without=(5,))]
    files = [
        write(tmp_path / f"{count}.yaml", f"frames: {{good: {{min: {count}, max: {count}}}}}")
        for count in (20, 19)
    ]
    assert evaluate(*bags, "--expect", *files, *models) == 0
    assert evaluate(*bags, "--expect", *reversed(files), *models) == 3


def test_a_drive_that_breaks_off_is_an_error_and_the_others_are_checked(
    tmp_path: Path, models: list, capsys: pytest.CaptureFixture
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    broken = write_bag(tmp_path / "broken", [(RAW, raw(noise, stamp)) for stamp in range(12)])
    damage(broken, cut=True)
    expect = write(tmp_path / "a.yaml", "frames: {good: {min: 1}}")
    junit = tmp_path / "junit.xml"
    assert evaluate(broken, drive(tmp_path / "good"), "--expect", expect, "--junit", junit, *models) == 1
    out = capsys.readouterr().out
    assert f"{broken}: not checked: " in out and "good: 1 of 1 expectations hold" in out
    root = ElementTree.parse(junit).getroot()
    assert [suite.attrib["errors"] for suite in root] == ["1", "0"]
    assert root.attrib["failures"] == "0"


@pytest.mark.parametrize(
    ("text", "words", "problem"),
    [
        ("signs: {seen: [{label: Stop}]}", [], ":1: the model for signs has no class 'Stop'; it has Blue, G"),
        (
            "signs: {seen: [{label: Red}]}",
            ["--signs", "none"],
            ":1: signs is expected, but left out; models r",
        ),
        (
            "signs: {flicker: {max: 1}}",
            [],
            ":1: signs: flicker: signs cannot give this; it gives seen, label",
        ),
        ("truth: [/none]\nframes: {bad: {max: 0}}", [], ":1: truth: /none is not in "),
        (
            f"truth: [{RAW}]\nframes: {{bad: {{max: 0}}}}",
            [],
            f":1: truth: a message on {RAW} is a picture (bgr8); a mask has mono8",
        ),
        ("frames: {good: {min: 1}}", ["more.mcap"], "more.mcap: no such file or folder"),
    ],
)
def test_expectations_that_make_no_sense_are_errors_of_use(
    tmp_path: Path, models: list, capsys: pytest.CaptureFixture, *, text: str, words: list, problem: str
) -> None:
    expect = write(tmp_path / "a.yaml", text)
    more = [word for word in words if not word.startswith("-") and word != "none"]
    options = [word for word in words if word not in more]
    assert evaluate(drive(tmp_path / "bag"), *more, "--expect", expect, *models, *options) == 1
    assert problem in capsys.readouterr().err


def test_what_a_good_drive_was_like_holds_for_it_again(
    tmp_path: Path, models: list, capsys: pytest.CaptureFixture
) -> None:
    bag, expect = drive(tmp_path / "bag"), tmp_path / "new" / "expect.yaml"
    assert evaluate(bag, "--write-expect", expect, *models) == 0
    text = expect.read_text(encoding="utf-8")
    for line in (
        '# What is expected of "bag", written from a drive on ',
        "  good: {min: 20}  # frames that could be used",
        '    - {label: "Red", between: [0, 2.7]}  # from 0.1 to 1.7 s',
        '    - {label: "Blue", min: 0.71, max: 1}  # was 0.947',
        "  label_changes: {max: 2}  # of things that are followed; there were 0",
    ):
        assert line in text, text
    assert sorted(path.name for path in expect.parent.iterdir()) == ["expect.yaml"]
    # A busy machine may be slower than any margin.
    patient, changed = re.subn(r"total: \{p95: [\d.]+\}", "total: {p95: 60000}", text)
    assert changed == 1
    expect.write_text(patient, encoding="utf-8")
    assert evaluate(bag, "--expect", expect, *models) == 0
    other = drive(tmp_path / "other", without=(3,))
    assert evaluate(other, "--expect", expect, *models) == 3
    assert evaluate(bag, "--write-expect", expect, *models) == 1
    assert "expect.yaml exists already; remove it or write elsewhere" in capsys.readouterr().err


def test_boxes_with_classes_are_the_truth_of_signs(
    tmp_path: Path, models: list, capsys: pytest.CaptureFixture
) -> None:
    messages = [(RAW, raw(sign("Red", number), number)) for number in range(8)]
    # Of eight signs, six are red as the truth has it; the classes are those of the model, by number.
    for number in range(8):
        box = (20.0 + number, 12.0, 44.0 + number, 36.0, "2" if number < 6 else "1")
        messages.append((ROIS, rois([box], number)))
    bag = write_bag(tmp_path / "bag", messages)
    expect = write(tmp_path / "a.yaml", f"truth: [{ROIS}]\nsigns: {{accuracy: {{min: 0.7, max: 0.74}}}}")
    assert evaluate(bag, "--expect", expect, *models) == 3
    assert "signs: accuracy: 0.75; expected: at least 0.7 and at most 0.74" in capsys.readouterr().out
    expect.write_text(f"truth: [{ROIS}]\nsigns: {{accuracy: {{min: 0.75}}}}")
    assert evaluate(bag, "--expect", expect, *models) == 0
    assert "are not used" not in capsys.readouterr().err


def test_masks_of_a_bag_are_the_truth_of_masks(
    tmp_path: Path, models: list, capsys: pytest.CaptureFixture
) -> None:
    """By the names that were recorded with them: here 0 is red and 1 is blue."""
    mask = "/cam/segmentation/mask"
    entries = [
        make("vision_msgs/msg/VisionClass", class_id=n, class_name=c) for n, c in enumerate(("Red", "Blue"))
    ]
    labels = make("vision_msgs/msg/LabelInfo", header=header(0), class_map=entries, threshold=0.0)
    ids = np.ones((72, 96), np.uint8)
    ids[:, :60] = 0
    ids[:12] = 255
    frame = solid("Blue", 72, 96)
    frame[:, :48] = solid("Red", 1, 1)
    with BagWriter(tmp_path / "bag") as bag:
        bag.write("/cam/segmentation/label_info", labels, 99 * 10**9)
        for number in range(4):
            image = raw(frame, number)
            message = raw(ids, number, encoding="mono8", step=96, data=ids.reshape(-1))
            time_ns = 100 * 10**9 + number * 10**8
            bag.write(mask, message, time_ns)
            bag.write(RAW, image, time_ns + 10**7)
    expect = write(
        tmp_path / "a.yaml",
        f"""\
        truth: [{mask}]
        segmentation:
          accuracy: {{min: 0.875, max: 0.875}}
          miou: {{min: 0.775, max: 0.775}}
          iou:
            - {{label: Red, min: 0.8, max: 0.8}}
            - {{label: Blue, min: 0.75, max: 0.75}}
            - {{label: Green, min: 0.5}}
        """,
    )
    assert evaluate(tmp_path / "bag", "--expect", expect, *models) == 3
    out = capsys.readouterr().out
    assert "4 of 5 expectations hold" in out
    assert "because no frame has Green, in truth or in the results" in out


def test_label_images_of_a_folder_are_the_truth(
    tmp_path: Path, models: list, capsys: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "set" / "val"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    (tmp_path / "set" / "classes.json").write_text('[{"name": "Red"}, {"name": "Green"}]')
    for number, color in enumerate(("Red", "Green", "Blue")):
        cv2.imwrite(str(folder / "images" / f"{number}.jpg"), solid(color))
    cv2.imwrite(str(folder / "masks" / "0.png"), np.zeros((40, 60), np.uint8))
    cv2.imwrite(str(folder / "masks" / "1.png"), np.zeros((40, 60), np.uint8))  # wrong on purpose
    expect = write(tmp_path / "a.yaml", "segmentation: {accuracy: {min: 0.5, max: 0.5}, miou: {max: 0.3}}")
    assert (
        evaluate(folder, "--expect", expect, *models) == 0
    )  # of Red 1 of 2, of Green none: mean of 0.5 and 0
    cv2.imwrite(str(folder / "masks" / "1.png"), np.full((40, 60), 7, np.uint8))
    assert evaluate(folder, "--expect", expect, *models) == 1
    assert (
        "masks/1.png: no class has the ids 7; the classes are Red, Green, from 0 on"
        in capsys.readouterr().err
    )
    cv2.imwrite(str(folder / "masks" / "1.png"), np.ones((40, 60), np.uint8))
    (tmp_path / "set" / "classes.json").write_text('[{"name": "Red"}, {"name": "line"}]')
    assert evaluate(folder, "--expect", expect, *models) == 3  # accuracy is 0.5, and mIoU the mean of 1, 0, 0
    assert (
        caplog.text.count("pixels of line count as wrong, because the truth has the classes Red, line") == 1
    )
    (tmp_path / "set" / "classes.json").write_text('[{"name": "floor"}, {"name": "line"}]')
    assert evaluate(folder, "--expect", expect, *models) == 1
    problem = (
        "a.yaml:1: the truth has the classes floor, line, the model for segmentation Blue, Green, Red; none"
    )
    assert problem in capsys.readouterr().err
    (tmp_path / "set" / "classes.json").unlink()
    assert evaluate(folder, "--expect", expect, *models) == 1
    assert "classes.json: cannot be read" in capsys.readouterr().err


def test_pictures_need_no_confirmation(tmp_path: Path, models: list) -> None:
    for number, color in enumerate(COLORS[1:]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), sign(color, 0))
    text = "signs: {seen: [{label: Red, min: 1, max: 1}, {label: Blue, max: 0}]}\nframes: {dropped: {max: 0}}"
    assert evaluate(tmp_path, "--expect", write(tmp_path / "a.yaml", text), *models) == 0


def test_what_was_measured_is_not_rounded_to_what_was_expected() -> None:
    accuracy = Expectation(Quantity("accuracy", "signs"), 0.99, None, 1)
    assert judge(accuracy, 0.98999).problem == "signs: accuracy: 0.98999; expected: at least 0.99"
    assert judge(accuracy, 0.5).problem == "signs: accuracy: 0.5; expected: at least 0.99"
    assert not judge(accuracy, 0.99).problem


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, check=False)
    return [int(word) for word in found.stdout.split()]


def reads_a_bag(pid: int) -> bool:
    """Whether a process has a bag open now."""
    try:
        return any(os.readlink(path).endswith(".mcap") for path in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it has closed a file meanwhile, or ended
        return False


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_ends_it_and_its_processes(tmp_path: Path, models: list, jobs: int) -> None:
    bags = [write_bag(tmp_path / name, [(RAW, raw(solid("Red"), n)) for n in range(4000)]) for name in "ab"]
    expect = write(tmp_path / "a.yaml", "frames: {bad: {max: 0}}")
    words = [*bags, "--expect", expect, "--jobs", jobs, "--junit", tmp_path / "junit.xml", *models]
    command = [sys.executable, "-m", "perception", "evaluate", *map(str, words)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not any(reads_a_bag(pid) for pid in (process.pid, *children(process.pid))):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    time.sleep(0.3)  # in the middle of the drive
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert not (tmp_path / "junit.xml").exists()
    assert not children(process.pid)
