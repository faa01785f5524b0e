"""Profile: what a model costs, part by part, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

BETWEEN = "between them"  # what a frame takes beside its parts
CONVOLUTIONS = "convolutions"  # and matrix products: the kind of work that learns
PICKING, ARITHMETIC, LAYOUT, ROUNDING = "picking and joining", "other arithmetic", "layout", "rounding"
KINDS = (CONVOLUTIONS, PICKING, ARITHMETIC, LAYOUT, ROUNDING)  # of operators, in the order that is shown
NO_MAP = "no map"


@dataclass(frozen=True)
class Part:
    """A block of a net, or all operators of one type in an exported graph.

    Attributes:
        name: of the block, or of the operators' type.
        kind: of work: what parts of several models are added up by; of a block its name.
        count: how many layers or operators it holds.
        parameters: numbers that it learnt, or that a file stores for it.
        macs: multiply-accumulates for one frame.
        activation_bytes: of what it writes.
        time_ms: least for one frame, of all runs.
        time_ms_by_scale: the same by the resolution of what is written, as a share of the frame's sides:
            ``"1"``, ``"1/2"`` and so on; ``"no map"`` for what is no map of the frame. Empty for blocks,
            which may hold several.
    """

    name: str
    kind: str
    count: int
    parameters: int
    macs: int
    activation_bytes: int
    time_ms: float
    time_ms_by_scale: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """What one model costs for one frame.

    Attributes:
        model: the file's name.
        kind: ``"blocks"`` of a net, by PyTorch, or ``"operators"`` of an exported file, by ONNX Runtime.
        input_hw: of the frame, px.
        threads: that computed.
        between_ms: least of what a frame takes beside its parts.
        parts: blocks in the net's order; operators with the longest first.
    """

    model: str
    kind: str
    input_hw: tuple[int, int]
    threads: int
    between_ms: float
    parts: tuple[Part, ...]

    @property
    def total_ms(self) -> float:
        """Time of a whole frame: the sum of its parts, each at its best, and of what is between them.

        Other work on the machine only ever adds time, and interrupts another part in each run. So the least
        times of the parts are the nearest to the truth, and on a machine of its own they differ little from
        the medians.
        """
        return self.between_ms + sum(part.time_ms for part in self.parts)

    def kinds_ms(self) -> dict[str, float]:
        """Time of a frame by kind of work, and what is between the parts."""
        sums = self._no_time()
        for part in self.parts:
            sums[part.kind] = sums.get(part.kind, 0.0) + part.time_ms
        return sums | {BETWEEN: self.between_ms}

    def scales_ms(self) -> dict[str, dict[str, float]]:
        """Time by kind of work, for each resolution, the highest first; empty for blocks."""
        sums: dict[str, dict[str, float]] = {}
        for part in self.parts:
            for scale, time_ms in part.time_ms_by_scale.items():
                kinds = sums.setdefault(scale, self._no_time())
                kinds[part.kind] += time_ms
        return dict(sorted(sums.items(), key=lambda one: _order(one[0])))

    def _no_time(self) -> dict[str, float]:
        """All kinds of operators, so that each has its colour in every picture."""
        return dict.fromkeys(KINDS, 0.0) if self.kind == "operators" else {}

    def to_json(self) -> Mapping[str, Any]:
        """All of it, for programs."""
        return asdict(self) | {"total_ms": self.total_ms}


def _order(scale: str) -> int:
    return 10**9 if scale == NO_MAP else int(scale.rpartition("/")[2])
