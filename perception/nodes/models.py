"""Models: which model files a node opened, where they run, and what /diagnostics says about that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from perception.engines.precision import precision_of
from perception.engines.standby import StandbyEngine
from perception.model import EngineModel, Model


@dataclass(frozen=True)
class _Opened:
    path: Path
    model: Model
    is_ordered: bool

    @property
    def standby(self) -> StandbyEngine | None:
        """Its engine, if the CPU's answers until another one is built."""
        engine = self.model.engine if isinstance(self.model, EngineModel) else None
        return engine if isinstance(engine, StandbyEngine) else None

    @property
    def building_s(self) -> float | None:
        return self.standby.building_s if self.standby else None

    @property
    def problem(self) -> str:
        why = self.standby.problem if self.standby else ""
        return f"{self.path.name}: the CPU answers: {why}" if why else ""


class Models:
    """The models of a node by the parameter that names their file."""

    def __init__(self) -> None:
        self._opened: dict[str, _Opened] = {}

    def add(self, parameter: str, path: Path, model: Model, *, device: str) -> None:
        """A model was opened on a device, as it was asked for."""
        self._opened[parameter] = _Opened(path, model, is_ordered=device != "auto")

    def clear(self) -> None:
        """All were closed."""
        self._opened = {}

    def facts(self) -> Mapping[str, str]:
        """File, precision and device of each, and for how long TensorRT has been building an engine of it."""
        facts: dict[str, str] = {}
        for parameter, opened in self._opened.items():
            prefix = "" if parameter == "model" else f"{parameter}_"
            facts |= {parameter: str(opened.path), f"{prefix}device": opened.model.device}
            facts[f"{prefix}precision"] = precision_of(opened.path)
            if opened.building_s is not None:
                facts[f"{prefix}building_s"] = f"{opened.building_s:.0f}"
        return facts

    def fault(self) -> str:
        """Why the CPU answers in place of a device that was ordered; empty if it does not."""
        ordered = [opened for opened in self._opened.values() if opened.is_ordered]
        return "; ".join(opened.problem for opened in ordered if opened.problem)

    def gap(self) -> str:
        """What the CPU answers for until it is built, or because it cannot be; empty if nothing."""
        gaps = []
        for opened in self._opened.values():
            if opened.building_s is not None:
                waited = f"TensorRT has been building its engine for {opened.building_s:.0f} s"
                gaps.append(f"{opened.path.name}: {waited}; until then it runs on {opened.model.device}")
            elif opened.problem:
                gaps.append(opened.problem)
        return "; ".join(gaps)
