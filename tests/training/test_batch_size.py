"""The batch that is found is the largest that fits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.fits import fit_here
from training.batch_size import BatchSize, find_batch_size
from training.checkpoint import read_checkpoint
from training.segmentation.data import MaskData
from training.segmentation.task import MaskTask
from training.signs import data as sign_data
from training.signs.task import SignTask


def test_the_batch_that_is_found_is_the_largest_that_fitted(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step, read = SignTask.training_step, sign_data.load_frames
    reads: list[int] = []

    def step_where_memory_holds_20(task: SignTask, batch: tuple[torch.Tensor, ...], *rest: object) -> object:
        if len(batch[0]) > 20:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return step(task, batch, *rest)

    def count(paths: list[Path], *rest: object) -> torch.Tensor:
        reads.append(len(paths))
        return read(paths, *rest)

    monkeypatch.setattr(SignTask, "training_step", step_where_memory_holds_20)
    monkeypatch.setattr(sign_data, "load_frames", count)
    options = [f"--data.root={class_folders}", "--data.size=32", "--find_batch_size=true"]
    for began, largest in ((8, 16), (100, 13)):
        (run,) = fit_here("signs", tmp_path / str(began), *options, f"--data.batch_size={began}")
        assert f"batch size: {largest}\n" in capsys.readouterr().out
        kept = read_checkpoint(run.folder / run.checkpoint)["datamodule_hyper_parameters"]
        assert kept["batch_size"] == run.data.batch_size == largest
    # All of the pictures once a training, its export included.
    training_part, validation_part = reads[:2]
    assert reads == 2 * [training_part, validation_part] and training_part > 20


def test_no_batch_is_larger_than_the_data_set(camvid: Path, tmp_path: Path) -> None:
    data = MaskData(str(camvid), size_hw=(60, 80), crop_hw=(32, 48), batch_size=3)
    batch = find_batch_size(
        MaskTask(), data, accelerator="cpu", devices=1, precision="32-true", folder=tmp_path
    )
    assert batch == BatchSize(size=16, steps=1, steps_before=5)
    assert data.batch_size == data.hparams["batch_size"] == 16
    assert not list(tmp_path.glob("*.ckpt"))
