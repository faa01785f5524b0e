"""fit trains as the command line says, refuses what would end badly, and goes on where it stopped."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import perception
from tests.training.fits import ROOT, TINY, Trained, fit_here, training
from training import fit as training_fit
from training import internals
from training.checkpoint import read_checkpoint
from training.datasets.images import DataError
from training.evaluate import evaluate
from training.run import INTERRUPTED, NAME, read_run
from training.segmentation.data import MaskData
from training.segmentation.task import MaskTask


def test_refit_learns_from_all_and_takes_the_calibration_of_the_run_that_was_measured(
    gtsrb: Path, background: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [f"--data.root={gtsrb}", f"--data.background={background}", "--data.size=32"]
    batches = ("--data.batch_size=8", "--find_batch_size=true")
    runs = fit_here("signs", tmp_path / "runs", *options, *batches, "--refit=true")
    assert [run.data.train_on_val for run in runs] == [False, True]
    assert runs[0].data.batch_size == runs[1].data.batch_size > 8
    training_fit.report(runs)
    assert f"final, calibrated by it: {runs[1].model_path}" in capsys.readouterr().out
    measured, refit = (perception.load(run.model_path).spec for run in runs)
    assert (refit.calibration, refit.thresholds) == (measured.calibration, measured.thresholds)
    assert "val_accuracy" in measured.metrics and "val_accuracy" not in refit.metrics
    assert refit.provenance.learnt_val and not measured.provenance.learnt_val

    final = runs[1].folder / runs[1].checkpoint
    done = training("export", final, tmp_path / "all.onnx", "--calibration", runs[0].model_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert perception.load(tmp_path / "all.onnx").spec == refit

    # Whatever starts from it has learnt from the validation part as well, and says so.
    start = f"--model.start={runs[1].model_path.with_suffix('.safetensors')}"
    (later,) = fit_here("signs", tmp_path / "later", *options, "--data.batch_size=16", start)
    spec = perception.load(later.model_path).spec
    assert "val_accuracy" not in spec.metrics and spec.calibration["temperature"] == 1.0
    evaluate(later.model_path, gtsrb, out=tmp_path / "evaluation")
    assert "has learnt from these very pictures" in capsys.readouterr().out
    teacher = f'--model.distillation.teachers=["{later.folder / later.checkpoint}"]'
    with pytest.raises(DataError, match="has learnt from the pictures that validate here"):
        fit_here("signs", tmp_path / "taught", *options, teacher)


def test_refit_needs_a_first_training_that_validates(gtsrb: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--refit needs a first training"):
        fit_here("signs", tmp_path, f"--data.root={gtsrb}", "--data.train_on_val=true", "--refit=true")


def test_training_goes_on_where_it_was_stopped(class_folders: Path, tmp_path: Path) -> None:
    options = [f"--data.root={class_folders}", "--data.size=32"]
    options += ["--trainer.max_epochs=12", "--trainer.max_steps=1000"]  # Lightning has another way for these
    arguments = ["fit", "--config=training/configs/signs.yaml", f"--trainer.default_root_dir={tmp_path}"]
    command = [sys.executable, "-m", "training", *arguments, *TINY, *options]
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while not list(tmp_path.rglob("last.ckpt")):
            assert first.poll() is None, first.communicate()[0]
            time.sleep(0.02)
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)
    finally:
        first.kill()
    assert first.returncode == 1
    (file,) = tmp_path.rglob(NAME)
    run = read_run(file)
    assert (run.status, run.model, run.epochs < 12) == (INTERRUPTED, None, True)
    stopped = run.folder / run.checkpoint

    # The weights that a training began with are not needed any more.
    start = "--model.start=gone.safetensors"
    (resumed,) = fit_here("signs", tmp_path / "resumed", *options, start, f"--ckpt_path={stopped}")
    ended = resumed.folder / resumed.checkpoint
    assert read_checkpoint(stopped)["epoch"] < read_checkpoint(ended)["epoch"] == 11
    assert resumed.epochs == 12

    # The same crops and spots, in the same order, as if it had never been stopped.
    (at_once,) = fit_here("signs", tmp_path / "at once", *options)
    weights = read_checkpoint(ended)["state_dict"]
    for name, wanted in read_checkpoint(at_once.folder / at_once.checkpoint)["state_dict"].items():
        assert torch.equal(weights[name], wanted), name

    teachers = f'--model.distillation.teachers=["{ended}"]'
    resume = f"--ckpt_path={stopped}"
    for others, clue in (
        ([resume, "--trainer.max_epochs=20"], "resume with"),
        ([resume, "--model.lr=0.1"], r"began with --model\.lr 0\.003, this run says 0\.1"),
        ([resume, teachers], r"began with --model\.distillation\.teachers"),
        ([resume, "--model.attack.radius=4"], r"began with --model\.attack\.radius 0\.0"),
        ([teachers, "--data.seed=1"], "kept others aside"),
    ):
        with pytest.raises(DataError, match=clue):
            fit_here("signs", tmp_path / "refused", *options, *others)
    assert not list((tmp_path / "refused").rglob(NAME))
    (class_folders / "red").rename(class_folders / "amber")
    with pytest.raises(DataError, match="'amber' against 'blue'"):
        fit_here("signs", tmp_path / "refused", *options, resume)
    done = training("export", ended, tmp_path / "m.onnx")
    assert done.returncode == 1
    assert "'amber' against 'blue'" in done.stderr
    assert not (tmp_path / "m.onnx").exists()


def test_what_training_starts_from_is_measured_before(
    trained_masks: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [f"--data.root={trained_masks.data}", "--data.size_hw=[120, 160]", "--data.crop_hw=[32, 48]"]
    start = f"--model.start={trained_masks.weights}"
    runs = fit_here("segnet", tmp_path, *options, start, "--trainer.check_val_every_n_epoch=1")
    data = MaskData(str(trained_masks.data), size_hw=(120, 160))
    data.setup()
    task = MaskTask()
    task.make_net(data.labels, data.palette)
    task.net.load_state_dict(load_file(trained_masks.weights))
    frames, ids = data.val.tensors
    with torch.no_grad():
        wanted = float(task.miou(task.eval()(frames.float()).argmax(dim=1), ids))
    assert read_run(runs[0].folder / NAME).before["val_miou"] == pytest.approx(wanted, abs=1e-4)
    training_fit.report(runs)
    assert f"val_miou: {wanted:.4f} before, now " in capsys.readouterr().out
    assert not trained_masks.run.before  # it began from nothing


def test_a_resumed_training_keeps_its_batch_size(trained_masks: Trained, tmp_path: Path) -> None:
    options = [f"--data.root={trained_masks.data}", "--data.size_hw=[120, 160]", "--data.crop_hw=[32, 48]"]
    resume = [f"--ckpt_path={trained_masks.checkpoint}", "--find_batch_size=true"]
    with pytest.raises(DataError, match="leave out --find_batch_size"):
        fit_here("segnet", tmp_path, *options, *resume)


def test_a_processor_without_bf16_trains_in_full_precision_and_says_so(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [f"--data.root={class_folders}", "--data.size=32", "--trainer.fast_dev_run=1"]
    for has_bf16, precision in (
        (False, "bf16-mixed"),
        (False, "bf16"),
        (False, "16-mixed"),
        (True, "bf16-mixed"),
    ):
        monkeypatch.setattr(internals, "cpu_computes_in_bf16", lambda known=has_bf16: known)
        fit_here("signs", tmp_path, *options, f"--trainer.precision={precision}")
        said = "does not compute in bf16" in capsys.readouterr().out
        assert said is not has_bf16


def test_what_nobody_can_change_is_not_said(class_folders: Path, tmp_path: Path) -> None:
    """Lightning recommends another product, and warns of shards that there are none of."""
    options = [f"--data.root={class_folders}", "--data.size=32", "--trainer.max_epochs=1"]
    config = "--config=training/configs/signs.yaml"
    done = training("fit", config, *options, f"--trainer.default_root_dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert not any(word in said for word in ("litlogger", "WeightAveraging", "model summary"))


@pytest.mark.parametrize(
    ("option", "clue"),
    [
        ("--trainer.precision=bf16-true", "choose one of 16-mixed, 32-true, bf16-mixed"),
        ("--trainer.accelerator=gpus", "invalid accelerator name"),
        ("--data.box_margin=10", "expected a share of the sign's size"),
    ],
)
def test_what_would_end_in_the_middle_is_refused_at_once(
    option: str, clue: str, class_folders: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=clue):
        fit_here("signs", tmp_path, f"--data.root={class_folders}", option)
    assert not list(tmp_path.rglob("*.ckpt"))


def test_a_config_need_not_name_a_precision(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "bare.yaml"
    config.write_text(
        "model: training.signs.task.SignTask\n"
        f"data:\n  class_path: training.signs.data.SignData\n  init_args: {{root: {class_folders}}}\n"
    )
    monkeypatch.setattr(training_fit, "fail_at_the_end", lambda: None)
    assert training_fit.fit([f"--config={config}", "--trainer.fast_dev_run=1"]) == []


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 400 bytes"),
    ],
)
def test_out_of_memory_ends_with_advice(error: RuntimeError, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(training_fit, "train", run_out)
    with pytest.raises(DataError, match="--find_batch_size true"):
        training_fit.fit([])


def test_data_that_shows_nothing_is_not_trained_on(class_folders: Path, tmp_path: Path) -> None:
    (class_folders / "red" / "0.png").write_bytes((class_folders / "blue" / "0.png").read_bytes())
    with pytest.raises(DataError, match="same picture in two classes"):
        fit_here("signs", tmp_path, f"--data.root={class_folders}")


def test_a_full_disk_names_the_folder(class_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended:
        folder = class_folders / "version_0"

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(training_fit.Recorder, "end", lambda *_: Ended)
    with pytest.raises(OSError, match=r"cannot be written: No space left.*version_0"):
        training_fit.train([], command_line=fail)
