"""Board: which computer this is, and what its JetPack brings."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from typing import Literal

from perception.doctor.finding import Finding
from perception.doctor.host import Host
from perception.engines.builder import OLDEST

AREA = "board"
_L4T = re.compile(r"R(\d+) \(release\), REVISION: (\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class JetPack:
    """One release of NVIDIA's system for Jetsons.

    Attributes:
        name: as NVIDIA numbers it.
        l4t: release and revision of Jetson Linux, as in /etc/nv_tegra_release.
        ubuntu: what it is made of.
        python: the Python that its TensorRT module is for.
        cuda: version of CUDA.
        tensorrt: version of TensorRT.
        ros: the distribution of ROS 2 that has packages for its Ubuntu.
    """

    name: str
    l4t: tuple[int, int]
    ubuntu: str
    python: tuple[int, int]
    cuda: tuple[int, int]
    tensorrt: tuple[int, int]
    ros: str


# 6: docs.nvidia.com/jetson/archives/r36.3, docs.pytorch.org/TensorRT/getting_started/jetpack.html.
# 7.0, 7.1: developer.nvidia.com/embedded/jetpack/downloads/archive-7.1; they run on Thor only.
# 7.2: github.com/OE4T/meta-tegra/pull/2224, and the support matrix of nvidia.github.io/TensorRT-Edge-LLM.
JETPACKS = (
    JetPack("6.0", (36, 2), "22.04", (3, 10), (12, 2), (8, 6), "humble"),
    JetPack("6.0", (36, 3), "22.04", (3, 10), (12, 2), (8, 6), "humble"),
    JetPack("6.1 or 6.2", (36, 4), "22.04", (3, 10), (12, 6), (10, 3), "humble"),
    JetPack("6.2", (36, 5), "22.04", (3, 10), (12, 6), (10, 3), "humble"),
    JetPack("7.0", (38, 2), "24.04", (3, 12), (13, 0), (10, 13), "jazzy"),
    JetPack("7.1", (38, 4), "24.04", (3, 12), (13, 0), (10, 13), "jazzy"),
    JetPack("7.2", (39, 2), "24.04", (3, 12), (13, 2), (10, 16), "jazzy"),
)

Kind = Literal["jetson", "pi", "other"]


@dataclass(frozen=True)
class Board:
    """A computer.

    Attributes:
        kind: what its power and clocks are read by.
        model: as its maker writes it.
        l4t: release, revision and patch of Jetson Linux; None without one.
        jetpack: what that release brings; None if it is none of the table.
    """

    kind: Kind
    model: str
    l4t: tuple[int, int, int] | None = None
    jetpack: JetPack | None = None


def board(host: Host) -> Board:
    """The computer that this is."""
    model = host.read("/proc/device-tree/model") or ""
    compatible = host.read("/proc/device-tree/compatible") or ""
    release = host.read("/etc/nv_tegra_release")
    if release is None and "nvidia,tegra" not in compatible:
        return Board("pi" if model.startswith("Raspberry Pi") else "other", model or platform.machine())
    found = _L4T.search(release or "")
    l4t = (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None
    jetpack = next((known for known in JETPACKS if l4t and known.l4t == l4t[:2]), None)
    return Board("jetson", model or "Jetson", l4t, jetpack)


def findings(host: Host) -> list[Finding]:
    """The computer, and its JetPack if it is a Jetson."""
    found = board(host)
    first = Finding(AREA, "model", "ok", found.model, values={"kind": found.kind})
    return [first, _jetpack(found)] if found.kind == "jetson" else [first]


def _jetpack(found: Board) -> Finding:
    if found.l4t is None:
        return Finding(
            AREA,
            "JetPack",
            "unknown",
            "/etc/nv_tegra_release is missing or says no release, as in many containers",
            "run the doctor outside the container as well",
        )
    linux = f"Jetson Linux {'.'.join(map(str, found.l4t))}"
    jetpack = found.jetpack
    if jetpack is None:
        return Finding(
            AREA,
            "JetPack",
            "unknown",
            f"{linux} is not in the doctor's table",
            "JetPack 6.1, 6.2 and 7.2 are known to fit; compare versions with docs/car.md",
        )
    text = f"{jetpack.name} ({linux}): Ubuntu {jetpack.ubuntu}, CUDA {dotted(jetpack.cuda)}, TensorRT "
    text += f"{dotted(jetpack.tensorrt)}, Python {dotted(jetpack.python)}, ROS 2 {jetpack.ros}"
    if jetpack.tensorrt < OLDEST:
        remedy = f"install JetPack 6.1 or later, because the models need TensorRT {dotted(OLDEST)}"
        return Finding(AREA, "JetPack", "error", text, remedy)
    return Finding(AREA, "JetPack", "ok", text)


def dotted(version: tuple[int, ...]) -> str:
    """A version as it is written."""
    return ".".join(map(str, version))
