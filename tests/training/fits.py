"""Short trainings for tests: by the command line in a process of its own, or faster in this process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from training import fit as training_fit
from training.run import NAME, Run, read_run

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--trainer.max_epochs=2", "--trainer.precision=32-true", "--trainer.enable_progress_bar=false"]


@dataclass(frozen=True)
class Trained:
    """A training that several tests look at, and none changes."""

    run: Run
    data: Path
    background: Path | None = None

    @property
    def checkpoint(self) -> Path:
        return self.run.folder / self.run.checkpoint

    @property
    def model(self) -> Path:
        assert self.run.model_path is not None
        return self.run.model_path

    @property
    def weights(self) -> Path:
        return self.model.with_suffix(".safetensors")


def training(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def fit(config: str, runs: Path, *arguments: str) -> Run:
    """Train on the command line."""
    where = f"--trainer.default_root_dir={runs}"
    done = training("fit", f"--config=training/configs/{config}.yaml", where, *TINY, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return read_run(runs / "lightning_logs" / "version_0" / NAME)


def fit_here(config: str, runs: Path, *arguments: str) -> list[Run]:
    """The same in this process, which saves the start of another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_fit, "fail_at_the_end", lambda: None)  # of this process's memory
        patch.chdir(ROOT)
        given = [f"--config=training/configs/{config}.yaml", "--trainer.accelerator=cpu"]
        return training_fit.fit([*given, f"--trainer.default_root_dir={runs}", *TINY, *arguments])
