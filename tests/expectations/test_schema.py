"""Files of expectations: what they mean, and what is said about those that are wrong."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from perception.errors import InputError
from perception.expectations.quantities import KINDS, Quantity
from perception.expectations.schema import read


def write(path: Path, text: str) -> Path:
    path.write_text(dedent(text), encoding="utf-8")
    return path


def test_everything_that_can_be_expected(tmp_path: Path) -> None:
    expected = read(
        write(
            tmp_path / "a.yaml",
            """\
            frames: {good: {min: 10}, dropped: {max: 2}}
            latency_ms:
              total: {p50: 40, p95: 80.5}
            truth: [/camera/rois]
            signs:
              seen:
                - {label: Stop, between: [3, 7.5]}
                - {label: Yield, max: 0}
              label_changes: {max: 3}
              accuracy: {min: 0.9}
            segmentation:
              shares:
                - label: floor
                  min: 0.25
                  max: 0.5
              iou: [{label: line, min: 0.5}]
              flicker: {max: 0.04}
            """,
        )
    )
    rows = [(each.quantity, each.least, each.most, each.line) for each in expected.all]
    assert rows == [
        (Quantity("good"), 10, None, 1),
        (Quantity("dropped"), None, 2, 1),
        (Quantity("latency", stage="total", percent=50), None, 40, 3),
        (Quantity("latency", stage="total", percent=95), None, 80.5, 3),
        (Quantity("seen", "signs", "Stop", (3, 7.5)), 1, None, 7),
        (Quantity("seen", "signs", "Yield"), None, 0, 8),
        (Quantity("label_changes", "signs"), None, 3, 9),
        (Quantity("accuracy", "signs"), 0.9, None, 10),
        (Quantity("share", "segmentation", "floor"), 0.25, 0.5, 13),
        (Quantity("iou", "segmentation", "line"), 0.5, None, 16),
        (Quantity("flicker", "segmentation"), None, 0.04, 17),
    ]
    assert expected.truth == (("/camera/rois", 4),)
    assert expected.tasks == ("signs", "segmentation")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ":1: nothing is expected; allowed are frames, latency_ms, truth, signs, segmentation"),
        ("frames: {}\n", ":1: nothing is expected"),
        ("- 1\n", ":1: a list is no mapping with frames, latency_ms, truth"),
        ("frames:\n  god: {min: 1}\n", ":2: frames: 'god' is not known; allowed: good, bad, dropped"),
        ("frames_: {}\n", ":1: 'frames_' is not known; allowed: frames, latency_ms, truth, signs"),
        ("frames:\n  bad: 3\n", ":2: frames.bad: 3 is no mapping with min, max"),
        ("frames:\n  bad: {max: 1.5}\n", ":2: frames.bad.max: 1.5 is no whole number from 0 on"),
        ("frames:\n  bad: {max: true}\n", ":2: frames.bad.max: True is no whole number"),
        ("frames:\n  bad: {}\n", ":2: frames.bad: give min, max or both"),
        ("latency_ms:\n  total: {p75: 3}\n", ":2: latency_ms.total: 'p75' is not known; allowed: p50, p90"),
        ("latency_ms:\n  total: {}\n", ":2: latency_ms.total: give at least one of p50, p90, p95, p99"),
        ("latency_ms:\n  total: {p50: fast}\n", ":2: latency_ms.total.p50: 'fast' is no number from 0 on"),
        ("signs:\n  seen: {label: Stop}\n", ":2: signs.seen: a mapping is no list"),
        (
            "signs:\n  seen:\n    - {lab: Stop}\n",
            ":3: signs.seen[0]: 'lab' is not known; allowed: label, ",
        ),
        ("signs:\n  seen:\n    - {max: 0}\n", ":3: signs.seen[0]: label is missing; it names the class"),
        (
            "signs:\n  seen:\n    - label: Stop\n      between: [5, 3]\n",
            ":4: signs.seen[0].between: must be two times in seconds, [from, to]",
        ),
        (
            "signs:\n  seen:\n    - {label: 30}\n",
            ":3: signs.seen[0].label: 30 is not the name of a class; wr",
        ),
        (
            "segmentation:\n  shares:\n    - {label: floor, min: 30}\n",
            ":3: segmentation.shares[0].min: 30 is no share, from 0 to 1",
        ),
        (
            "segmentation:\n  flicker: {min: 0.5, max: 0.1}\n",
            "segmentation.flicker: min is 0.5 and max is 0.1",
        ),
        ("segmentation:\n  miou: {min: .nan}\n", "segmentation.miou.min: nan is no share, from 0 to 1"),
        (
            "segmentation:\n  iou: [{label: line, between: [1, 2], min: 0.5}]\n",
            "segmentation.iou[0]: 'between' is not known; allowed: label, min, max",
        ),
        ("signs:\n  a: 1\n b: 2\n", ":3: not YAML: "),
        ("signs: {}\nsigns: {}\n", ":2: not YAML: found duplicate key"),
        ("truth: /camera/rois\n", ":1: truth: '/camera/rois' is no list"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert problem in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: cannot be read: No such file"):
        read(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("signs: {seen: [{label: Straße}]}".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.yaml: not YAML"):
        read(tmp_path / "latin.yaml")


def test_the_examples_of_the_documentation_are_right(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    kinds = {each.quantity.kind for text in examples for each in read(write(tmp_path / "a.yaml", text)).all}
    assert kinds == set(KINDS)
