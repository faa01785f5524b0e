import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from perception.doctor import disk
from tests.doctor.machines import machine, named

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(("free_mb", "level"), [(100, "error"), (1000, "warning"), (9000, "ok")])
def test_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mb: int, level: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, free_mb * 1_000_000))
    found = disk.findings(machine(tmp_path, {"/home/car/": ""}, {}, ROS_LOG_DIR="/var/log/ros"))
    assert [finding.name for finding in found] == ["engines", "recordings", "logs"]
    for finding in found:
        assert named(found, finding.name).level == level
        assert finding.values == {"free_mb": free_mb}
    assert named(found, "engines").found.startswith("/home/car/.cache/perception")
    assert named(found, "logs").found.startswith("/var/log/ros")


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, "/home/car/.ros/log"),
        ({"ROS_HOME": "/data/ros"}, "/data/ros/log"),
        ({"ROS_HOME": "/data/ros", "ROS_LOG_DIR": "/var/log/ros"}, "/var/log/ros"),
    ],
)
def test_where_ros_logs(tmp_path: Path, environment: dict[str, str], folder: str) -> None:
    found = disk.findings(machine(tmp_path, {"/home/car/": ""}, {}, **environment))
    assert named(found, "logs").found.startswith(f"{folder}:")


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").mkdir()
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path / "cache")  # root may write everywhere
    found = disk.findings(machine(tmp_path, {"/home/car/": ""}, {}, XDG_CACHE_HOME="/cache"))
    assert named(found, "engines").level == "error" and "chown" in named(found, "engines").remedy
    assert named(found, "logs").level == "ok"
