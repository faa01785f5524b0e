"""Profile: what a model costs, part by part, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Part:
    """A block of a net, or all operators of one type in an exported graph.

    Attributes:
        name: of the block, or of the operators' type.
        count: how many layers or operators it holds.
        parameters: numbers that it learnt; 0 where they are not known part by part.
        macs: multiply-accumulates for one frame.
        activation_bytes: of what it writes.
        time_ms: median for one frame.
    """

    name: str
    count: int
    parameters: int
    macs: int
    activation_bytes: int
    time_ms: float


@dataclass(frozen=True)
class Profile:
    """What one model costs for one frame.

    Attributes:
        model: the file's name.
        kind: ``"blocks"`` of a net, by PyTorch, or ``"operators"`` of an exported file, by ONNX Runtime.
        input_hw: of the frame, px.
        threads: that computed.
        total_ms: median time of a whole frame.
        parts: blocks in the net's order; operators with the longest first.
    """

    model: str
    kind: str
    input_hw: tuple[int, int]
    threads: int
    total_ms: float
    parts: tuple[Part, ...]

    def to_json(self) -> Mapping[str, Any]:
        """All of it, for programs."""
        return asdict(self)
