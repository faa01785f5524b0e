"""Finding: one line of the doctor's report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Level = Literal["ok", "unknown", "warning", "error"]
LEVELS: tuple[Level, ...] = ("ok", "unknown", "warning", "error")  # from harmless to bad


@dataclass(frozen=True)
class Finding:
    """What was found out about one thing.

    Attributes:
        area: where it belongs, such as ``"power"``.
        name: the thing, such as ``"governor"`` or the name of a topic.
        level: ``warning``: the car drives, but worse or with a risk; ``error``: something will not work;
            ``unknown``: it could not be found out.
        found: what was found, in words.
        remedy: what to do; empty only if the level is ``ok``.
        values: the same as numbers and names, for programs.
    """

    area: str
    name: str
    level: Level
    found: str
    remedy: str = ""
    values: Mapping[str, int | float | str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)
