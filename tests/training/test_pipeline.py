"""A few CPU steps, export, and the runtime gives what PyTorch gave: the whole command line of training."""

from __future__ import annotations

import copy
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import perception
from training import export as training_export
from training import fit as training_fit
from training.checkpoint import read_checkpoint
from training.datasets.images import DataError
from training.datasets.pictures import read_bgr
from training.evaluate import evaluate
from training.graph import ExportError
from training.signs import data as sign_data
from training.signs.task import SignTask

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--trainer.max_epochs=2", "--trainer.precision=32-true", "--trainer.enable_progress_bar=false"]


def training(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def fit(config: str, runs: Path, *arguments: str) -> Path:
    done = training(
        "fit",
        "--config",
        f"training/configs/{config}.yaml",
        f"--trainer.default_root_dir={runs}",
        *TINY,
        *arguments,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return runs / "lightning_logs" / "version_0" / "checkpoints" / "last.ckpt"


def fit_here(monkeypatch: pytest.MonkeyPatch, config: str, runs: Path, *arguments: str) -> None:
    """The same in this process, which spares the start of another."""
    command = ["training", "fit", f"--config=training/configs/{config}.yaml", "--trainer.accelerator=cpu"]
    monkeypatch.setattr(sys, "argv", [*command, f"--trainer.default_root_dir={runs}", *arguments])
    monkeypatch.setattr(training_fit, "fail_at_the_end", lambda: None)  # of this process's memory
    monkeypatch.chdir(ROOT)
    training_fit.fit()


def fit_signs(runs: Path, gtsrb: Path, background: Path, *arguments: str) -> Path:
    data = (f"--data.root={gtsrb}", f"--data.background={background}", "--data.size=32")
    return fit("signs", runs, *data, *arguments)


def test_signs(gtsrb: Path, background: Path, tmp_path: Path) -> None:
    checkpoint = fit_signs(tmp_path / "runs", gtsrb, background, "--data.batch_size=16")
    model = tmp_path / "signs.onnx"
    done = training("export", checkpoint, model)
    assert done.returncode == 0, done.stdout + done.stderr
    # fit has exported the same, and the weights to start from
    ended = checkpoint.with_name("signs.onnx")
    assert perception.load(ended).spec.calibration == perception.load(model).spec.calibration
    assert ended.with_suffix(".safetensors").is_file()

    classify = perception.load(model)
    assert classify.spec.labels[14] == "Stop"
    assert classify.spec.input_hw == (32, 32)
    assert 0.0 < classify.spec.calibration["temperature"] <= 3.0
    aside = torch.load(checkpoint, weights_only=True)["kept_aside"]
    assert aside and classify.spec.provenance.kept_aside == aside
    assert classify.spec.provenance.background_kept_aside and not classify.spec.provenance.learnt_val
    crop = read_bgr(next(gtsrb.rglob("*.jpg")))
    assert classify(crop).scores.sum() == pytest.approx(1.0, abs=1e-5)
    # What is exported is the running average of the weights, not the last ones.
    content = torch.load(checkpoint, weights_only=True)
    name = "features.0.weight"
    average, last = content["state_dict"][f"net.{name}"], content["current_model_state"][f"net.{name}"]
    exported = load_file(model.with_suffix(".safetensors"))[name].float()
    torch.testing.assert_close(exported, average, rtol=1e-3, atol=1e-6)
    assert (average - last).abs().max() > 1e-4

    done = training("evaluate", model, gtsrb, "--out", tmp_path / "evaluation")
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    # What export measured with PyTorch is what the runtime measures on the same pictures.
    assert figures["accuracy"] == pytest.approx(classify.spec.metrics["val_accuracy"])
    assert "Confusion" in (tmp_path / "evaluation" / "report.html").read_text()


def test_refit_learns_from_all_and_takes_the_calibration_of_the_run_that_was_measured(
    gtsrb: Path,
    background: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    batches = ("--data.batch_size=8", "--find_batch_size=true")
    checkpoint = fit_signs(tmp_path / "runs", gtsrb, background, *batches, "--refit=true")
    final = tmp_path / "runs" / "lightning_logs" / "version_1" / "checkpoints" / "last.ckpt"
    measured, refit = (perception.load(path.with_name("signs.onnx")).spec for path in (checkpoint, final))
    assert (refit.calibration, refit.thresholds) == (measured.calibration, measured.thresholds)
    assert "val_accuracy" in measured.metrics and "val_accuracy" not in refit.metrics
    assert refit.provenance.learnt_val and not measured.provenance.learnt_val
    batch_size, again = (json.loads(spec.source["config"])["batch_size"] for spec in (measured, refit))
    assert batch_size == again > 8

    done = training(
        "export", final, tmp_path / "all.onnx", "--calibration", checkpoint.with_name("signs.onnx")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert perception.load(tmp_path / "all.onnx").spec == refit

    done = training(
        "fit",
        "--config",
        "training/configs/signs.yaml",
        f"--data.root={gtsrb}",
        "--data.train_on_val=true",
        "--refit=true",
    )
    assert done.returncode == 1 and "--refit needs a first training" in done.stderr

    # Who starts from it has learnt from the validation part as well, and says so.
    options = [f"--data.root={gtsrb}", f"--data.background={background}", "--data.size=32", *TINY]
    start = f"--model.start={final.with_name('signs.safetensors')}"
    fit_here(monkeypatch, "signs", tmp_path / "later", *options, "--data.batch_size=16", start)
    later = tmp_path / "later" / "lightning_logs" / "version_0" / "checkpoints" / "last.ckpt"
    spec = perception.load(later.with_name("signs.onnx")).spec
    assert "val_accuracy" not in spec.metrics and spec.calibration["temperature"] == 1.0
    evaluate(later.with_name("signs.onnx"), gtsrb, out=tmp_path / "evaluation")
    assert "has learnt from these very pictures" in capsys.readouterr().out
    with pytest.raises(DataError, match="has learnt from the pictures that validate here"):
        fit_here(monkeypatch, "signs", tmp_path / "taught", *options, f'--model.teachers=["{later}"]')


def test_signs_held_out_are_told_from_known_ones(gtsrb: Path, background: Path, tmp_path: Path) -> None:
    options = ("--data.batch_size=8", "--find_batch_size=true", '--data.hold_out=["Speed limit 50"]')
    checkpoint = fit_signs(tmp_path / "runs", gtsrb, background, *options)
    found = read_checkpoint(checkpoint)["datamodule_hyper_parameters"]
    assert found["batch_size"] > 8
    shutil.copy(background / "00001.jpg", background / "0.jpg")  # others would validate
    done = training("known", checkpoint)
    assert done.returncode == 1 and "learnt from" in done.stderr
    (background / "0.jpg").unlink()
    done = training("known", checkpoint)
    assert done.returncode == 0, done.stdout + done.stderr
    for text in ("energy", "nearest neighbours", "never seen", "background"):
        assert text in done.stdout


def test_own_signs_start_from_a_trained_net(class_folders: Path, gtsrb: Path, tmp_path: Path) -> None:
    started = fit("signs", tmp_path / "first", f"--data.root={gtsrb}", "--data.batch_size=16")
    ended = fit(
        "finetune_signs",
        tmp_path / "mine",
        f"--data.root={class_folders}",
        f"--model.start={started.with_name('signs.safetensors')}",
        "--seed_everything=5",  # without a start, other weights altogether
    )
    assert perception.load(ended.with_name("signs.onnx")).spec.labels == ("blue", "green", "red")
    begin, end = (torch.load(path, weights_only=True)["state_dict"] for path in (started, ended))
    name = "net.features.0.weight"
    similarity = torch.cosine_similarity(begin[name].flatten(), end[name].flatten(), dim=0)
    assert similarity > 0.9


def test_one_picture_to_validate_with_is_enough(class_folders: Path, tmp_path: Path) -> None:
    shutil.rmtree(class_folders / "green")
    for number in range(1, 20):
        (class_folders / "blue" / f"{number}.png").unlink()
    for number in range(5, 20):
        (class_folders / "red" / f"{number}.png").unlink()
    ended = fit("finetune_signs", tmp_path / "runs", f"--data.root={class_folders}")
    assert perception.load(ended.with_name("signs.onnx")).spec.labels == ("blue", "red")


def test_own_streets_start_from_the_shipped_net(camvid: Path, tmp_path: Path) -> None:
    for path in camvid.glob("*annot/*.png"):
        ids = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(path), np.select([ids == 0, ids == 3], [0, 1], 255).astype(np.uint8))
    classes = [{"name": "Above", "color": [0, 0, 255]}, {"name": "Track", "color": [90, 90, 90]}]
    (camvid / "classes.json").write_text(json.dumps(classes))
    options = [f"--data.root={camvid}", "--data.size_hw=[60, 80]", "--data.crop_hw=[56, 72]"]
    start = f"--model.start={ROOT / 'models' / 'segnet.safetensors'}"
    ended = fit("segnet", tmp_path / "runs", *options, start)
    assert perception.load(ended.with_name("segmentation.onnx")).spec.labels == ("Above", "Track")
    begin = load_file(ROOT / "models" / "segnet.safetensors")
    end = load_file(ended.with_name("segmentation.safetensors"))
    name = "refine.0.weight"  # the last layer but one
    similarity = torch.cosine_similarity(begin[name].flatten(), end[name].flatten(), dim=0)
    assert similarity > 0.9


def test_segmentation(camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [f"--data.root={camvid}", "--data.size_hw=[120, 160]", "--data.crop_hw=[32, 48]"]
    checkpoint = fit("segnet", tmp_path / "runs", *options, "--trainer.check_val_every_n_epoch=1")
    model = tmp_path / "segnet.onnx"
    done = training("export", checkpoint, model)
    assert done.returncode == 0, done.stdout + done.stderr

    segment = perception.load(model)
    assert segment.spec.calibration["temperature"] != 1.0
    frame = read_bgr(camvid / "val" / "0.png")
    road = segment(frame)
    assert road.class_ids.shape == frame.shape[:2]
    assert sum(road.fractions().values()) == pytest.approx(1.0)

    done = training("evaluate", model, camvid, "--out", tmp_path / "evaluation")
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    assert figures["miou"] == pytest.approx(segment.spec.metrics["val_miou"], abs=0.01)

    content = torch.load(checkpoint, weights_only=True)
    content["datamodule_hyper_parameters"]["train_on_val"] = True
    torch.save(content, tmp_path / "last.ckpt")
    model = tmp_path / "last.onnx"
    training_export.export(tmp_path / "last.ckpt", model)
    assert "--calibration" in capsys.readouterr().out
    spec = perception.load(model).spec
    assert spec.calibration["temperature"] == 1.0 and "val_miou" not in spec.metrics
    assert "20 pictures" in spec.trained_on and spec.provenance.learnt_val
    evaluate(model, camvid, out=tmp_path / "evaluation")
    assert "has learnt from these very pictures" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"signs\.onnx is for other classes"):
        training_export.export(checkpoint, tmp_path / "odd.onnx", calibration=ROOT / "models" / "signs.onnx")

    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["net.classify.weight"].fill_(float("nan"))
    torch.save(content, tmp_path / "diverged.ckpt")
    with pytest.raises(ExportError, match="diverged"):
        training_export.export(tmp_path / "diverged.ckpt", tmp_path / "diverged.onnx")
    assert not (tmp_path / "diverged.onnx").exists()


def test_a_graph_that_disagrees_with_pytorch_is_not_written(
    camvid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [f"--data.root={camvid}", "--data.size_hw=[60, 80]", "--data.crop_hw=[32, 48]"]
    options += ["--data.batch_size=12", "--find_batch_size=true"]
    checkpoint = fit("segnet", tmp_path / "runs", *options)
    found = read_checkpoint(checkpoint)["datamodule_hyper_parameters"]
    assert found["batch_size"] == 16  # all that there is
    write = training_export.write

    for change in ("class", "confidence"):

        def write_something_else(graph: torch.nn.Module, *arguments: object, change: str = change) -> None:
            other = copy.deepcopy(graph)
            if change == "class":
                other.net.classify.bias.data[3] += 100.0
            else:
                other.temperature *= 5.0
            write(other, *arguments)

        monkeypatch.setattr(training_export, "write", write_something_else)
        with pytest.raises(ExportError, match="agree on"):
            training_export.export(checkpoint, tmp_path / "model.onnx")
        assert not list(tmp_path.glob("model.*"))
    assert (
        "needed to calibrate the confidence" in capsys.readouterr().out
    )  # four small pictures are not enough

    with pytest.raises(DataError, match="--background"):
        training_export.export(checkpoint, tmp_path / "model.onnx", background=camvid)
    done = training(
        "fit",
        "--config=training/configs/segnet.yaml",
        *TINY,
        *options[:-2],
        "--data.batch_size=16",
        "--find_batch_size=true",
        f"--ckpt_path={checkpoint}",
    )
    assert done.returncode == 1 and "leave out --find_batch_size" in done.stderr


def test_training_goes_on_where_it_was_stopped(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["fit", "--config", "training/configs/signs.yaml", f"--trainer.default_root_dir={tmp_path}"]
    options = ["--trainer.precision=32-true", f"--data.root={class_folders}", "--data.size=32"]
    options += ["--trainer.max_epochs=12", "--trainer.max_steps=1000"]  # Lightning has another way for these
    command = [sys.executable, "-m", "training", *arguments, *options]
    # A shell's background job ignores SIGINT, and so would a child of tests that run as one.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while not list(tmp_path.rglob("last.ckpt")):
            assert first.poll() is None, first.communicate()[0]
            time.sleep(0.02)
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)
    finally:
        first.kill()
    (stopped,) = tmp_path.rglob("last.ckpt")

    # The weights that a training began with are not needed any more.
    start = "--model.start=gone.safetensors"
    done = training(*arguments, *options, start, "--ckpt_path", stopped)
    assert done.returncode == 0, done.stdout + done.stderr
    (ended,) = (path for path in tmp_path.rglob("last.ckpt") if path != stopped)
    assert read_checkpoint(stopped)["epoch"] < read_checkpoint(ended)["epoch"] == 11

    # The same crops and spots, in the same order, as if it had never been stopped.
    arguments[3] = f"--trainer.default_root_dir={tmp_path / 'at once'}"
    done = training(*arguments, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    (at_once,) = (tmp_path / "at once").rglob("last.ckpt")
    weights = read_checkpoint(ended)["state_dict"]
    for name, wanted in read_checkpoint(at_once)["state_dict"].items():
        assert torch.equal(weights[name], wanted), name

    teachers = f'--model.teachers=["{ended}"]'
    resumed = f"--ckpt_path={stopped}"
    for others, clue in (
        ([resumed, "--trainer.max_epochs=20"], "resume with"),
        ([resumed, "--model.lr=0.1"], r"began with --model\.lr 0\.003, this run says 0\.1"),
        ([resumed, teachers], r"began with --model\.teachers \[\]"),
        ([teachers, "--data.seed=1"], "kept others aside"),
    ):
        with pytest.raises(DataError, match=clue):
            fit_here(monkeypatch, "signs", tmp_path / "refused", *options, *others)
    (class_folders / "red").rename(class_folders / "amber")
    with pytest.raises(DataError, match="'amber' against 'blue'"):
        fit_here(monkeypatch, "signs", tmp_path / "refused", *options, resumed)
    done = training("export", ended, tmp_path / "m.onnx")
    assert done.returncode == 1
    assert "'amber' against 'blue'" in done.stderr
    assert not (tmp_path / "m.onnx").exists()


def test_without_git_the_commit_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a training of hours does not end without a model."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert training_export.commit() == "unknown"


def test_what_a_user_can_mend_ends_in_one_line(tmp_path: Path) -> None:
    for arguments, clue in (
        (["export", tmp_path / "none.ckpt", tmp_path / "m.onnx"], "none.ckpt"),
        (["evaluate", tmp_path / "none.onnx", tmp_path], "none.onnx"),
    ):
        done = training(*arguments)
        assert done.returncode == 1
        assert clue in done.stderr
        assert "Traceback" not in done.stderr
    assert training("no-such-command").returncode == 2


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
        monkeypatch.setattr(training_fit, "computes_in_bf16", lambda known=has_bf16: known)
        fit_here(monkeypatch, "signs", tmp_path, *options, f"--trainer.precision={precision}")
        said = "does not compute in bf16" in capsys.readouterr().out
        assert said is not has_bf16


@pytest.mark.parametrize(
    ("option", "clue"),
    [
        ("--trainer.precision=bf16-true", "choose one of 16-mixed, 32-true, bf16-mixed"),
        ("--trainer.devices=2", "takes one device, not 2"),
        ("--data.box_margin=10", "expected a share of the sign's size"),
    ],
)
def test_what_would_end_in_the_middle_is_refused_at_once(
    option: str, clue: str, class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=clue):
        fit_here(monkeypatch, "signs", tmp_path, *TINY, f"--data.root={class_folders}", option)
    assert not list(tmp_path.rglob("*.ckpt"))


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
    options = [*TINY, f"--data.root={class_folders}", "--data.size=32", "--find_batch_size=true"]
    for began, found in ((8, 16), (100, 13)):
        fit_here(monkeypatch, "signs", tmp_path / str(began), *options, f"--data.batch_size={began}")
        assert f"batch size: {found}\n" in capsys.readouterr().out
    # All of the pictures once a training, its export included.
    training_part, validation_part = reads[:2]
    assert reads == 2 * [training_part, validation_part] and training_part > 20


def test_a_config_need_not_name_a_precision(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "bare.yaml"
    config.write_text(
        "model: training.signs.task.SignTask\n"
        f"data:\n  class_path: training.signs.data.SignData\n  init_args: {{root: {class_folders}}}\n"
    )
    monkeypatch.setattr(sys, "argv", ["training", "fit", f"--config={config}", "--trainer.fast_dev_run=1"])
    monkeypatch.setattr(training_fit, "fail_at_the_end", lambda: None)
    training_fit.fit()


def test_the_average_of_a_short_run_is_not_its_start() -> None:
    average = torch.zeros(1)
    for step in range(100):
        average = training_fit.running_average(average, torch.tensor([float(step)]), torch.tensor(step))
    assert 80 < average < 95
    assert training_fit.running_average(torch.zeros(1), torch.ones(1), torch.tensor(10**6)) == pytest.approx(
        1 - training_fit.DECAY, rel=0.01
    )


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

    monkeypatch.setattr(training_fit, "_CommandLine", run_out)
    with pytest.raises(DataError, match="--find_batch_size true"):
        training_fit.fit()


def test_data_that_tells_nothing_is_not_trained_on(class_folders: Path, tmp_path: Path) -> None:
    (class_folders / "red" / "0.png").write_bytes((class_folders / "blue" / "0.png").read_bytes())
    done = training("fit", "--config", "training/configs/signs.yaml", f"--data.root={class_folders}", *TINY)
    assert done.returncode == 1
    assert "same picture in two classes" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.ckpt")
    with pytest.raises(DataError, match="no checkpoint of"):
        read_checkpoint(tmp_path / "other.ckpt")
    with pytest.raises(DataError, match=r"README\.md is no checkpoint"):
        read_checkpoint(ROOT / "README.md")
