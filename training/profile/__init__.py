"""Profile: where a model's time, multiplications and memory go, part by part.

MODEL.onnx  ─► operators, as ONNX Runtime runs the exported file
last.ckpt   ─► blocks of the net, as PyTorch runs them
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from perception.engines.threads import cores
from perception.paths import writing
from perception.report import tables
from training.profile import report
from training.profile.blocks import profile_checkpoint
from training.profile.measured import Profile
from training.profile.operators import profile_file

CHECKPOINT = ".ckpt"


def profile(
    models: Sequence[Path], *, out: Path | None = None, runs: int = 20, threads: int | None = None
) -> tuple[Profile, ...]:
    """Measure models one after the other, print tables, and write profile.json and report.html.

    Args:
        models: exported files, or checkpoints.
        out: folder for the two files; None writes none.
        runs: that are timed, of each model.
        threads: that compute; None takes one for each core.

    Raises:
        ModelError: a file cannot be used.
        DataError: a checkpoint cannot be read.
        OSError: the folder cannot be written.
    """
    done = []
    names = [model.name for model in models]
    for model in models:
        measure = profile_checkpoint if model.suffix == CHECKPOINT else profile_file
        one = measure(model, runs=runs, threads=threads or cores())
        done.append(replace(one, model=str(model)) if names.count(model.name) > 1 else one)
    console = Console()
    for one in done:
        console.print(report.title(one), highlight=False)
        console.print(tables.numbers(report.HEADER, report.rows(one)))
    console.print(report.LEGEND, highlight=False)
    if len(done) > 1:
        console.print(tables.numbers(*report.by_kind(done)))
    for line in filter(None, map(report.outside, done)):
        console.print(line, highlight=False)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        with writing(out / "profile.json"):
            content = json.dumps([one.to_json() for one in done], indent=1)
            (out / "profile.json").write_text(content + "\n", encoding="utf-8")
        report.page(done).save(out / "report.html")
    return tuple(done)
