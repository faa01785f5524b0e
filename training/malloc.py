"""Main memory on Linux: freed memory is returned at once, and what happens when memory is out.

On other systems these functions change nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from perception.malloc import M_MMAP_THRESHOLD, mallopt

CGROUP = Path("/sys/fs/cgroup")


def return_freed() -> None:
    """Give everything above 64 kB back to the system as soon as it is freed."""
    mallopt(M_MMAP_THRESHOLD, 1 << 16)


def fail_at_the_end() -> None:
    """Let allocations fail once they exceed what is free now.

    Linux promises more memory than it has. When that memory is used, it ends the process without a message.
    """
    if sys.platform != "linux":
        return
    import resource

    limit = 1024 * _kilobytes("/proc/self/status")["VmData"] + free()
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if soft == resource.RLIM_INFINITY or limit < soft:
        resource.setrlimit(resource.RLIMIT_DATA, (int(limit), hard))


def free() -> float:
    """Bytes of memory and swap that are free; infinite if the system does not say."""
    if sys.platform != "linux":
        return float("inf")
    known = _kilobytes("/proc/meminfo")
    return min(1024.0 * (known["MemAvailable"] + known["SwapFree"]), _free_in_group())


def _free_in_group() -> float:
    """Bytes that a container's limit (cgroup v2) leaves; cached files count as free."""
    limit, counts = CGROUP / "memory.max", CGROUP / "memory.stat"
    if not limit.is_file() or (most := limit.read_text().strip()) == "max":
        return float("inf")
    taken = dict(line.split() for line in counts.read_text().splitlines())
    return max(0.0, float(most) - float(taken["anon"]))


def _kilobytes(path: str) -> dict[str, int]:
    lines = (line.split() for line in Path(path).read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if words[-1:] == ["kB"]}
