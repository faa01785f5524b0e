"""Two processes train what one would with larger batches, export once, and go on where they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from perception import tasks as runtime
from tests import toy_runtime
from tests.training.fits import ROOT
from tests.training.together import EPOCHS, STOPPED, TASK
from training import distributed, tasks
from training import fit as training_fit
from training.checkpoint import read_checkpoint
from training.datasets.images import DataError
from training.distributed import EachEpochOthers, Together
from training.run import DONE, NAME, read_run

TRAIN, BATCH = 12, 6


@pytest.fixture(scope="module")
def lamps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng = tmp_path_factory.mktemp("lamps"), np.random.default_rng(0)
    for part, count in (("train", TRAIN), ("val", 4)):
        (root / part).mkdir()
        for number in range(count):
            picture = rng.integers(0, 20 * number + 20, (8, 8, 3)).astype(np.uint8)
            cv2.imwrite(str(root / part / f"{number}.png"), picture)
    return root


def options(lamps: Path, folder: Path, *, processes: int) -> list[str]:
    """All of the data in each step, because several processes draw another order than one."""
    return [
        "--seed_everything=0",
        "--model=tests.training.together.ToneTask",
        "--data=tests.toy_training.BrightnessData",
        f"--data.root={lamps}",
        f"--data.batch_size={TRAIN // processes}",
        f"--trainer.max_epochs={EPOCHS}",
        f"--trainer.default_root_dir={folder}",
        f"--trainer.devices={processes}",
        "--trainer.accelerator=cpu",
        "--trainer.enable_progress_bar=false",
        *(["--trainer.strategy=ddp"] if processes > 1 else []),
    ]


def together(*arguments: str) -> str:
    """Train in two processes; what both print."""
    command = [sys.executable, "-m", "tests.training.together", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def trained(folder: Path, version: int = 0) -> dict[str, torch.Tensor]:
    (checkpoint,) = (folder / "lightning_logs" / f"version_{version}").rglob("last.ckpt")
    return read_checkpoint(checkpoint)["state_dict"]


def drawn(folder: Path) -> list[list[float]]:
    return [json.loads((folder / f"drawn{rank}.json").read_text()) for rank in (0, 1)]


def test_two_processes_train_what_one_would(
    lamps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(runtime.TASKS, toy_runtime.NAME, toy_runtime.TASK)
    monkeypatch.setitem(tasks.TASKS, toy_runtime.NAME, TASK)
    monkeypatch.setattr(training_fit, "fail_at_the_end", lambda: None)  # of this process's memory
    alone, pair, resumed = (tmp_path / name for name in ("alone", "pair", "resumed"))
    training_fit.fit(options(lamps, alone, processes=1))
    said = together(*options(lamps, pair, processes=2), "--refit=true")
    assert "TensorBoard does not show" not in capsys.readouterr().out + said
    assert said.count(f"2 processes: a step learns from 2 × {BATCH} = {TRAIN} frames") == 2

    ours, theirs = trained(alone), trained(pair)
    assert ours.keys() == theirs.keys()
    for name, weights in ours.items():
        torch.testing.assert_close(theirs[name], weights, atol=1e-5, rtol=1e-4)

    # Once for each of the two trainings that --refit makes, and by the first process alone.
    assert said.count("agrees with PyTorch") == 2
    for version in (0, 1):
        folder = pair / "lightning_logs" / f"version_{version}"
        run = read_run(folder / NAME)
        assert (run.status, run.processes, run.steps) == (DONE, 2, EPOCHS)
        assert run.model_path is not None and run.model_path.is_file()
        assert len(list(folder.rglob("*.onnx"))) == 1
    assert len(list((pair / "lightning_logs").iterdir())) == 2

    stopped = f"--ckpt_path={pair / STOPPED}"
    together(*options(lamps, resumed, processes=2), stopped)
    for name, weights in theirs.items():
        assert torch.equal(trained(resumed)[name], weights), name
    first, second = drawn(pair)
    assert not set(first) & set(second)
    assert drawn(resumed) == [first[EPOCHS // 2 :], second[EPOCHS // 2 :]]

    again = [*options(lamps, tmp_path / "refused", processes=1), f"--data.batch_size={BATCH}", stopped]
    with pytest.raises(DataError, match="number of processes was 2 in the checkpoint and is 1"):
        training_fit.fit(again)


def test_each_process_has_its_part_of_an_epoch_in_whole_batches() -> None:
    parts = []
    for rank in range(3):
        sampler = EachEpochOthers(100, SimpleNamespace(world_size=3, global_rank=rank), batch_size=8)
        sampler.set_epoch(2)
        loader = DataLoader(range(1000), 8, sampler=sampler)
        assert len(loader) == 4
        parts.append([int(number) for batch in loader for number in batch])
    assert parts == [list(range(first, first + 32)) for first in (200, 232, 264)]


def test_one_process_has_all_of_an_epoch() -> None:
    sampler = EachEpochOthers(10, batch_size=8)
    assert list(sampler) == list(range(10))
    sampler.set_epoch(1)
    assert list(sampler) == list(range(10, 20)) and len(sampler) == 10


def test_processes_that_read_other_data_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = SimpleNamespace(train=range(12), kept_aside="a", labels=("sign",), root="data")
    trainer = SimpleNamespace(world_size=2, global_rank=0, datamodule=data)
    monkeypatch.setattr(distributed, "gathered", lambda own: [own, (11, *own[1:])])
    with pytest.raises(DataError, match="process 1 reads other data from data than the first: 11 pictures"):
        Together().on_fit_start(trainer, SimpleNamespace())


def test_a_batch_size_is_found_on_one_device(lamps: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="tries batches on one device"):
        training_fit.fit([*options(lamps, tmp_path, processes=2), "--find_batch_size=true"])
