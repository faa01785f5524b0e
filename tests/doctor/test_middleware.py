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
    assert named(found, "RMW").found == "rmw_fastrtps_cpp, the default"
    given = middleware.findings(pi(tmp_path, RMW_IMPLEMENTATION="rmw_fastrtps_cpp"))
    assert named(given, "RMW").found == "rmw_fastrtps_cpp"


@pytest.mark.parametrize(
    ("variable", "value", "name", "level"),
    [
        ("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp", "RMW", "ok"),
        ("RMW_IMPLEMENTATION", "rmw_cyclonedds_cpp", "RMW", "warning"),
        ("ROS_DOMAIN_ID", "42", "ROS_DOMAIN_ID", "ok"),
        ("ROS_DOMAIN_ID", "230", "ROS_DOMAIN_ID", "warning"),
        ("ROS_DOMAIN_ID", "233", "ROS_DOMAIN_ID", "error"),
        ("ROS_DOMAIN_ID", "car", "ROS_DOMAIN_ID", "error"),
        ("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF", "ROS_AUTOMATIC_DISCOVERY_RANGE", "error"),
        ("ROS_AUTOMATIC_DISCOVERY_RANGE", "localhost", "ROS_AUTOMATIC_DISCOVERY_RANGE", "warning"),
        ("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST", "ROS_AUTOMATIC_DISCOVERY_RANGE", "ok"),
        ("ROS_LOCALHOST_ONLY", "1", "ROS_LOCALHOST_ONLY", "ok"),
        (PROFILE, "/etc/none.xml", "Fast DDS profile", "error"),
        (PROFILE, "/etc/broken.xml", "Fast DDS profile", "error"),
        (PROFILE, "/etc/small.xml", "Fast DDS profile", "warning"),
        (PROFILE, "/etc/good.xml", "Fast DDS profile", "ok"),
        (PROFILE, "/etc/plain.xml", "Fast DDS profile", "ok"),
        (PROFILE, "own.xml", "Fast DDS profile", "ok"),
    ],
)
def test_what_the_terminal_sets(tmp_path: Path, variable: str, value: str, name: str, level: str) -> None:
    good = shared("config/fastdds.xml").read_text(encoding="utf-8")
    files = {
        "/etc/broken.xml": good[:200],
        "/etc/small.xml": good.replace("16777216", "524288"),
        "/etc/good.xml": good,
        "/etc/plain.xml": good.replace(' xmlns="http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"', ""),
        f"{Path.cwd()}/own.xml": good,
    }
    assert named(middleware.findings(pi(tmp_path, files, **{variable: value})), name).level == level


def test_each_ros_reads_the_profile_of_its_own_variable(tmp_path: Path) -> None:
    files = {"/etc/good.xml": shared("config/fastdds.xml").read_text(encoding="utf-8")}
    new = {"FASTDDS_DEFAULT_PROFILES_FILE": "/etc/good.xml"}
    jazzy, kilted = (
        named(middleware.findings(pi(tmp_path, files, ROS_DISTRO=ros, **new)), "Fast DDS profile")
        for ros in ("jazzy", "kilted")
    )
    assert jazzy.level == "warning" and "does not read" in jazzy.found and PROFILE in jazzy.remedy
    assert (kilted.level, kilted.found) == ("ok", "/etc/good.xml")


def test_localhost_only_outranks_the_discovery_range(tmp_path: Path) -> None:
    host = pi(tmp_path, ROS_LOCALHOST_ONLY="1", ROS_AUTOMATIC_DISCOVERY_RANGE="OFF")
    found = middleware.findings(host)
    assert named(found, "ROS_LOCALHOST_ONLY").level == "ok"
    assert "ROS_AUTOMATIC_DISCOVERY_RANGE" not in {finding.name for finding in found}


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
