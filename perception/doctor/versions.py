"""Versions: whether Python, ROS, NumPy and ONNX Runtime fit each other and the board."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from perception.doctor.board import Board, board, dotted
from perception.doctor.finding import Finding
from perception.doctor.host import Host

AREA = "versions"
OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)  # docs/car.md says what was tried with each
# Their cv_bridge is compiled for NumPy 1 (docs.ros.org, Releases: NumPy 1.21 and 1.26).
NUMPY_1 = ("humble", "jazzy", "kilted")
KNOWN_ROS = ("humble", "jazzy", "kilted")
_RUNTIMES = ("onnxruntime", "onnxruntime-gpu")

_PYTHON = """
import json, sys
from importlib import metadata, util
def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
names = ("onnxruntime", "onnxruntime-gpu", "numpy")
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "packages": {name: version(name) for name in names},
    "rclpy": util.find_spec("rclpy") is not None,
}))
"""


@dataclass(frozen=True)
class Python:
    """The Python that runs the nodes.

    Attributes:
        version: of the interpreter.
        packages: name → version of the installed packages; empty text: not installed.
        has_rclpy: it finds ROS 2.
    """

    version: tuple[int, ...]
    packages: Mapping[str, str]
    has_rclpy: bool


def python(host: Host) -> Python | None:
    """The interpreter that runs this; None if it cannot be asked."""
    ran = host.python(_PYTHON)
    if ran is None or ran.code:
        return None
    try:
        said = json.loads(ran.out)
    except ValueError:
        return None
    return Python(tuple(said["version"]), said["packages"], said["rclpy"])


def findings(host: Host) -> list[Finding]:
    """Python, ROS, NumPy and ONNX Runtime."""
    found = python(host)
    if found is None:
        remedy = "run it as the nodes run: with the .venv active"
        return [Finding(AREA, "Python", "unknown", "the interpreter does not answer", remedy)]
    this = board(host)
    return [_python(found, this), _ros(host, found, this), *_numpy(host, found), _runtime(found)]


def _python(found: Python, this: Board) -> Finding:
    text, version = dotted(found.version), found.version[:2]
    jetpack = this.jetpack
    if jetpack and version != jetpack.python:
        return Finding(
            AREA,
            "Python",
            "error",
            f"{text}, but the TensorRT module of JetPack {jetpack.name} is for {dotted(jetpack.python)}",
            "make clean && make PYTHON=/usr/bin/python3 setup",
        )
    if not OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        remedy = f"take Python {dotted(OLDEST_PYTHON)} to {dotted(NEWEST_PYTHON)}, or try it: docs/car.md"
        return Finding(AREA, "Python", "warning", f"{text} was never tried", remedy)
    return Finding(AREA, "Python", "ok", text)


def _ros(host: Host, found: Python, this: Board) -> Finding:
    distribution = host.environment.get("ROS_DISTRO", "")
    if not found.has_rclpy:
        remedy = "source it: . /opt/ros/jazzy/setup.bash; then activate the .venv"
        if distribution:
            return Finding(AREA, "ROS 2", "error", f"{distribution}, but this Python finds no rclpy", remedy)
        return Finding(AREA, "ROS 2", "error", "none: this Python finds no rclpy", remedy)
    if not distribution:
        return Finding(AREA, "ROS 2", "ok", "wheels in the .venv, none sourced")
    if this.jetpack and distribution != this.jetpack.ros:
        remedy = f"ROS 2 {this.jetpack.ros} has packages for Ubuntu {this.jetpack.ubuntu}"
        return Finding(AREA, "ROS 2", "warning", f"{distribution} on JetPack {this.jetpack.name}", remedy)
    if distribution not in KNOWN_ROS:
        remedy = "use humble, jazzy or kilted, or try it: docs/car.md says what is known of newer ones"
        return Finding(AREA, "ROS 2", "warning", f"{distribution} was never tried", remedy)
    return Finding(AREA, "ROS 2", "ok", distribution)


def _numpy(host: Host, found: Python) -> list[Finding]:
    version = found.packages.get("numpy", "")
    if not version:
        return [Finding(AREA, "NumPy", "error", "not installed", "make setup")]
    is_new = not version.startswith(("0.", "1."))
    if is_new and host.environment.get("ROS_DISTRO") in NUMPY_1:
        text = f"{version}, but this ROS' cv_bridge is compiled for NumPy 1 and crashes with it"
        return [Finding(AREA, "NumPy", "warning", text, "pip install 'numpy<2' in the .venv")]
    return [Finding(AREA, "NumPy", "ok", version)]


def _runtime(found: Python) -> Finding:
    name = "ONNX Runtime"
    installed = {package: found.packages[package] for package in _RUNTIMES if found.packages.get(package)}
    text = ", ".join(f"{package} {version}" for package, version in installed.items())
    if not installed:
        return Finding(AREA, name, "error", "not installed, and the nodes need it", "make setup")
    if len(installed) == len(_RUNTIMES):
        remedy = "pip uninstall onnxruntime onnxruntime-gpu; then install one of them"
        return Finding(AREA, name, "warning", f"{text}: both write into the same folder", remedy)
    return Finding(AREA, name, "ok", text)
