"""Audit: which labels of a data set are likely wrong, and which pictures are there twice or on both sides.

data set ─► seen: one pass; how each picture looks, and what a model says of it
         ─► the task's auditor: labels that this contradicts (cleanlab)
         ─► alike: pictures that are there twice, leaks of the split, pictures like no other
         ─► audit.json, exclude.txt (for fit --data.exclude), report.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

import perception
from perception.errors import ModelError
from perception.frames import Frame, resize
from perception.paths import replacing, shared
from perception.report import tables
from perception.tasks import TASKS
from training.audit import report
from training.audit.auditing import Auditor
from training.audit.findings import Audit, measure
from training.audit.seen import Look, order, see
from training.check import task_of
from training.datasets.images import DataError, require_folder
from training.extract.candidates import thumbnail
from training.onnx.features import Features
from training.pieces import decided_by, kept
from training.tasks import chosen_options, column

__all__ = ["Audit", "audit"]


def audit(
    root: Path,
    *,
    out: Path,
    model: Path | None = None,
    limit: int | None = None,
    device: str = "auto",
    resume: bool = False,
    **options: Any,
) -> Audit:
    """Look for what is wrong with a data set, and write audit.json, exclude.txt and report.html.

    Ctrl-C ends the pass over the pictures; what was seen until then is judged and written.

    Args:
        root: the data set.
        out: folder for the files.
        model: what the labels are compared with, and whose features say what looks alike; None takes the
            shipped model of the task.
        limit: how many pictures are enough, spread over all; None takes all.
        device: see :func:`perception.load`.
        resume: go on with a run that was interrupted in this folder, see :mod:`training.pieces`.
        options: of the task's auditor, e.g. ``folds`` for signs.

    Raises:
        DataError: the data set cannot be read, or an option, the model or the run to resume does not suit it.
        ModelError: the model cannot be used.
        OSError: the folder cannot be written.
    """
    require_folder(root)
    if limit is not None and limit < 1:
        raise DataError(f"--limit is {limit}; it must be 1 or more")
    task = task_of(root)
    make, own = _auditor(root, task, options)
    path = model or shared(f"models/{TASKS[task].file}")
    with ExitStack() as stack:
        runner = stack.enter_context(perception.load(path, device=device))
        if runner.spec.task != task:
            raise DataError(
                f"{path} is of the task {runner.spec.task!r}, and {root} is data of {task!r}; give a --model "
                "of that task"
            )
        auditor: Auditor = stack.enter_context(closing(make(root, runner, **own)))
        numbers = order(auditor.items, limit)
        by = f"labels are compared with {auditor.judged_by}" if auditor.judged_by else "no label is compared"
        print(f"{root}: {len(numbers)} of {len(auditor.items)} pictures through {path.name}; {by}")
        files = [path, *(one for one in own.values() if isinstance(one, Path))]
        settings = {"limit": limit, "device": runner.device, **own}
        about = decided_by("audit", files=files, data=[root], out=out, **settings)
        pieces = stack.enter_context(kept(out, about, resume=resume))
        look = _look(path, auditor, runner.spec.input_hw)
        seen, is_complete = see(auditor, numbers, look, pieces)
        done = measure(auditor, seen, root, path, is_complete=is_complete)
        _save(done, auditor, out)
        pieces.is_over = is_complete
    _tell(done, out)
    return done


def _auditor(
    root: Path, task: str, options: Mapping[str, Any]
) -> tuple[Callable[..., Auditor], dict[str, Any]]:
    """What audits a task's data, and those of the options that it has.

    Raises:
        DataError: one of the options is another task's.
    """
    make = column(task, "audit")
    own, foreign = chosen_options(make, options, {})
    if foreign:
        raise DataError(
            f"{root} is data of the task {task!r}, whose audit has no --{foreign[0]}; leave it out"
        )
    return make, own


def _look(path: Path, auditor: Auditor, size_hw: tuple[int, int]) -> Look:
    """A net's deepest features, for pictures of the size that it takes; small pictures, if it has none."""
    try:
        features = Features(path) if auditor.has_look else None
    except ModelError as error:
        print(f"{error}; pictures are compared as small ones instead")
        features = None

    def look(frames: Sequence[Frame]) -> NDArray[np.float32]:
        if features is None:
            return np.stack([thumbnail(frame) for frame in frames])
        return features(np.stack([resize(frame, size_hw) for frame in frames]))

    return look


def _save(done: Audit, auditor: Auditor, out: Path) -> None:
    page = report.page(done, auditor)
    _write(out / "audit.json", json.dumps(done.to_json(), indent=1, ensure_ascii=False) + "\n")
    _write(out / "exclude.txt", done.list_of_left_out())
    page.save(out / "report.html")


def _write(path: Path, text: str) -> None:
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="replace")  # a path may be no UTF-8


def _tell(done: Audit, out: Path) -> None:
    """Print what was found and where it is."""
    for remark in done.remarks:
        print(remark)
    if not done.is_complete:
        print(f"interrupted: what follows is of the {done.seen} pictures that were seen")
    Console().print(tables.numbers(("found", "number"), report.rows(done)))
    count = sum(1 for _ in done.left_out())
    if count:
        print(
            f"{out / 'report.html'} shows the worst; {out / 'exclude.txt'} lists {count} pictures: take out"
        )
        print("the lines of those that are right, and train without the others: fit … --data.exclude FILE")
    else:
        print(f"{out / 'report.html'} shows the worst; none of them should be left out of training")
