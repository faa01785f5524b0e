"""What the tests of evaluations share."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perception.spec import ModelSpec
from tests.conftest import SIGNS, write_model


def model(path: Path, spec: ModelSpec = SIGNS, **config: object) -> Path:
    """A model that sees colours, and tells how it was trained if there is anything to tell."""
    source = {"config": json.dumps(config)} if config else {}
    return write_model(path / f"{spec.task}.onnx", replace(spec, source={**spec.source, **source}))


def measured(out: Path) -> dict[str, Any]:
    return json.loads((out / "metrics.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
