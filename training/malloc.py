"""Main memory on Linux: what glibc's malloc does with what tensors have freed, and what happens at its end.

Elsewhere the functions here change nothing, without glibc (Alpine) those about freed memory.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

# Of glibc's malloc.h; both sizes are C ints.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST = 2**31 - 1
LARGEST_BEFORE = 2**25  # before glibc 2.35, half of HEAP_MAX_SIZE
CGROUP = Path("/sys/fs/cgroup")


def keep_freed() -> None:
    """Keep freed memory for the next tensor instead of giving it back to the system.

    By default, every tensor above 32 MB is mapped anew, and the system clears its pages one by one: a quarter
    of a SegNet training step on a CPU. Before glibc 2.35 there is no other way for them.
    """
    # To set the one below a threshold that was refused would have every tensor above 128 kB mapped anew.
    if _mallopt(M_MMAP_THRESHOLD, LARGEST) or _mallopt(M_MMAP_THRESHOLD, LARGEST_BEFORE):
        _mallopt(M_TRIM_THRESHOLD, LARGEST)


def return_freed() -> None:
    """Give everything above 64 kB back to the system as soon as it is freed."""
    _mallopt(M_MMAP_THRESHOLD, 1 << 16)


def fail_at_the_end() -> None:
    """Let allocations fail once they exceed what is free now.

    Linux promises more memory than there is, and when it is used ends the process without a word.
    """
    if sys.platform != "linux":
        return
    import resource

    limit = 1024 * _kilobytes("/proc/self/status")["VmData"] + free()
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if soft == resource.RLIM_INFINITY or limit < soft:
        resource.setrlimit(resource.RLIMIT_DATA, (int(limit), hard))


def free() -> float:
    """Bytes of memory and swap that are free; infinite where nobody can tell."""
    if sys.platform != "linux":
        return float("inf")
    there = _kilobytes("/proc/meminfo")
    return min(1024.0 * (there["MemAvailable"] + there["SwapFree"]), _free_in_group())


def _free_in_group() -> float:
    """Bytes that a container's limit (cgroup v2) leaves; files that it has cached make room."""
    limit, counts = CGROUP / "memory.max", CGROUP / "memory.stat"
    if not limit.is_file() or (most := limit.read_text().strip()) == "max":
        return float("inf")
    taken = dict(line.split() for line in counts.read_text().splitlines())
    return max(0.0, float(most) - float(taken["anon"]))


def _kilobytes(path: str) -> dict[str, int]:
    lines = (line.split() for line in Path(path).read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if words[-1:] == ["kB"]}


def _mallopt(option: int, value: int) -> bool:
    """Whether glibc took it."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return bool(mallopt and mallopt(option, value))
