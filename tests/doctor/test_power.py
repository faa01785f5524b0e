from pathlib import Path

import pytest

from perception.doctor import power
from perception.doctor.host import Ran
from tests.doctor.machines import Answers, Files, machine, named, orin, pi

GOVERNOR = "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor"
FIRMWARE = "/sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"
THERMAL = "/sys/class/thermal"


def test_all_is_well(tmp_path: Path) -> None:
    found = power.findings(orin(tmp_path / "orin"))
    assert {finding.level for finding in found} == {"ok"}
    assert named(found, "temperature").found == "52 °C (cpu-thermal), slower from 99 °C on"
    found = power.findings(pi(tmp_path / "pi"))
    assert {finding.level for finding in found} == {"ok"}
    assert [finding.name for finding in found] == ["governor", "supply", "throttling", "temperature"]


@pytest.mark.parametrize(
    ("files", "answers", "name", "level", "part"),
    [
        (
            {},
            {"nvpmodel -q": Ran(0, "NV Power Mode: 15W\n0")},
            "power mode",
            "warning",
            "there is MAXN_SUPER",
        ),
        ({}, {"nvpmodel -q": None}, "power mode", "unknown", "nvpmodel"),
        ({"/etc/nvpmodel.conf": None}, {}, "power mode", "unknown", "MAXN_SUPER"),
        ({"/sys/class/hwmon/hwmon3/oc1_event_cnt": "2"}, {}, "supply", "warning", "under-voltage 2 times"),
        (
            {f"/sys/class/hwmon/hwmon3/oc{number}_event_cnt": None for number in (1, 2, 3)},
            {},
            "supply",
            "unknown",
            "does not count",
        ),
        ({f"{THERMAL}/cooling_device1/cur_state": "1"}, {}, "throttling", "error", "cpu-throttle-alert"),
        ({f"{THERMAL}/cooling_device2/cur_state": "3"}, {}, "throttling", "error", "devfreq-17000000.gpu"),
        ({f"{THERMAL}/thermal_zone0/temp": "95000"}, {}, "temperature", "warning", "95 °C"),
        ({f"{THERMAL}/thermal_zone0/temp": None}, {}, "temperature", "unknown", "no sensor"),
    ],
)
def test_a_jetson_that_is_slower_than_it_could_be(
    tmp_path: Path, *, files: Files, answers: Answers, name: str, level: str, part: str
) -> None:
    finding = named(power.findings(orin(tmp_path, files, answers)), name)
    assert finding.level == level and part in finding.found


def test_a_hot_surface_is_no_throttling(tmp_path: Path) -> None:
    hot = {f"{THERMAL}/cooling_device3/cur_state": "1", f"{THERMAL}/thermal_zone0/temp": "72000"}
    found = power.findings(orin(tmp_path, hot))
    assert named(found, "throttling").level == "ok"
    assert named(found, "temperature").found == "72 °C (cpu-thermal), slower from 99 °C on"
    assert named(found, "temperature").level == "ok"


def test_the_sensor_that_is_nearest_to_its_limit_counts(tmp_path: Path) -> None:
    second = f"{THERMAL}/thermal_zone1"
    limited = {f"{second}/trip_point_0_type": "critical", f"{second}/trip_point_0_temp": "50000"}
    cool = {f"{second}/type": "battery", f"{second}/temp": "48000"}
    found = named(power.findings(orin(tmp_path / "both", {**cool, **limited})), "temperature")
    assert (found.level, found.found) == ("warning", "48 °C (battery), slower from 50 °C on")
    unlimited = {f"{THERMAL}/thermal_zone0/trip_point_{number}_temp": None for number in range(3)}
    found = named(power.findings(orin(tmp_path / "none", {**cool, **unlimited})), "temperature")
    assert (found.level, found.found) == ("ok", "52 °C (cpu-thermal), and the kernel names no limit")


def test_the_fastest_mode_is_named_by_its_number_on_this_board(tmp_path: Path) -> None:
    conf = "< POWER_MODEL ID=0 NAME=MODE_15W_6CORE >\n< POWER_MODEL ID=3 NAME=MODE_30W_ALL >\n"
    host = orin(
        tmp_path, {"/etc/nvpmodel.conf": conf}, {"nvpmodel -q": Ran(0, "NV Power Mode: MODE_15W_6CORE")}
    )
    assert named(power.findings(host), "power mode").remedy == "sudo nvpmodel -m 3"


@pytest.mark.parametrize(
    ("files", "bits", "level", "part"),
    [
        ({}, "0x50005", "error", "now: its supply is too weak, it is throttled"),
        ({}, "0x50000", "warning", "that its supply is too weak, that it is throttled"),
        ({}, "0x80008", "error", "soft limit"),
        ({}, "0x2", "error", "now: its clock is capped"),
        ({}, "0x4", "error", "now: it is throttled"),
        ({}, "", "unknown", "cannot be asked"),
        ({FIRMWARE: "50000\n"}, "", "warning", "its supply is too weak"),
        ({FIRMWARE: "0\n"}, "", "ok", "neither"),
    ],
)
def test_a_pi_with_too_weak_a_supply(tmp_path: Path, files: Files, bits: str, level: str, part: str) -> None:
    answer = Ran(0, f"throttled={bits}") if bits else None
    finding = named(power.findings(pi(tmp_path, files, {"vcgencmd get_throttled": answer})), "supply")
    assert finding.level == level and part in finding.found


@pytest.mark.parametrize(
    ("governor", "level"),
    [("powersave", "error"), ("ondemand", "warning"), ("schedutil", "warning"), (None, "unknown")],
)
def test_the_governor_of_a_pi(tmp_path: Path, governor: str | None, level: str) -> None:
    assert named(power.findings(pi(tmp_path, {GOVERNOR: governor})), "governor").level == level


def test_a_pc_may_have_any_governor_and_a_container_shows_nothing(tmp_path: Path) -> None:
    found = power.findings(machine(tmp_path / "pc", {GOVERNOR: "powersave"}, {}))
    assert named(found, "governor").level == "ok"
    found = power.findings(machine(tmp_path / "container", {}, {}))
    assert {finding.level for finding in found} == {"unknown"}
    assert all(finding.remedy for finding in found)
