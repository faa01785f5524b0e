import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from perception.commands import cli, doctor
from perception.doctor.finding import Finding
from perception.doctor.host import Host, Ran
from tests.doctor.machines import orin, pi


@pytest.fixture
def without_ros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rclpy", None)
    for name in (
        "perception.nodes.topics_seen",
        "perception.nodes.serialized",
        "perception.nodes.middleware",
    ):
        monkeypatch.delitem(sys.modules, name, raising=False)


def run(monkeypatch: pytest.MonkeyPatch, host: Host, *arguments: str) -> int:
    monkeypatch.setattr(doctor, "Host", lambda: host)
    return cli.main(["doctor", *arguments])


@pytest.mark.usefixtures("without_ros")
def test_a_machine_without_ros_is_still_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert run(monkeypatch, orin(tmp_path), "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["counts"] == {"ok": len(report["findings"]) - 1, "unknown": 1, "warning": 0, "error": 0}
    assert [finding["area"] for finding in report["findings"]][-1] == "topics"
    assert report["findings"][-1]["level"] == "unknown"
    assert "needs ROS 2" in report["findings"][-1]["found"]
    assert "make setup" in report["findings"][-1]["remedy"]
    assert {"processor", "cores", "system", "python"} <= set(report["machine"])
    assert report["findings"][0]["found"].startswith("NVIDIA Jetson Orin Nano")


def test_a_ros_that_does_not_load_is_named_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    real = doctor.ros.needed

    @contextmanager
    def needed() -> Iterator[None]:
        with real():
            raise ImportError("librcl.so: cannot open shared object file")
        yield

    monkeypatch.setattr(doctor.ros, "needed", needed)
    assert run(monkeypatch, orin(tmp_path), "--json") == 0
    (finding,) = (
        said for said in json.loads(capsys.readouterr().out)["findings"] if said["area"] == "topics"
    )
    assert finding["found"] == "this command needs ROS 2 (librcl.so: cannot open shared object file)"
    assert finding["remedy"].startswith("run 'make setup'")


@pytest.mark.usefixtures("without_ros")
@pytest.mark.parametrize(("bits", "code", "level"), [("0x50000", 0, "warning"), ("0x50005", 3, "error")])
def test_an_error_is_the_exit_code_and_a_warning_is_not(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    *,
    bits: str,
    code: int,
    level: str,
) -> None:
    host = pi(tmp_path, answers={"vcgencmd get_throttled": Ran(0, f"throttled={bits}")})
    assert run(monkeypatch, host) == code
    output = capsys.readouterr().out
    assert f"1 {level}" in output.splitlines()[-1]
    assert "take the 27 W supply" in " ".join(output.replace("│", " ").split())


def test_each_remedy_is_below_what_it_is_for_and_brackets_are_text() -> None:
    findings = [
        Finding("disk", "logs", "ok", "plenty"),
        Finding("power", "mode [1]", "warning", "slow [red]", "be faster"),
        Finding("power", "supply", "error", "weak", "a battery"),
    ]
    console = Console(file=io.StringIO(), width=80)
    doctor.show(findings, console)
    lines = [[cell.strip() for cell in line.strip("│").split("│")] for line in output(console)]
    at = lines.index(["warning", "mode [1]", "slow [red]"])
    assert lines[at + 1] == ["", "", "→ be faster"]
    assert output(console)[-1] == "1 error, 1 warning, 0 unknown, 1 ok"


def output(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()
