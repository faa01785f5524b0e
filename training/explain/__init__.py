"""Explain: why a net says what it says, and whether it has learnt a shortcut.

pictures ─► what is asked about each (TASK/explain.py) ─► methods ─► explanations.json, report.html
data set ─► each thing of the validation part ─► evidence outside it ─► shortcuts.json, report.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from perception.paths import replacing
from perception.report import tables
from perception.report.page import Report
from training.datasets.images import DataError, files
from training.datasets.pictures import read_bgr
from training.explain import report
from training.explain.explanation import Explanation, answer, mean_alike
from training.explain.methods import METHODS
from training.explain.question import Explainer
from training.explain.shortcuts import ClassFindings, Finding, look, ranked
from training.opened import Opened, open_net, parts
from training.pieces import decided_by, kept
from training.tasks import column

PICTURES, THINGS = 12, 20  # looked at by default, in all and of each class
WORST = 6  # classes whose worst thing is shown
PRINTED = 10  # classes on the terminal
NOTHING = "{}: the net finds nothing there, so there is nothing to explain."
INTERRUPTED = "Interrupted: {done} of {all} were looked at."


def explain(
    model: Path,
    pictures: Sequence[Path],
    *,
    out: Path,
    methods: Sequence[str] = (),
    labels: Sequence[str] = (),
    limit: int | None = None,
    sanity: bool = False,
    resume: bool = False,
) -> tuple[Explanation, ...]:
    """Explain a net's answers about pictures, and write explanations.json and report.html.

    Args:
        model: see :func:`open_net`.
        pictures: files, or folders of them.
        out: folder for the two files.
        methods: keys of METHODS; empty takes all that suit the task and are not slow.
        labels: classes to ask about; empty asks about what the net answers.
        limit: of the pictures, so many from all of the list; None takes 12.
        sanity: explain a net with random weights, too.
        resume: go on with a run that was interrupted in this folder, see :mod:`training.pieces`.

    Raises:
        DataError: a file cannot be used, there is no such class or method, or the run to resume was another.
        ModelError: a model file cannot be used.
        WrongTaskError: nothing is explained for the model's task.
        KeyboardInterrupt: nothing had been explained; else what was explained until then is written.
    """
    net = open_net(model)
    explainer: Explainer = column(net.spec.task, "explain")
    chosen = chosen_methods(explainer, methods, net.spec.task)
    paths = spread(listed(pictures), positive(PICTURES if limit is None else limit))
    settings = {"methods": " ".join(chosen), "label": " ".join(labels), "limit": limit, "sanity": sanity}
    about = decided_by("explain", files=parts(net), data=paths, out=out, **settings)
    with kept(out, about, resume=resume) as pieces:
        done: list[Explanation] = []
        remarks: list[str] = []
        looked_at = 0
        try:
            for path in track(paths, "Explaining"):
                before = len(done)
                for number, asked in enumerate(explainer.questions(net, read_bgr(path), labels)):
                    ask = partial(answer, path, asked, chosen, sanity=sanity)
                    done.append(pieces.once(f"{path} {number}", ask))
                if len(done) == before:
                    remarks.append(NOTHING.format(path.name))
                looked_at += 1
        except KeyboardInterrupt:
            if not done:
                raise
            remarks.append(INTERRUPTED.format(done=len({one.path for one in done}), all=len(paths)))
        write_explanations(net, done, remarks, out)
        pieces.is_over = looked_at == len(paths)
    return tuple(done)


def find_shortcuts(
    model: Path,
    data: Path,
    *,
    out: Path,
    methods: Sequence[str] = (),
    limit: int | None = None,
    resume: bool = False,
) -> tuple[ClassFindings, ...]:
    """Rank the classes of a validation part by the evidence outside their things.

    shortcuts.json and report.html are written.

    Args:
        model: see :func:`open_net`.
        data: root of the data set.
        out: folder for the two files.
        methods: one key of METHODS; empty takes the task's first.
        limit: so many things of each class; None takes 20.
        resume: go on with a run that was interrupted in this folder, see :mod:`training.pieces`.

    Raises:
        DataError: a file cannot be used, the task has no things with surroundings, or the run to resume was
            another.
        ModelError: a model file cannot be used.
        WrongTaskError: nothing is explained for the model's task.
        KeyboardInterrupt: nothing had been looked at; else what was looked at until then is written.
    """
    net = open_net(model)
    explainer: Explainer = column(net.spec.task, "explain")
    method, *others = chosen_methods(explainer, methods or explainer.methods[:1], net.spec.task)
    if explainer.samples is None:
        raise DataError(
            f"--shortcuts is not for the task {net.spec.task!r}, because what is around a region is a good "
            "reason for its class; leave it out"
        )
    if others:
        raise DataError(f"--shortcuts goes by one method; leave out --methods {' '.join(others)}")
    samples = explainer.samples(net, data, positive(THINGS if limit is None else limit))
    settings = {"methods": method, "limit": limit}
    about = decided_by("explain --shortcuts", files=parts(net), data=[data], out=out, **settings)
    with kept(out, about, resume=resume) as pieces:
        found: list[Finding | None] = []
        remarks = list(samples.remarks)
        looked = look(samples.things, METHODS[method], pieces)
        try:
            for one in track(looked, "Looking", total=len(samples.things)):
                found.append(one)
        except KeyboardInterrupt:
            if not found:
                raise
            remarks.append(INTERRUPTED.format(done=len(found), all=len(samples.things)))
        classes = ranked(one for one in found if one)
        if unseen := sum(one is None for one in found):
            remarks.append(f"Not found by the net, and so without evidence: {unseen}.")
        of = {"model": net.path.name, "data": data.name, "method": method}
        write_shortcuts(of, classes, remarks, out)
        pieces.is_over = len(found) == len(samples.things)
    return classes


def write_explanations(
    net: Opened, explanations: Sequence[Explanation], remarks: Sequence[str], out: Path
) -> None:
    """Write explanations.json and report.html, and print what ``--sanity`` says of the methods."""
    likeness = mean_alike(explanations)
    content = {
        "model": net.path.name,
        "remarks": remarks,
        "alike_random_weights": likeness,
        "answers": [one.to_json() for one in explanations],
    }
    write(content, report.page(net.path.name, explanations, remarks), out, "explanations.json")
    if likeness:
        console = Console()
        console.print(tables.numbers(report.HEADER, report.likeness_rows(likeness)))
        console.print(report.LEGEND, highlight=False)


def write_shortcuts(
    about: Mapping[str, str], classes: Sequence[ClassFindings], remarks: Sequence[str], out: Path
) -> None:
    """Write shortcuts.json, which begins with what it is about, and report.html; print the first classes."""
    worst = [shown(one, about["method"]) for one in classes[:WORST]]
    content = {**about, "remarks": remarks, "classes": [one.to_json() for one in classes]}
    page = report.shortcuts_page(about["model"], classes, worst, remarks)
    write(content, page, out, "shortcuts.json")
    console = Console()
    console.print(tables.numbers(report.SHORTCUT_HEADER, report.shortcut_rows(classes[:PRINTED])))
    console.print(report.SHORTCUT_LEGEND, highlight=False)


def shown(one: ClassFindings, method: str) -> Explanation:
    """The worst thing of a class, looked at again."""
    asked = one.worst.sample.ask()
    assert asked is not None, "there is a finding about it"
    return answer(one.worst.sample.path, asked, [method])


def chosen_methods(explainer: Explainer, names: Sequence[str], task: str) -> tuple[str, ...]:
    """These methods, or all that are not slow.

    Raises:
        DataError: one does not suit the task.
    """
    for name in names:
        if name not in explainer.methods:
            raise DataError(
                f"--methods {name!r} is not for the task {task!r}; choose of {', '.join(explainer.methods)}"
            )
    return tuple(names) or tuple(name for name in explainer.methods if name not in explainer.slow)


def listed(pictures: Sequence[Path]) -> list[Path]:
    """All files, and those in folders.

    Raises:
        DataError: there is no picture.
    """
    for given in pictures:
        if not given.exists():
            raise DataError(f"{given}: no such file or folder; give pictures, or their folder")
    found = [path for given in pictures for path in (files(given) if given.is_dir() else [given])]
    if not found:
        raise DataError(f"{', '.join(map(str, pictures))} has no pictures; give pictures, or their folder")
    return found


def spread(paths: Sequence[Path], limit: int) -> Sequence[Path]:
    """At most so many, from all of the list."""
    return paths[:: -(-len(paths) // limit)]


def positive(limit: int) -> int:
    """A limit that can be used.

    Raises:
        DataError: it cannot.
    """
    if limit < 1:
        raise DataError(f"--limit is {limit}; it must be 1 or more")
    return limit


def write(content: Mapping[str, Any], page: Report, out: Path, name: str) -> None:
    """Write both files, each as a whole or not at all."""
    with replacing(out / name) as unfinished:
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        unfinished.write_text(text, "utf-8", errors="replace")  # a path may be no UTF-8
    with replacing(out / "report.html") as unfinished:
        page.save(unfinished)
    print("\n".join([*content["remarks"], f"report: {out / 'report.html'}"]))
