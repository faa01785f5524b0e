"""Corrupt: how much of what a model does is left when light, weather, camera and boxes are bad.

model file, data set ─► trial: the task's pictures, answers and measures (``training/TASK/corrupted.py``)
                     ─► measure: the model's answers, clean and under each corruption
                     ─► corruptions.json, report.html, corruptions.jpg
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import cv2
from rich.console import Console

import perception
from perception.frames import Frame
from perception.paths import replacing
from perception.report import tables
from perception.spec import ModelSpec
from training.corrupt import report
from training.corrupt.corruptions import SEVERITIES
from training.corrupt.endurance import Endurance, measure, names
from training.corrupt.trial import Trial
from training.datasets.images import DataError
from training.evaluate.evaluation import spread
from training.pieces import decided_by, kept
from training.tasks import column

JPEG_QUALITY = 80


def corrupt(
    model: Path,
    data: Path,
    *,
    out: Path,
    device: str = "auto",
    split: str = "val",
    limit: int | None = None,
    resume: bool = False,
) -> Endurance:
    """Measure a model file under corruptions; write ``corruptions.json``, ``report.html`` and a picture.

    Args:
        model: an exported file.
        data: root of the data set; its classes must be the model's.
        out: folder for the files.
        device: see :func:`perception.load`.
        split: ``"val"``, the part that training kept aside, or ``"all"`` pictures.
        limit: at most so many pictures, spread over all; None takes all.
        resume: go on with a run that was interrupted in this folder, see :mod:`training.pieces`.

    Raises:
        DataError: the data set cannot be read or has other classes, or the run to resume was another one.
        ModelError: the model cannot be used, or nothing is corrupted for its task.
    """
    if limit is not None and limit < 1:
        raise DataError(f"--limit is {limit}; it must be 1 or more")
    with ExitStack() as stack:
        runner = stack.enter_context(perception.load(model, device=device))
        spec: ModelSpec = runner.spec
        trial: Trial = column(spec.task, "corrupt")(runner, data, split=split)
        items = spread(trial.items, limit)
        pictures = "1 picture" if len(items) == 1 else f"{len(items)} pictures, each"
        print(f"{pictures} clean and under {len(names(trial))} × {len(SEVERITIES)} conditions")
        settings = {"split": split, "limit": limit, "device": runner.device}
        about = decided_by("corrupt", files=[model], data=[data], out=out, **settings)
        pieces = stack.enter_context(kept(out, about, resume=resume))
        endurance = measure(trial, items, pieces)
        shown = report.examples(trial, items)
        out.mkdir(parents=True, exist_ok=True)
        on = {"model": model.name, "data": data.name, "split": split}
        write_json(endurance, on, out / "corruptions.json")
        title = f"{model.name} on corrupted {data.name} ({split})"
        report.page(endurance, trial, shown, title).save(out / "report.html")
        write_picture(report.sheet(shown, is_crop=trial.is_crop), out / "corruptions.jpg")
        pieces.is_over = endurance.pictures == endurance.wanted
    _print(endurance)
    print(f"report: {out / 'report.html'}")
    return endurance


def write_json(endurance: Endurance, about: dict[str, str], path: Path) -> None:
    """Write figures, tables and remarks, after what they are about."""
    content = {
        **about,
        "pictures": endurance.pictures,
        "wanted": endurance.wanted,
        **endurance.figures(),
        "corruptions": endurance.tables,
        **endurance.details,
        "remarks": endurance.remarks,
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with replacing(path) as unfinished:
        unfinished.write_text(text, "utf-8", errors="replace")  # a path in a remark may be no UTF-8


def write_picture(picture: Frame, path: Path) -> None:
    """Write a JPEG; OpenCV itself would fail in silence."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    with replacing(path) as unfinished:
        unfinished.write_bytes(data.tobytes())


def _print(endurance: Endurance) -> None:
    console = Console()
    for name, table in endurance.tables.items():
        console.print(tables.numbers(report.header(name), report.rows(table, endurance.clean[name])))
    for line in report.in_words(endurance):
        print(line)
