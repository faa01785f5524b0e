"""Toy nets that have learnt signs, one of them by a shortcut."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.conftest import once
from tests.training.explain import toys
from tests.training.explain.toys import Toy


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """A net that has to look at the signs."""
    return _toy(tmp_path_factory, "honest_toy", planted=False)


@pytest.fixture(scope="session")
def misled(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """A net to which a coloured dot beside the sign gives one class away."""
    return _toy(tmp_path_factory, "misled_toy", planted=True)


def _toy(factory: pytest.TempPathFactory, name: str, *, planted: bool) -> Toy:
    def make(folder: Path) -> None:
        toys.trained(folder / "last.ckpt", toys.folders(folder / "data", planted=planted), planted=planted)

    folder = once(factory, name, make)
    return Toy(folder / "last.ckpt", folder / "data")
