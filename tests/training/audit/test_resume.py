"""An audit that was interrupted goes on, unless its labels have changed meanwhile."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.audit.audits import audited
from tests.training.interrupts import interrupt
from training.__main__ import main
from training.audit import seen
from training.segmentation.audit import MaskAudit


@pytest.mark.parametrize("task", ["signs", "masks", "boxes"])
def test_after_ctrl_c_it_goes_on_to_the_same_findings(
    task: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen, "BATCH", 5)
    name = {"signs": "signs_model", "masks": "segmentation_model", "boxes": "detector_model"}[task]
    root, model = request.getfixturevalue(task), request.getfixturevalue(name)
    options = ["--limit", "12"]
    if task == "boxes":
        options += ["--reader", str(request.getfixturevalue("signs_model"))]
    whole = audited(root, model, *options)
    calls = interrupt(monkeypatch, seen, "_rows", 2)
    assert audited(root, model, *options)["seen"] == 5
    assert audited(root, model, *options, "--resume") == whole and whole["seen"] == 12
    begun = [tuple(numbers) for _, numbers, _ in calls]
    assert len(begun) == 4 and begun[1] == begun[2]  # neither more nor less than was left
    assert sorted(path.name for path in (root.parent / "audit").iterdir()) == [
        "audit.json",
        "exclude.txt",
        "report.html",
    ]


def test_labels_that_were_corrected_meanwhile_are_looked_at_again(
    masks: Path, segmentation_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(seen, "BATCH", 5)
    interrupt(monkeypatch, MaskAudit, "answer", 3)
    audited(masks, segmentation_model)
    path = masks / "train" / "masks" / "5.png"
    cv2.imwrite(str(path), np.roll(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), -4, axis=0))
    out = str(masks.parent / "audit")
    given = ["audit", str(masks), "--model", str(segmentation_model), "--out", out]
    assert main([*given, "--resume"]) == 1
    assert "was begun with data" in capsys.readouterr().err
    assert main(given) == 0
    assert "begins anew" in capsys.readouterr().out
