"""What glibc's malloc does with memory that tensors have freed.

Where there is no glibc (macOS, Alpine), the functions here change nothing.
"""

from __future__ import annotations

import ctypes
import sys

# Of glibc's malloc.h; both sizes are C ints.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST = 2**31 - 1


def keep_freed() -> None:
    """Keep freed memory for the next tensor instead of giving it back to the system.

    By default, every tensor above 32 MB is mapped anew, and the system clears its pages one by one: a quarter
    of a SegNet training step on a CPU.
    """
    _mallopt({M_TRIM_THRESHOLD: LARGEST, M_MMAP_THRESHOLD: LARGEST})


def return_freed() -> None:
    """Give everything above 64 kB back to the system as soon as it is freed."""
    _mallopt({M_MMAP_THRESHOLD: 1 << 16})


def _mallopt(options: dict[int, int]) -> None:
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    for option, value in options.items() if mallopt else ():
        mallopt(option, value)
