"""A detector that a few seconds of training made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.conftest import once
from tests.training.detection import streets
from tests.training.fits import Trained, fit_here
from training.run import NAME, read_run

OPTIONS = (
    "--data.size_hw=[160, 192]",
    "--data.crop=96",
    "--data.batch_size=8",
    "--data.workers=0",
    "--trainer.check_val_every_n_epoch=2",
)


@pytest.fixture(scope="session")
def trained_boxes(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Of 160 steps on pictures with red discs."""

    def make(folder: Path) -> None:
        data = streets.gtsdb(folder / "streets", 40)
        fit_here("sign_detector", folder / "runs", f"--data.root={data}", "--data.steps=80", *OPTIONS)

    folder = once(tmp_path_factory, "trained_boxes", make)
    return Trained(read_run(folder / "runs" / "lightning_logs" / "version_0" / NAME), folder / "streets")
