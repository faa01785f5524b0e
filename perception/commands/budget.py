"""Budget: which models, at which sizes of the camera, hold a rate on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from perception.commands.bench import Timing, bench
from perception.paths import shared
from perception.report import tables

SIZES_HW = ((120, 160), (240, 320), (480, 640), (720, 1280))
FRAMES = 30


@dataclass(frozen=True)
class Held:
    """One model at all sizes.

    Attributes:
        model: name of the file.
        device: where it ran.
        total_ms: the 95th percentile from the JPEG to the result, by (height, width).
        budget_hz: the rate that was asked about.
    """

    model: str
    device: str
    total_ms: dict[tuple[int, int], float]
    budget_hz: float

    def to_json(self) -> dict[str, object]:
        """Ready for ``json.dumps``."""
        sizes = {
            f"{size_hw[1]}x{size_hw[0]}": {"total_ms_p95": ms, "holds": self.holds(size_hw)}
            for size_hw, ms in self.total_ms.items()
        }
        return {"model": self.model, "device": self.device, "budget_hz": self.budget_hz, "sizes": sizes}

    def holds(self, size_hw: tuple[int, int]) -> bool:
        """Whether 19 of 20 frames are answered within the period of the rate."""
        return self.total_ms[size_hw] <= 1000.0 / self.budget_hz


def measure(
    paths: Sequence[Path], budget_hz: float, *, device: str = "auto", count: int = FRAMES
) -> list[Held]:
    """Time models at the usual sizes of cameras, each alone on this machine.

    Args:
        paths: ``.onnx`` files; none: the shipped ones.
        budget_hz: frames a second.
        device: see ``perception.load``.
        count: timed frames of each model and size.

    Raises:
        ModelError: a model cannot be used.
    """
    paths = paths or sorted(shared("models").glob("*.onnx"))
    by_size: dict[tuple[int, int], list[Timing]] = {
        size_hw: bench(paths, count=count, size_hw=size_hw, device=device) for size_hw in SIZES_HW
    }
    return [
        Held(
            first.model,
            first.device,
            {size_hw: timings[number].stages_ms["total"]["p95"] for size_hw, timings in by_size.items()},
            budget_hz,
        )
        for number, first in enumerate(by_size[SIZES_HW[0]])
    ]


def show(held: Sequence[Held], console: Console) -> None:
    """Print which hold, with milliseconds."""
    budget_hz = held[0].budget_hz
    console.print(
        f"p95 ms of a frame, from its JPEG to the result, each model alone on {held[0].device}; "
        f"{budget_hz:g} Hz are {1000.0 / budget_hz:.1f} ms",
        highlight=False,
        soft_wrap=True,
    )
    header = ("model", *(f"{width}x{height}" for height, width in SIZES_HW))
    rows = [
        (one.model, *(f"{one.total_ms[size]:.1f} {'holds' if one.holds(size) else '–'}" for size in SIZES_HW))
        for one in held
    ]
    console.print(tables.numbers(header, rows))
