from pathlib import Path

import pytest

from perception.doctor import board
from tests.doctor.machines import machine, named, orin, pi

RELEASE = "# R{} (release), REVISION: {}, GCID: 46758480, BOARD: generic, EABI: aarch64\n"


def test_a_jetson_is_known_with_its_jetpack(tmp_path: Path) -> None:
    found = board.board(orin(tmp_path))
    assert (found.kind, found.l4t) == ("jetson", (36, 4, 3))
    assert found.jetpack is not None and found.jetpack.tensorrt == (10, 3)
    finding = named(board.findings(orin(tmp_path)), "JetPack")
    assert finding.level == "ok"
    assert finding.found.startswith(
        "6.1 or 6.2 (Jetson Linux 36.4.3): Ubuntu 22.04, CUDA 12.6, TensorRT 10.3"
    )


@pytest.mark.parametrize(
    ("release", "level", "part"),
    [
        (RELEASE.format(39, 2.1), "ok", "7.2 (Jetson Linux 39.2.1): Ubuntu 24.04, CUDA 13.2, TensorRT 10.16"),
        (RELEASE.format(39, 2), "ok", "(Jetson Linux 39.2.0)"),
        (RELEASE.format(36, 3.0), "error", "TensorRT 8.6"),
        (RELEASE.format(41, 1.0), "unknown", "41.1.0 is not in the doctor's table"),
        ("made by hand", "unknown", "says no release"),
        (None, "unknown", "as in many containers"),
    ],
)
def test_each_jetpack(tmp_path: Path, release: str | None, level: str, part: str) -> None:
    finding = named(board.findings(orin(tmp_path, {"/etc/nv_tegra_release": release})), "JetPack")
    assert finding.level == level and part in finding.found


def test_a_pi_and_a_pc(tmp_path: Path) -> None:
    (finding,) = board.findings(pi(tmp_path / "pi"))
    assert (finding.level, finding.found, finding.values) == (
        "ok",
        "Raspberry Pi 5 Model B Rev 1.0",
        {"kind": "pi"},
    )
    assert board.board(machine(tmp_path / "pc", {}, {})).kind == "other"
