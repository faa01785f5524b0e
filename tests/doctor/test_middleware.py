import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from perception.doctor import middleware
from perception.paths import shared
from tests.doctor.machines import named, pi

Usage = namedtuple("Usage", "total used free")
PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE"


def test_a_fresh_terminal(tmp_path: Path) -> None:
    found = middleware.findings(pi(tmp_path))
    assert [finding.name for finding in found] == ["RMW", "Fast DDS profile", "/dev/shm", "ROS_DOMAIN_ID"]
    assert {finding.level for finding in found} == {"ok"}


@pytest.mark.parametrize(
    ("variable", "value", "name", "level"),
    [
        ("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp", "RMW", "ok"),
        ("RMW_IMPLEMENTATION", "rmw_cyclonedds_cpp", "RMW", "warning"),
        ("ROS_DOMAIN_ID", "42", "ROS_DOMAIN_ID", "ok"),
        ("ROS_DOMAIN_ID", "230", "ROS_DOMAIN_ID", "warning"),
        ("ROS_DOMAIN_ID", "car", "ROS_DOMAIN_ID", "error"),
        ("ROS_AUTOMATIC_DISCOVERY_RANGE", "off", "ROS_AUTOMATIC_DISCOVERY_RANGE", "error"),
        ("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST", "ROS_AUTOMATIC_DISCOVERY_RANGE", "ok"),
        ("ROS_LOCALHOST_ONLY", "1", "ROS_LOCALHOST_ONLY", "ok"),
        (PROFILE, "/etc/none.xml", "Fast DDS profile", "error"),
        (PROFILE, "/etc/broken.xml", "Fast DDS profile", "error"),
        (PROFILE, "/etc/small.xml", "Fast DDS profile", "warning"),
        (PROFILE, "/etc/good.xml", "Fast DDS profile", "ok"),
        ("FASTDDS_DEFAULT_PROFILES_FILE", "/etc/small.xml", "Fast DDS profile", "warning"),
    ],
)
def test_what_the_terminal_sets(tmp_path: Path, variable: str, value: str, name: str, level: str) -> None:
    good = shared("config/fastdds.xml").read_text(encoding="utf-8")
    files = {
        "/etc/broken.xml": good[:200],
        "/etc/small.xml": good.replace("16777216", "524288"),
        "/etc/good.xml": good,
    }
    assert named(middleware.findings(pi(tmp_path, files, **{variable: value})), name).level == level


@pytest.mark.parametrize(("free_mb", "level"), [(10, "error"), (60, "warning"), (500, "ok")])
def test_room_in_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mb: int, level: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(64_000_000, 0, free_mb * 1_000_000))
    files = {f"/dev/shm/fastrtps_{name}": "" for name in ("01af", "01af_el")}
    finding = named(middleware.findings(pi(tmp_path, files)), "/dev/shm")
    assert finding.level == level
    assert finding.values == {"size_mb": 64, "free_mb": free_mb, "segments": 1}


def test_the_profiles_are_those_that_the_nodes_set() -> None:
    nodes = pytest.importorskip("perception.nodes.middleware")
    assert sorted(middleware.PROFILES) == sorted(nodes.FAST_DDS_PROFILES)


def test_no_shared_memory_at_all(tmp_path: Path) -> None:
    assert named(middleware.findings(pi(tmp_path, {"/dev/shm/": None})), "/dev/shm").level == "error"
