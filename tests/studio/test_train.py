"""From a folder of pictures to a model that reads them, by the pages alone."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import cv2
from torch.utils.tensorboard import SummaryWriter

import perception
from studio.configs import configs
from studio.database import Database
from studio.jobs import Jobs
from tests.studio.browser import Browser
from training.tasks import TASKS


def over(text: str) -> bool:
    return re.search(r'"state (done|failed|stopped)"', text) is not None


def test_every_task_has_a_config_and_every_config_says_what_it_is_for() -> None:
    assert {config.task for config in configs().values()} == set(TASKS)
    for config in configs().values():
        assert len(config.about) > 40 and config.epochs > 0 and config.batch_size > 0


def test_a_folder_of_pictures_becomes_a_model_that_reads_them(browser: Browser, signs: Path) -> None:
    where = browser.press("/data", path=str(signs))
    browser.wait(where, lambda text: "being listed" not in text)
    set_id = where.rpartition("/")[2]
    page = browser.page(f"/train?set={set_id}")
    assert "config=signs&amp;" not in page and "segnet" not in page  # those of this task alone
    assert "config=finetune_signs" in page
    settings = browser.page(f"/train?set={set_id}&config=finetune_signs")
    assert 'name="epochs" min="1" value="' in settings
    fields = {"set": set_id, "config": "finetune_signs", "batch_size": 8, "lr": 0.002, "seed": 1}
    assert browser.press("/train", epochs=0, **fields, status=422)
    trial = browser.press("/train/trial", **fields)
    tried = browser.wait(trial, lambda text: "validation aside" in text or "its log says why" in text)
    assert "A step of 8 pictures takes" in tried, browser.page("/jobs/1")
    assert "None has been started here yet" in tried  # a trial is no training
    training = browser.press("/train", epochs=2, name="../my first", **fields)
    done = browser.wait(training, over)
    assert '"state done"' in done, done
    assert "2 of 2 epochs" in done and "<svg" in done
    assert "--trainer.max_epochs 2" in done  # the command, to copy

    answers = re.findall(r'src="(/train/\d+/answers/\d+)', done)
    assert len(answers) >= 3
    assert browser.get(answers[0]).content.startswith(b"\x89PNG")
    browser.page(f"{training}/answers/99", status=404)

    run = re.search(r'href="(/models/run\?path=[^"]+)"', done)
    assert run is not None
    what_came = browser.page(run[1])
    assert "train_loss" in what_came and "lr-Muon" not in what_came
    model = next((browser.settings.runs / "my-first").rglob("*.onnx"))
    assert model.name in browser.page("/models")
    with perception.load(model, device="cpu") as classify:
        assert classify.spec.labels == ("Go", "Stop", "Yield")
        assert classify(cv2.imread(str(signs / "Stop" / "0.png"))).label in classify.spec.labels
    browser.press(f"{training}/continue", status=303)  # a checkpoint is there, so it may go on


def test_an_epoch_counts_when_it_has_ended(browser: Browser) -> None:
    folder = browser.settings.runs / "begun"
    with SummaryWriter(str(folder / "lightning_logs" / "version_0")) as writer:
        for step, epoch in ((9, 0.0), (19, 1.0)):
            writer.add_scalar("epoch", epoch, step)
        writer.add_scalar("train_loss", 0.5, 9)  # one point is no curve
    patient = [sys.executable, "-c", "import time; time.sleep(60)", "--trainer.max_epochs", "3"]
    number = Jobs(Database(browser.settings.state)).add("begun", patient, kind="train", about=str(folder))
    page = browser.wait(f"/train/{number}", lambda text: "state running" in text)
    assert "1 of 3 epochs" in page and "<svg" not in page


def test_a_training_of_another_task_is_refused(browser: Browser, signs: Path) -> None:
    where = browser.press("/data", path=str(signs))
    browser.wait(where, lambda text: "being listed" not in text)
    fields = {"epochs": 1, "batch_size": 8, "lr": 0.01, "set": where.rpartition("/")[2]}
    for config in ("segnet", "../../setup", ""):
        text = browser.press("/train", config=config, **fields, status=422 if not config else 400)
        assert "choose a data set" in text or not config
    assert "None has been started here yet" in browser.page("/train")
