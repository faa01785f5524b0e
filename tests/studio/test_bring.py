"""New data sets by the forms of the room Data, in the folders that the studio may read and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from perception.paths import shared
from tests.studio.browser import Browser

MODEL = shared("models/track.onnx")


def ended(text: str) -> bool:
    return "state done" in text or "state failed" in text


def test_frames_of_a_drive_become_a_data_set(browser: Browser, signs: Path) -> None:
    rng = np.random.default_rng(0)
    drive = signs.parent / "drive"
    drive.mkdir()
    for number in range(6):
        small = rng.integers(0, 256, (12, 16, 3), np.uint8)
        cv2.imwrite(str(drive / f"{number}.png"), cv2.resize(small, (160, 120)))
    assert "track.onnx" in browser.page("/data")
    fields = {"drive": str(drive), "model": str(MODEL), "count": 2, "root": str(signs.parent)}
    page = browser.wait(browser.press("/data/extract", name="my track", **fields), ended)
    assert "training extract" in page and "state done" in page, page
    assert f"<code>{signs.parent / 'my track'}</code>" in browser.page("/data")
    browser.press("/data/extract", name="my track", **fields, status=400)  # it is there now
    for name in ("../elsewhere", "", "/etc/x", "-rf"):
        browser.press("/data/extract", name=name, **fields, status=422 if not name else 400)
    browser.press("/data/extract", name="x", **{**fields, "root": "/etc"}, status=404)
    browser.press("/data/extract", name="x", **{**fields, "drive": "/etc"}, status=404)


def test_labels_of_another_tool_become_a_data_set(browser: Browser, signs: Path) -> None:
    folder = signs.parent / "labelled"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), np.zeros((20, 30, 3), np.uint8))
    shape = {"label": "Floor", "shape_type": "polygon", "points": [[1, 1], [28, 1], [28, 18], [3, 15]]}
    content = {"version": "5.0", "imagePath": "a.png", "imageHeight": 20, "imageWidth": 30, "shapes": [shape]}
    (folder / "a.json").write_text(json.dumps(content))
    fields = {"source": str(folder), "root": str(signs.parent), "name": "imported"}
    page = browser.wait(browser.press("/data/import", **fields), ended)
    assert "training labels import" in page and "state done" in page, page
    assert list((signs.parent / "imported").rglob("a.png"))
    browser.press("/data/import", **{**fields, "name": "x", "source": "/etc"}, status=404)
    browser.press("/data/import", **{**fields, "name": "x", "as": "pictures"}, status=422)
