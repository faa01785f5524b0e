"""What a newcomer, pip and colcon do with this repository before anything runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARE = "share/perception"
BARE = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}  # no ROS is sourced in it


def run(*command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] = BARE) -> tuple[int, str]:
    """Exit code and all output."""
    done = subprocess.run(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


def make_setup(folder: Path, *variables: str, env: Mapping[str, str] = BARE) -> str:
    """What ``make setup`` says where it cannot work."""
    code, output = run("make", "setup", f"VENV={folder}/venv", *variables, env=env)
    assert code != 0
    assert not (folder / "venv").exists()
    (error,) = [line for line in output.splitlines() if not line.startswith("make")]
    return error


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy without what was built here."""
    built = shutil.ignore_patterns(
        ".*", "*.egg-info", "__pycache__", "build", "dist", "install", "log", "out", "runs"
    )
    return Path(shutil.copytree(ROOT, tmp_path_factory.mktemp("checkout") / "perception", ignore=built))


def shipped() -> set[str]:
    """What belongs under share/perception."""
    files = {str(path.relative_to(ROOT)) for path in ROOT.glob("launch/*.py")}
    for folder in ("config", "models", "demo/street"):
        files |= {str(path.relative_to(ROOT)) for path in ROOT.glob(f"{folder}/*") if path.is_file()}
    return files | {"package.xml"}


def test_plain_use_loads_neither_torch_nor_ros():
    code, output = run(
        sys.executable,
        "-c",
        "import perception, sys; print({'torch', 'lightning', 'rclpy'} & set(sys.modules))",
    )
    assert (code, output.strip()) == (0, "set()")


def test_a_folder_of_the_same_name_hides_nothing(tmp_path: Path):
    """As ~/ws/src does, with a checkout in it."""
    (tmp_path / "perception").mkdir()
    code, output = run(sys.executable, "-c", "import perception; perception.load", cwd=tmp_path)
    assert code == 0, output


def test_make_help_names_every_target():
    _, output = run("make", "help")
    for target in ("setup", "demo", "test", "check", "bench", "lock", "clean"):
        assert f"\n{target} " in output


def test_an_old_python_is_reported(tmp_path: Path):
    old = tmp_path / "python3.8"
    old.write_text('#!/bin/sh\ncase "$2" in *print*) echo 3.8 ;; *) exit 1 ;; esac\n')
    old.chmod(0o755)
    output = make_setup(tmp_path, f"PYTHON={old}")
    assert "is Python 3.8 and 3.10 is the oldest" in output
    assert "make PYTHON=python3.11" in output


def test_a_missing_python_is_reported(tmp_path: Path):
    assert "sudo apt install python3 python3-venv" in make_setup(tmp_path, "PYTHON=/nowhere/python3")


def test_a_processor_without_wheels_is_reported(tmp_path: Path):
    output = make_setup(tmp_path, "MACHINE=aarch64")
    assert "no ROS 2 wheels for aarch64" in output
    assert ". /opt/ros/jazzy/setup.sh" in output


def test_a_missing_compiler_is_reported(tmp_path: Path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("make", "sh", "uname", "find"):
        (tools / name).symlink_to(shutil.which(name) or name)
    output = make_setup(tmp_path, f"PYTHON={sys.executable}", "MACHINE=x86_64", env={"PATH": str(tools)})
    assert "sudo apt install g++" in output


def test_a_sourced_ros_without_vision_msgs_is_reported(tmp_path: Path):
    (tmp_path / "rclpy.py").touch()
    (tmp_path / "vision_msgs.py").write_text("raise ImportError")
    sourced = {**BARE, "ROS_DISTRO": "jazzy", "PYTHONPATH": str(tmp_path)}
    assert "but no ROS 2 is sourced: . /opt/ros/jazzy/setup.sh" in make_setup(tmp_path, env=sourced)
    sourced["AMENT_PREFIX_PATH"] = "/opt/ros/jazzy"
    assert "sudo apt install ros-jazzy-vision-msgs" in make_setup(tmp_path, env=sourced)


def test_a_sourced_ros_is_used_instead_of_wheels(tmp_path: Path):
    sourced = {**BARE, "ROS_DISTRO": "jazzy"}
    _, output = run("make", "--dry-run", "setup", f"VENV={tmp_path}/venv", "MACHINE=aarch64", env=sourced)
    assert "--system-site-packages" in output
    assert "constraints/sourced.txt" in output
    assert "[ros]" not in output
    assert "vision_msgs" not in output


def test_a_wheel_carries_everything(checkout: Path, tmp_path: Path):
    pip = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps"]
    code, output = run(*pip, "--wheel-dir", tmp_path, checkout)
    assert code == 0, output
    (wheel,) = tmp_path.glob("perception-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())

    data = wheel.name.split("-py3")[0] + f".data/data/{SHARE}"
    assert {f"{data}/{file}" for file in shipped()} <= names
    assert "perception/py.typed" in names
    assert {str(path.relative_to(ROOT)) for path in ROOT.glob("perception/msg/**/*.msg")} <= names
    assert not [name for name in names if name.startswith(("training/", "tests/"))]


def test_colcon_builds_the_package(checkout: Path, tmp_path: Path):
    pytest.importorskip("colcon_ros", reason="colcon is not installed")
    colcon = [sys.executable, "-m", "colcon"]
    code, output = run(*colcon, "build", "--base-paths", checkout, cwd=tmp_path)
    assert code == 0, output

    prefix = tmp_path / "install/perception"
    assert {path.name for path in (tmp_path / "install").iterdir() if path.is_dir()} == {"perception"}
    assert (prefix / "share/ament_index/resource_index/packages/perception").exists()
    assert [file for file in shipped() if not (prefix / SHARE / file).exists()] == []

    def installed(command: str) -> tuple[int, str]:
        path = f"{Path(sys.executable).parent}:{BARE['PATH']}"
        script = f". {tmp_path}/install/local_setup.sh && {command}"
        return run("sh", "-c", script, cwd=tmp_path, env={**os.environ, "PATH": path})

    code, output = installed("python3 -c 'from perception.paths import shared; print(shared(\"config\"))'")
    assert (code, output.strip()) == (0, str(prefix / SHARE / "config"))
    for node in ("signs", "segmentation"):
        code, output = installed(f"{prefix}/lib/perception/{node} --ros-args -p nonsense:=1")
        assert code == 1
        assert "unknown parameter 'nonsense'" in output
