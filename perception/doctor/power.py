"""Power: whether the board runs as fast as it can: power mode, governor, heat, and its supply."""

from __future__ import annotations

import re

from perception.doctor.board import board
from perception.doctor.finding import Finding
from perception.doctor.host import Host

AREA = "power"
NVPMODEL = "/etc/nvpmodel.conf"
GOVERNORS = "/sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
NEAR_K = 5.0  # so near to the first limit of a sensor is a warning
_MODE = re.compile(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+?)\s*>")

# raspberrypi.com/documentation/computers/os.html#get_throttled; 16 bits higher: since it was switched on.
PI_BITS = {
    0: "its supply is too weak",
    1: "its clock is capped",
    2: "it is throttled",
    3: "it is at its soft limit of temperature",
}
# docs.nvidia.com/jetson, r36, Platform Power and Performance of Jetson Orin, "Over-Current Event"
EVENTS = {
    "oc1": "under-voltage",
    "oc2": "over-current on average",
    "oc3": "over-current for a moment",
}
# Cooling devices that lower clocks. A fan does not, nor a Jetson's hot-surface-alert (from 70 °C on), which
# warns whoever may touch it.
THROTTLING = re.compile(r"(thermal-)?cpufreq-.*|devfreq-.*|.*-throttle-alert")


def findings(host: Host) -> list[Finding]:
    """What makes this board slower than it could be."""
    kind = board(host).kind
    if kind == "jetson":
        return [_mode(host), *_events(host), _throttling(host), _temperature(host)]
    if kind == "pi":
        return [_governor(host, is_pi=True), _pi_throttled(host), _throttling(host), _temperature(host)]
    return [_governor(host, is_pi=False), _throttling(host), _temperature(host)]


def _mode(host: Host) -> Finding:
    """The power mode of a Jetson, against the fastest one that its list has."""
    ran = host.run(("nvpmodel", "-q")) or host.run(("/usr/sbin/nvpmodel", "-q"))
    said = re.search(r"NV Power Mode:\s*(\S+)", ran.out) if ran else None
    modes = {name: int(number) for number, name in _MODE.findall(host.read(NVPMODEL) or "")}
    if said is None:
        return Finding(AREA, "power mode", "unknown", "nvpmodel does not say it", "sudo nvpmodel -q")
    now = said[1]
    if not modes:
        text = f"{now}; {NVPMODEL} does not list the others"
        return Finding(AREA, "power mode", "unknown", text, "sudo nvpmodel -q --verbose")
    fastest = max(modes, key=_watts)
    if now != fastest:
        remedy = f"sudo nvpmodel -m {modes[fastest]}"
        return Finding(AREA, "power mode", "warning", f"{now}, but there is {fastest}", remedy)
    return Finding(AREA, "power mode", "ok", now)


def _watts(name: str) -> float:
    """How fast a mode is by its name, as in MAXN, MAXN_SUPER, 25W, MODE_15W_6CORE."""
    if name.startswith("MAXN"):
        return float("inf")
    found = re.search(r"(\d+)W", name)
    return float(found[1]) if found else 0.0


def _events(host: Host) -> list[Finding]:
    """How often the Jetson has slowed down for its supply since it was switched on."""
    counts = {}
    for name in host.find("/sys/class/hwmon/hwmon*/oc*_event_cnt"):
        count = host.number(name)
        if count is not None:
            counts[name.rsplit("/", 1)[1].partition("_")[0]] = count
    if not counts:
        text = "the kernel does not count over-current events"
        return [Finding(AREA, "supply", "unknown", text, "look for 'oc' in: sudo dmesg")]
    had = [f"{EVENTS.get(key, key)} {count} times" for key, count in sorted(counts.items()) if count]
    if not had:
        return [Finding(AREA, "supply", "ok", "no over-current event since it was switched on")]
    remedy = "take a supply and a battery that hold the voltage, or a lower power mode: sudo nvpmodel -m …"
    text = f"since it was switched on: {', '.join(had)}; the clocks were lowered each time"
    return [Finding(AREA, "supply", "warning", text, remedy, counts)]


def _pi_throttled(host: Host) -> Finding:
    """The firmware's bits; kernels of a Pi 5 have no file with them, so vcgencmd is asked first."""
    ran = host.run(("vcgencmd", "get_throttled"))
    said = re.search(r"0x([0-9a-fA-F]+)", ran.out) if ran and not ran.code else None
    text = said[1] if said else None
    for name in host.find("/sys/devices/platform/soc*/soc*:firmware/get_throttled"):
        text = text or host.read(name)
    try:
        bits = int(text or "", 16)
    except ValueError:
        remedy = "sudo apt install raspi-utils, and join the group video: sudo adduser $USER video"
        return Finding(AREA, "supply", "unknown", "the firmware cannot be asked (vcgencmd)", remedy)
    values = {"throttled": bits}
    now = [text for bit, text in PI_BITS.items() if bits >> bit & 1]
    had = [text for bit, text in PI_BITS.items() if bits >> (bit + 16) & 1]
    remedy = "take the 27 W supply (5 V, 5 A) or a converter of 5 A, a short cable, and a cooler with a fan"
    if now:
        return Finding(AREA, "supply", "error", f"now: {', '.join(now)}", remedy, values)
    if had:
        text = f"since it was switched on it happened that {', that '.join(had)}"
        return Finding(AREA, "supply", "warning", text, remedy, values)
    return Finding(AREA, "supply", "ok", "neither under-voltage nor throttling since it was switched on")


def _governor(host: Host, *, is_pi: bool) -> Finding:
    """How the clock follows the load. A Pi's governors raise it after a frame has waited for it."""
    now = {host.read(name) or "" for name in host.find(GOVERNORS)} - {""}
    if not now:
        remedy = "in a container or a virtual machine, look at it on the machine itself"
        return Finding(AREA, "governor", "unknown", "the kernel shows none", remedy)
    text = ", ".join(sorted(now))
    remedy = "echo performance | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
    if is_pi and "powersave" in now:
        text = f"{text}: the clock stays at its lowest"
        return Finding(AREA, "governor", "error", text, remedy)
    if is_pi and now != {"performance"}:
        return Finding(AREA, "governor", "warning", f"{text}: the clock rises late", remedy)
    return Finding(AREA, "governor", "ok", text)


def _throttling(host: Host) -> Finding:
    """Whether heat lowers clocks at this moment."""
    seen, active = 0, []
    for name in host.find("/sys/class/thermal/cooling_device*/type"):
        kind = host.read(name) or ""
        if not THROTTLING.fullmatch(kind):
            continue
        state = host.number(name.replace("/type", "/cur_state"))
        seen += state is not None
        active += [kind] if state else []
    if not seen:
        remedy = "watch the clocks under load: on a Jetson tegrastats, on a Pi vcgencmd measure_clock arm"
        return Finding(AREA, "throttling", "unknown", "the kernel does not show it", remedy)
    if active:
        text = f"now, by {', '.join(active)}"
        return Finding(AREA, "throttling", "error", text, "let it cool down; a fan, or a lower power mode")
    return Finding(AREA, "throttling", "ok", "not now")


def _temperature(host: Host) -> Finding:
    """The sensor that is nearest to its first limit."""
    nearest: tuple[float, str, float, float] | None = None
    hottest: tuple[float, str] | None = None
    for zone in host.find("/sys/class/thermal/thermal_zone*"):
        heat = host.number(f"{zone}/temp")
        if heat is None:
            continue
        kind, celsius = host.read(f"{zone}/type") or zone, heat / 1000
        hottest = max(hottest or (celsius, kind), (celsius, kind))
        limit = _limit(host, zone)
        if limit is not None:
            candidate = (limit - celsius, kind, celsius, limit)
            nearest = min(nearest or candidate, candidate)
    if hottest is None:
        remedy = "in a container or a virtual machine, look at it on the machine itself"
        return Finding(AREA, "temperature", "unknown", "the kernel shows no sensor", remedy)
    if nearest is None:
        text = f"{hottest[0]:.0f} °C ({hottest[1]}), and the kernel names no limit"
        return Finding(AREA, "temperature", "ok", text, values={"celsius": hottest[0]})
    room, kind, celsius, limit = nearest
    text, values = f"{celsius:.0f} °C ({kind}), slower from {limit:.0f} °C on", {"celsius": celsius}
    if room < NEAR_K:
        return Finding(AREA, "temperature", "warning", text, "let it cool down; clean or add a fan", values)
    return Finding(AREA, "temperature", "ok", text, values=values)


def _limit(host: Host, zone: str) -> float | None:
    """From which temperature on, in °C, a sensor lowers clocks or switches off; fans start earlier."""
    harmless = _harmless(host, zone)
    limits = []
    for name in host.find(f"{zone}/trip_point_*_type"):
        number = int(name.removesuffix("_type").rpartition("_")[2])
        if host.read(name) in ("passive", "hot", "critical") and number not in harmless:
            limit = host.number(name.removesuffix("type") + "temp")
            if limit is not None and limit > 0:
                limits.append(limit / 1000)
    return min(limits, default=None)


def _harmless(host: Host, zone: str) -> set[int]:
    """The trip points of a sensor that set off cooling devices, but none that lowers clocks."""
    lowers: dict[int, bool] = {}
    for name in host.find(f"{zone}/cdev*_trip_point"):
        number = host.number(name)
        if number is not None:
            kind = host.read(name.removesuffix("_trip_point") + "/type") or ""
            lowers[number] = lowers.get(number, False) or bool(THROTTLING.fullmatch(kind))
    return {number for number, lower in lowers.items() if not lower}
