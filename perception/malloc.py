"""Main memory on Linux: what glibc's malloc does with freed memory. Elsewhere, nothing here does anything."""

from __future__ import annotations

import ctypes
import sys

# Of glibc's malloc.h; both sizes are C ints.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST = 2**31 - 1
LARGEST_BEFORE = 2**25  # before glibc 2.35, half of HEAP_MAX_SIZE


def keep_freed() -> None:
    """Keep freed memory for the next array instead of giving it back to the system.

    By default large arrays are mapped anew again and again, and the system clears their pages one by one.
    That is half of what it takes to receive a frame of 640×480 pixels, and a quarter of a SegNet training
    step on a CPU. Before glibc 2.35, arrays above 32 MB have no other way.
    """
    # If glibc refused the map threshold, a trim threshold alone would map every array above 128 kB anew.
    if mallopt(M_MMAP_THRESHOLD, LARGEST) or mallopt(M_MMAP_THRESHOLD, LARGEST_BEFORE):
        mallopt(M_TRIM_THRESHOLD, LARGEST)


def mallopt(option: int, value: int) -> bool:
    """Set an option of glibc's malloc; says whether it was accepted."""
    function = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return bool(function and function(option, value))
