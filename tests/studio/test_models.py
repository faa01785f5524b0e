"""Runs and models: what is in the folders, side by side, and reports that cannot do anything."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from perception.paths import shared
from tests.studio.browser import Browser

MODELS = shared("models")

RUN: dict[str, Any] = {
    "status": "done",
    "error": "",
    "task": "signs",
    "started": "2026-01-01T10:00:00+00:00",
    "duration_s": 120.0,
    "epochs": 3,
    "steps": 30,
    "seed": 0,
    "machine": {},
    "curves": [],
    "checkpoint": "checkpoints/last.ckpt",
    "model": None,
    "data": {
        "data_set": "GTSRB",
        "folder": "GTSRB",
        "train": 90,
        "val": 10,
        "batch_size": 8,
        "train_on_val": False,
        "kept_aside": "",
    },
}


def make_run(folder: Path, lr: float, accuracy: float) -> Path:
    folder.mkdir(parents=True)
    config = {"model": {"lr": lr, "width": 8}, "data": {"batch_size": 8}}
    metrics = {"val_accuracy": accuracy, "train_loss": 0.5}
    (folder / "run.json").write_text(json.dumps({**RUN, "config": config, "metrics": metrics}))
    with SummaryWriter(str(folder)) as writer:
        for step in range(3):
            writer.add_scalar("val_accuracy", accuracy * step / 2, step)
            writer.add_scalar("lr-Muon", lr, step)
    return folder


def test_trainings_and_models_are_listed(browser: Browser, signs: Path) -> None:
    one = make_run(signs.parent / "runs" / "a" / "lightning_logs" / "version_0", 0.1, 0.9)
    (one.parent / "run.json").write_text("{}")
    (signs.parent / "broken.onnx").write_bytes(b"nothing")
    text = browser.page("/models")
    assert text.count("/models/run?") == 1 and "0.9" in text
    assert "signs.onnx" in text and "track.onnx" in text  # the shipped ones
    assert "broken.onnx" in text
    (one / "checkpoints").mkdir()
    shutil.copy(MODELS / "track.onnx", one / "checkpoints" / "segmentation.onnx")
    assert ">a/version_0: segmentation.onnx</option>" in browser.page("/try")  # there will be others
    assert "val_accuracy" in browser.page(f"/models/run?path={one}")
    browser.page(f"/models/run?path={one.parent}", status=400)


def test_two_trainings_side_by_side_show_what_differs(browser: Browser, signs: Path) -> None:
    runs = [
        make_run(signs.parent / name / "lightning_logs" / "version_0", lr, accuracy)
        for name, lr, accuracy in (("slow", 0.01, 0.8), ("fast", 0.1, 0.9))
    ]
    text = browser.page(f"/models/compare?run={runs[0]}&run={runs[1]}")
    assert "model.lr" in text and "0.01" in text
    assert "model.width" not in text  # the same in both
    assert text.count("<svg") == 1 and "lr-Muon" not in text
    browser.page(f"/models/compare?run={runs[0]}", status=400)


def test_a_command_on_a_model_is_run_and_its_report_opened(browser: Browser) -> None:
    shipped = MODELS / "signs.onnx"
    page = browser.page(f"/models/file?path={shipped}")
    assert "43 classes" in page and "open one" in page
    browser.press("/models/file", path=str(shipped), tool="evaluate", status=400)  # without a data set
    browser.press("/models/file", path=str(shipped), tool="rm -rf /", status=404)
    report = browser.settings.state / "report.html"
    report.write_text("<script>alert(1)</script>")
    answer = browser.get("/models/report", params={"path": str(report)})
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy and "script-src" not in policy and "default-src 'none'" in policy


def test_a_model_that_was_profiled_says_how_fast_it_is(browser: Browser) -> None:
    path = MODELS / "track.onnx"
    job = browser.press("/models/file", path=str(path), tool="profile")
    done = browser.wait(job, lambda text: "state done" in text or "state failed" in text)
    (printed,) = re.findall(r"of ([\d.]+) ms are outside convolutions", done)
    (shown,) = re.findall(
        r"<td>([\d.]+) ms a frame on this machine", browser.page(f"/models/file?path={path}")
    )
    assert abs(float(shown) - float(printed)) < 0.11
    assert f'<td class="number">{shown}</td>' in browser.page("/models")


def test_model_files_side_by_side_and_where_they_differ(browser: Browser, signs: Path) -> None:
    one, other = MODELS / "track.onnx", MODELS / "track.int8.onnx"
    page = browser.page(f"/models/files?file={one}&file={other}")
    assert "track.onnx" in page and "parameters" in page and "Where the first two differ" in page
    browser.page(f"/models/files?file={one}", status=400)
    browser.page(f"/models/files?file={one}&file=/etc/passwd", status=404)
    drive = signs / "Go"
    job = browser.press("/models/files", file=[str(one), str(other)], tool="differ", drive=str(drive))
    done = browser.wait(job, lambda text: "state done" in text or "state failed" in text)
    assert "state done" in done and "perception run" in done, done
    assert "report</a>" in browser.page(f"/models/files?file={one}&file={other}")
    browser.press("/models/files", file=[str(one), str(other)], tool="differ", drive="/etc", status=404)


def test_a_model_becomes_the_cars(browser: Browser) -> None:
    page = browser.page(f"/models/file?path={MODELS / 'track.onnx'}")
    assert f"segmentation_model:={browser.settings.car}/segnet.onnx" in page
    browser.wait(
        browser.press("/models/file/car", path=str(MODELS / "track.onnx")), lambda t: "state done" in t
    )
    browser.wait("/jobs/2", lambda text: "state done" in text)
    for name in ("track.onnx", "track.int8.onnx"):
        own = browser.settings.car / name.replace("track", "segnet")
        assert own.read_bytes() == (MODELS / name).read_bytes()
    browser.press("/models/file/car", path=str(MODELS / "track.int8.onnx"), status=400)


def test_a_training_that_was_interrupted_is_exported(browser: Browser, signs: Path) -> None:
    one = make_run(signs.parent / "runs" / "a" / "lightning_logs" / "version_0", 0.1, 0.9)
    assert "Export the last epoch" in browser.page(f"/models/run?path={one}")
    browser.press("/models/run/export", path=str(one), status=404)  # its checkpoint is gone
    (one / "checkpoints").mkdir()
    (one / "checkpoints" / "last.ckpt").write_bytes(b"broken")
    job = browser.press("/models/run/export", path=str(one))
    page = browser.wait(job, lambda text: "state failed" in text)
    assert "training export" in page and "last.ckpt" in page


def test_the_explanations_of_a_model_are_opened_from_its_page(browser: Browser, signs: Path) -> None:
    where = browser.press("/data", path=str(signs))
    browser.wait(where, lambda text: "being listed" not in text)
    model = MODELS / "signs.onnx"
    page = browser.page(f"/models/file?path={model}")
    assert "training explain" in page and "--shortcuts" in page and "PICTURES" in page
    browser.press("/models/file", path=str(model), tool="explain", status=400)  # without a data set
    data = where.rpartition("/")[2]
    job = browser.press("/models/file", path=str(model), tool="explain", data=data)
    done = browser.wait(job, lambda text: "state done" in text or "state failed" in text)
    assert "state done" in done and "signs.safetensors" in done, done
    asked = re.findall(r"/my signs/(\w+)/\d+\.png", done)
    assert asked == ["Go", "Stop", "Yield"]  # the whole part to validate on
    page = browser.page(f"/models/file?path={model}")
    (link,) = re.findall(r'href="(/models/report[^"]+)">explain<', page)
    assert "Why signs.safetensors says so" in browser.page(link.replace("&amp;", "&"))
    for name in ("track.onnx", "signs.int8.onnx"):  # no things with surroundings; no gradients
        other = browser.page(f"/models/file?path={MODELS / name}")
        assert "--shortcuts" not in other and ("training explain" in other) == (name == "track.onnx")
    browser.press("/models/file", path=str(MODELS / "track.onnx"), tool="shortcuts", data=data, status=404)
