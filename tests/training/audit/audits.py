"""An audit by the command line, and what a camera sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import solid
from training.__main__ import main


def noisy(color: str, rng: np.random.Generator) -> np.ndarray:
    """A frame of one colour, as a camera sees it."""
    level, noise = rng.integers(-50, 0), rng.integers(-40, 40, (40, 60, 3))
    return (solid(color) * 0.8 + 25 + level * 0.2 + noise).clip(0, 255).astype(np.uint8)


def audited(root: Path, model: Path, *options: str) -> dict[str, Any]:
    out = root.parent / "audit"
    assert main(["audit", str(root), "--model", str(model), "--out", str(out), *options]) == 0
    assert not list(out.glob("*unfinished*"))
    return json.loads((out / "audit.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
