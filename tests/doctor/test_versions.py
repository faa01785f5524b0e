from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from perception.doctor import versions
from perception.doctor.host import Host, Ran, run
from tests.doctor.machines import named, orin, pi, python


def test_all_is_well(tmp_path: Path) -> None:
    for host in (orin(tmp_path / "orin"), pi(tmp_path / "pi")):
        assert {finding.level for finding in versions.findings(host)} == {"ok"}


@pytest.mark.parametrize(
    ("name", "said", "level", "part"),
    [
        ("Python", {"version": (3, 11, 7)}, "error", "TensorRT module of JetPack 6.1 or 6.2 is for 3.10"),
        ("ROS 2", {"rclpy": False}, "error", "humble, but this Python finds no rclpy"),
        ("NumPy", {"numpy": "2.2.6"}, "warning", "cv_bridge is compiled for NumPy 1"),
        ("NumPy", {"numpy": ""}, "error", "not installed"),
        ("ONNX Runtime", {"onnxruntime": ""}, "error", "not installed"),
        ("ONNX Runtime", {"onnxruntime_gpu": "1.23.0"}, "warning", "both write into the same folder"),
    ],
)
def test_what_does_not_fit(
    tmp_path: Path, name: str, said: Mapping[str, object], level: str, part: str
) -> None:
    facts = {"version": (3, 10, 12), "onnxruntime": "1.23.2", "numpy": "1.26.4", **said}
    version = facts.pop("version")
    answer = python(*version, **facts)  # type: ignore[misc, arg-type]
    findings = versions.findings(orin(tmp_path, answers={"sys.version_info": answer}))
    finding = named(findings, name)
    assert finding.level == level and part in finding.found
    assert [other.level for other in findings if other is not finding] == ["ok"] * 3


@pytest.mark.parametrize(
    ("distribution", "level", "part"),
    [
        ("jazzy", "warning", "jazzy on JetPack 6.1 or 6.2"),
        ("", "ok", "wheels in the .venv"),
    ],
)
def test_ros_of_a_jetson(tmp_path: Path, distribution: str, level: str, part: str) -> None:
    finding = named(versions.findings(orin(tmp_path, ROS_DISTRO=distribution)), "ROS 2")
    assert finding.level == level and part in finding.found


def test_ros_that_was_never_tried(tmp_path: Path) -> None:
    answers = {"sys.version_info": python(3, 13, 0, onnxruntime="1.31.1", numpy="2.3.4")}
    found = versions.findings(pi(tmp_path, answers=answers, ROS_DISTRO="lyrical"))
    assert named(found, "ROS 2").level == "warning"
    assert named(found, "NumPy").level == named(found, "Python").level == "ok"  # Lyrical's own NumPy is 2
    without = {"sys.version_info": python(3, 14, 0, rclpy=False, numpy="2.3.4")}
    found = versions.findings(pi(tmp_path, answers=without, ROS_DISTRO=""))
    assert named(found, "ROS 2").found == "none: this Python finds no rclpy"
    assert named(found, "Python").level == "warning"


@pytest.mark.parametrize("answer", [None, Ran(-11, ""), Ran(0, "no JSON")])
def test_an_interpreter_that_does_not_answer_is_unknown(tmp_path: Path, answer: Ran | None) -> None:
    (finding,) = versions.findings(pi(tmp_path, answers={"sys.version_info": answer}))
    assert (finding.name, finding.level) == ("Python", "unknown")


def test_this_interpreter_answers() -> None:
    found = versions.python(Host(run=partial(run, timeout_s=300.0)))
    assert found is not None and found.version >= (3, 10) and found.packages["numpy"]
