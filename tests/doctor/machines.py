"""Other machines as folders: a Jetson Orin Nano with JetPack 6.2, and a Raspberry Pi 5.

Names and contents of the files are as such boards have them: Jetson Linux 36.4, Raspberry Pi's kernel 6.12.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from perception.doctor.finding import Finding
from perception.doctor.host import Host, Ran

Files = Mapping[str, str | None]
Answers = Mapping[str, Ran | None]

ORIN: Files = {
    "/proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
    "/proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005-super\0nvidia,tegra234\0",
    "/etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, "
    "DATE: Wed Jan  8 01:49:37 UTC 2025\n# KERNEL_VARIANT: oot\n",
    "/etc/nvpmodel.conf": "< PM_CONFIG DEFAULT=1 >\n< POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n"
    "< POWER_MODEL ID=1 NAME=25W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n< POWER_MODEL ID=3 NAME=7W >\n",
    "/dev/nvhost-gpu": "",
    "/sys/class/hwmon/hwmon3/name": "soctherm_oc\n",
    "/sys/class/hwmon/hwmon3/oc1_event_cnt": "0\n",
    "/sys/class/hwmon/hwmon3/oc2_event_cnt": "0\n",
    "/sys/class/hwmon/hwmon3/oc3_event_cnt": "0\n",
    "/sys/class/thermal/cooling_device0/type": "pwm-fan\n",
    "/sys/class/thermal/cooling_device0/cur_state": "2\n",
    "/sys/class/thermal/cooling_device1/type": "cpu-throttle-alert\n",
    "/sys/class/thermal/cooling_device1/cur_state": "0\n",
    "/sys/class/thermal/cooling_device2/type": "devfreq-17000000.gpu\n",
    "/sys/class/thermal/cooling_device2/cur_state": "0\n",
    "/sys/class/thermal/cooling_device3/type": "hot-surface-alert\n",
    "/sys/class/thermal/cooling_device3/cur_state": "0\n",
    "/sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "/sys/class/thermal/thermal_zone0/temp": "51687\n",
    "/sys/class/thermal/thermal_zone0/trip_point_0_type": "active\n",
    "/sys/class/thermal/thermal_zone0/trip_point_0_temp": "46000\n",
    "/sys/class/thermal/thermal_zone0/trip_point_1_type": "passive\n",
    "/sys/class/thermal/thermal_zone0/trip_point_1_temp": "99000\n",
    "/sys/class/thermal/thermal_zone0/trip_point_2_type": "passive\n",
    "/sys/class/thermal/thermal_zone0/trip_point_2_temp": "70000\n",
    "/sys/class/thermal/thermal_zone0/cdev0/type": "cpu-throttle-alert\n",
    "/sys/class/thermal/thermal_zone0/cdev0_trip_point": "1\n",
    "/sys/class/thermal/thermal_zone0/cdev1/type": "hot-surface-alert\n",
    "/sys/class/thermal/thermal_zone0/cdev1_trip_point": "2\n",
    "/dev/shm/": "",
}
PI: Files = {
    "/proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "/proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
    "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "performance\n",
    "/sys/class/thermal/cooling_device0/type": "pwm-fan\n",
    "/sys/class/thermal/cooling_device0/cur_state": "4\n",
    "/sys/class/thermal/cooling_device1/type": "cpufreq-cpu0\n",
    "/sys/class/thermal/cooling_device1/cur_state": "0\n",
    "/sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "/sys/class/thermal/thermal_zone0/temp": "56700\n",
    "/sys/class/thermal/thermal_zone0/trip_point_0_type": "critical\n",
    "/sys/class/thermal/thermal_zone0/trip_point_0_temp": "110000\n",
    "/dev/shm/": "",
}


def python(*version: int, rclpy: bool = True, **packages: str) -> Ran:
    """What the interpreter says of itself; packages by name, with _ in place of -."""
    named = {name.replace("_", "-"): of for name, of in packages.items()}
    return Ran(0, json.dumps({"version": version, "packages": named, "rclpy": rclpy}))


# What programs answer, by a part of their command line.
ORIN_ANSWERS: Answers = {
    "sys.version_info": python(3, 10, 12, onnxruntime="1.23.2", numpy="1.26.4"),
    "CudaPython": Ran(0, "8 7 Orin"),
    "TrtEngine": Ran(0, ""),
    "import tensorrt_rtx": Ran(1, "", "ModuleNotFoundError: No module named 'tensorrt_rtx'"),
    "import tensorrt;": Ran(0, "10.3.0"),
    "cuda-bindings": Ran(0, "12.9.4"),
    "onnxruntime.get": Ran(0, "CPUExecutionProvider"),
    "device='cpu'": Ran(0, ""),
    "nvpmodel -q": Ran(0, "NV Power Mode: MAXN_SUPER\n2"),
}
PI_ANSWERS: Answers = {
    "sys.version_info": python(3, 12, 3, onnxruntime="1.31.1", numpy="1.26.4"),
    "device='cpu'": Ran(0, ""),
    "vcgencmd get_throttled": Ran(0, "throttled=0x0"),
}


def machine(root: Path, files: Files, answers: Answers, **environment: str) -> Host:
    """A machine of these files, of which None is one that is missing, and of these programs."""
    for name, text in files.items():
        if text is None:
            continue
        path = root / name.strip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.write_text(text, encoding="utf-8")

    def run(command: Sequence[str]) -> Ran | None:
        words = command[-1] if command[0] == sys.executable else " ".join(command)
        return next((ran for part, ran in answers.items() if part in words), None)

    return Host(root, run, {"HOME": "/home/car", **environment})


def orin(root: Path, files: Files | None = None, answers: Answers | None = None, **environment: str) -> Host:
    """The Jetson, on which all is well but for what is given."""
    environment = {"ROS_DISTRO": "humble", **environment}
    return machine(root, {**ORIN, **(files or {})}, {**ORIN_ANSWERS, **(answers or {})}, **environment)


def pi(root: Path, files: Files | None = None, answers: Answers | None = None, **environment: str) -> Host:
    """The Pi, on which all is well but for what is given."""
    environment = {"ROS_DISTRO": "jazzy", **environment}
    return machine(root, {**PI, **(files or {})}, {**PI_ANSWERS, **(answers or {})}, **environment)


def named(findings: Sequence[Finding], name: str) -> Finding:
    """The one finding about a thing."""
    (found,) = (finding for finding in findings if finding.name == name)
    assert found.remedy or found.level == "ok", found
    return found
