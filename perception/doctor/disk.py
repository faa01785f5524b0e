"""Disk: whether there is room for engines, recordings and logs, and whether they can be written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from perception.doctor.finding import Finding
from perception.doctor.host import Host

AREA = "disk"
FULL_MB = 200  # recordings stop there, because a full disk stops other programs, too
SHORT_MB = 2000  # ten minutes of a JPEG camera, and a few engines


def findings(host: Host) -> list[Finding]:
    """The disks of the three folders that are written to."""
    home = Path(host.environment.get("HOME") or "/root")
    cache = Path(host.environment.get("XDG_CACHE_HOME") or home / ".cache")
    ros = Path(host.environment.get("ROS_HOME") or home / ".ros")
    logs = Path(host.environment.get("ROS_LOG_DIR") or ros / "log")
    return [
        _folder(host, "engines", cache / "perception"),
        _folder(host, "recordings", Path.cwd()),
        _folder(host, "logs", logs),
    ]


def _folder(host: Host, what: str, folder: Path) -> Finding:
    """A folder, or what there is of the path to it."""
    there = host.path(str(folder))
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        usage = shutil.disk_usage(there)
    except OSError as error:
        return Finding(AREA, what, "unknown", f"{folder}: {error.strerror}", "look at it with: df -h")
    values = {"free_mb": round(usage.free / 1e6)}
    text = f"{folder}: {usage.free / 1e9:.1f} GB free"
    if not os.access(there, os.W_OK | os.X_OK):
        remedy = f"sudo chown -R $USER {there}; or mount the disk anew if it became read-only"
        return Finding(AREA, what, "error", f"{folder}: cannot be written", remedy, values)
    remedy = "delete old recordings, ROS' logs and packages (sudo apt clean)"
    if usage.free < FULL_MB * 1e6:
        return Finding(AREA, what, "error", f"{text}: full", remedy, values)
    if usage.free < SHORT_MB * 1e6:
        return Finding(AREA, what, "warning", text, remedy, values)
    return Finding(AREA, what, "ok", text, values=values)
