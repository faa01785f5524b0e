"""Middleware: whether Fast DDS can carry frames between processes of this machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.etree import ElementTree

from perception.doctor.finding import Finding
from perception.doctor.host import Host

AREA = "middleware"
SHM = "/dev/shm"
PROCESS_MB = 17  # what one process of this package takes of it
ROOM_MB = 6 * PROCESS_MB  # a camera, both nodes, a recorder, a viewer, and this
FAST_DDS = "rmw_fastrtps_cpp"
# Humble and Jazzy read the first only; Kilted and later ones read both, and the second first.
PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
READ_THE_FIRST = ("", "humble", "jazzy")  # none sourced: the wheels in the .venv, which are Jazzy
SEGMENT_BYTES = 4_000_000  # a raw frame of 1280x720 has 2.8 MB
LAST_DOMAIN = 101  # docs.ros.org, Concepts, The ROS_DOMAIN_ID: above it, ports collide with others
HIGHEST_DOMAIN = 232  # the same page: its ports are the last below 65536
RANGES = ("SUBNET", "LOCALHOST", "SYSTEM_DEFAULT")  # and OFF; rcl takes no other spelling


def findings(host: Host) -> list[Finding]:
    """The middleware, its profile, its shared memory, and who can hear whom."""
    return [_rmw(host), _profile(host), _shared_memory(host), _domain(host), *_range(host)]


def _rmw(host: Host) -> Finding:
    name = host.environment.get("RMW_IMPLEMENTATION", "")
    if name in ("", FAST_DDS):
        return Finding(AREA, "RMW", "ok", name or f"{FAST_DDS}, the default")
    text = f"{name}: the nodes were never tried with it"
    return Finding(AREA, "RMW", "warning", text, f"unset RMW_IMPLEMENTATION, in every terminal: {FAST_DDS}")


def _profile(host: Host) -> Finding:
    """The profile that a camera driver of this terminal would take; the nodes have one of their own."""
    name = "Fast DDS profile"
    is_old = host.environment.get("ROS_DISTRO", "") in READ_THE_FIRST
    keys = PROFILES[:1] if is_old else reversed(PROFILES)
    given = next((host.environment[key] for key in keys if host.environment.get(key)), "")
    if not given and host.environment.get(PROFILES[1]):
        text = f"{PROFILES[1]} is set, which this ROS does not read"
        return Finding(AREA, name, "warning", text, f"set {PROFILES[0]} in its place, or unset it")
    if not given:
        text = "none set, so the nodes take config/fastdds.xml"
        return Finding(AREA, name, "ok", text)
    read = host.read(str(Path(given).absolute()))
    if read is None:
        remedy = "unset it, or name a file that is there, such as config/fastdds.xml of this package"
        return Finding(AREA, name, "error", f"{given} cannot be read", remedy)
    try:
        segments = _segments(read)
    except ElementTree.ParseError as error:
        return Finding(AREA, name, "error", f"{given} is no XML: {error}", "correct it, or unset it")
    if not segments or max(segments) < SEGMENT_BYTES:
        text = f"{given} has no shared memory of {SEGMENT_BYTES / 1e6:.0f} MB, so large frames get lost"
        remedy = "set segment_size as config/fastdds.xml does, or unset the variable"
        return Finding(AREA, name, "warning", text, remedy)
    return Finding(AREA, name, "ok", given)


def _segments(text: str) -> list[int]:
    """The sizes of shared memory in a profile, in bytes; the transports of other kinds have none."""
    elements = ElementTree.fromstring(text).iter()
    # Fast DDS reads a file with or without a namespace.
    texts = [element.text or "" for element in elements if element.tag.split("}")[-1] == "segment_size"]
    return [int(text) for text in texts if text.strip().isdecimal()]


def _shared_memory(host: Host) -> Finding:
    name = SHM
    try:
        usage = shutil.disk_usage(host.path(SHM))
    except OSError as error:
        return Finding(
            AREA, name, "error", f"not there: {error.strerror}", "mount it; Fast DDS carries frames in it"
        )
    used = [path for path in host.find(f"{SHM}/fastrtps_*") if not path.endswith("_el")]
    values = {"size_mb": round(usage.total / 1e6), "free_mb": round(usage.free / 1e6), "segments": len(used)}
    text = f"{values['free_mb']} of {values['size_mb']} MB free, {len(used)} segments of Fast DDS"
    remedy = "start the container with --shm-size=512m or --ipc=host"
    if used:
        remedy += f"; if no ROS is running, rm {SHM}/fastrtps_* {SHM}/sem.fastrtps_*"
    if usage.free < PROCESS_MB * 1e6:
        text += f"; each process takes {PROCESS_MB} MB, so the next one finds no room"
        return Finding(AREA, name, "error", text, remedy, values)
    if usage.free < ROOM_MB * 1e6:
        text += f"; a camera, the nodes and a viewer take {ROOM_MB} MB"
        return Finding(AREA, name, "warning", text, remedy, values)
    return Finding(AREA, name, "ok", text, values=values)


def _domain(host: Host) -> Finding:
    name, given = "ROS_DOMAIN_ID", host.environment.get("ROS_DOMAIN_ID", "")
    remedy = f"set it to the same number from 0 to {LAST_DOMAIN} in every terminal"
    if not given:
        return Finding(AREA, name, "ok", "not set, so 0: every ROS 2 in this network hears this car")
    if not given.isdecimal():
        return Finding(AREA, name, "error", f"{given!r} is no whole number from 0 on", remedy)
    if int(given) > HIGHEST_DOMAIN:
        text = f"{given}: no node starts above {HIGHEST_DOMAIN}, because there are no ports for it"
        return Finding(AREA, name, "error", text, remedy)
    if int(given) > LAST_DOMAIN:
        text = f"{given}: its ports collide with those of other programs"
        return Finding(AREA, name, "warning", text, remedy)
    return Finding(AREA, name, "ok", given)


def _range(host: Host) -> list[Finding]:
    """How far this terminal hears; nothing to say if nothing is set."""
    if host.environment.get("ROS_LOCALHOST_ONLY") == "1":  # then the other one is not read
        text = "1: only processes of this machine that have it set, too"
        return [Finding(AREA, "ROS_LOCALHOST_ONLY", "ok", text)]
    name = "ROS_AUTOMATIC_DISCOVERY_RANGE"
    given = host.environment.get(name, "")
    if given == "OFF":
        text = "OFF: processes do not find each other"
        return [Finding(AREA, name, "error", text, f"unset {name}, or set it to LOCALHOST")]
    if given and given not in RANGES:
        text = f"{given!r} is none of its values, so processes find those of this machine only"
        return [Finding(AREA, name, "warning", text, f"set it to one of {', '.join(RANGES)}, or unset it")]
    return [Finding(AREA, name, "ok", given)] if given else []
