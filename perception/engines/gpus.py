"""Gpus: whether this machine has an NVIDIA GPU, seen without any of NVIDIA's libraries."""

from __future__ import annotations

from pathlib import Path

NVIDIA = ("/dev/nvidia0", "/dev/nvhost-gpu", "/dev/nvgpu")  # device files of a card, of Jetsons


def nvidia_device() -> str | None:
    """The device file of a GPU; None where there is none."""
    return next((name for name in NVIDIA if Path(name).exists()), None)
