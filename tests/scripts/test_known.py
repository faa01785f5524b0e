"""The study of refusal measures every score against background and against classes held out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.known import compare
from tests.training.conftest import make_background, make_gtsrb
from tests.training.fits import ROOT, fit_here
from training.datasets.images import DataError


def test_signs_held_out_are_distinguished_from_known_ones(tmp_path: Path) -> None:
    gtsrb, background = make_gtsrb(tmp_path), make_background(tmp_path / "street")
    options = (f"--data.root={gtsrb}", f"--data.background={background}", "--data.size=32")
    (run,) = fit_here("signs", tmp_path / "runs", *options, '--data.hold_out=["Speed limit 50"]')
    checkpoint = run.folder / run.checkpoint
    shutil.copy(background / "00001.jpg", background / "0.jpg")  # others would validate
    with pytest.raises(DataError, match="learnt from"):
        compare(checkpoint)
    (background / "0.jpg").unlink()
    command = [sys.executable, "-m", "scripts.known"]
    done = subprocess.run(
        [*command, checkpoint], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for text in ("energy", "nearest neighbours", "never seen", "background"):
        assert text in done.stdout
