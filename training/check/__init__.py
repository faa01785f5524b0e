"""Check: everything that is wrong with a data set, listed before training rather than met during it."""

from __future__ import annotations

import json
import logging
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
from rich.console import Console
from rich.table import Table
from rich.text import Text

from perception.paths import replacing
from training.check.problems import Check, Kind, Problem, counted
from training.datasets.images import DataError, require_folder
from training.datasets.parts import kept_out
from training.tasks import TASKS, chosen_options, column, parameters

PATHS = 10  # listed for each kind of problem

__all__ = ["Kind", "Problem", "check", "in_brief", "require_sound", "run", "task_of", "understood"]


@contextmanager
def _listed_in_problems() -> Iterator[None]:
    """Within it, files that are passed over are not named when a folder is listed: the problems have them."""
    logger = logging.getLogger("training.datasets.images")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@_listed_in_problems()
def check(root: Path, **options: Any) -> list[Problem]:
    """Look at every file of a data set, of whichever task it is.

    Args:
        root: the data set.
        options: of the task's own check.

    Returns:
        Everything that is wrong, by kind, errors first.

    Raises:
        DataError: there is no such folder, no task reads such data, or an option does not suit it.
    """
    require_folder(root)
    own = _check_of(root)
    defaults = {name: value for each in _checks() for name, value in parameters(each.problems).items()}
    taken, foreign = chosen_options(own.problems, options, defaults)
    if foreign:
        raise DataError(f"{root} holds {own.content}, whose check has no --{foreign[0]}; leave it out")
    return own.problems(root, **taken)


@_listed_in_problems()
def understood(root: Path) -> str:
    """What a data set was taken for, in words; empty if it cannot be read, or its task does not say.

    Raises:
        DataError: there is no such folder, or no task reads such data.
    """
    require_folder(root)
    own = _check_of(root)
    try:
        summary = own.summary(root) if own.summary else ""
        aside = ", ".join(f"{folder.name}/" for folder in kept_out(root))
    except (DataError, OSError):
        return ""
    return f"{own.content}: {summary}" + (f"; nobody learns from {aside}" if aside else "") if summary else ""


def in_brief(problems: Sequence[Problem], root: Path) -> Iterator[str]:
    """A line for each kind of problem, with the first path; of a folder also what is wrong there."""
    for kind, group in groupby(problems, key=lambda problem: problem.kind):
        of_kind = list(group)
        more = f" and {len(of_kind) - 1} more" if len(of_kind) > 1 else ""
        first = of_kind[0]
        what = f": {_short(first.message, root)}" if first.path.is_dir() else ""
        yield f"{kind.severity}: {kind.title}: {_short(first.path, root)}{what}{more}"


def _short(path: object, root: Path) -> str:
    """A text with paths; those inside the data set are short."""
    return str(path).replace(f"{root}/", "", 1)


def _checks() -> Iterator[Check]:
    return (column(name, "check") for name, task in TASKS.items() if task.check)


def _check_of(root: Path) -> Check:
    """The check for a data set."""
    check: Check = column(task_of(root), "check")
    return check


def task_of(root: Path) -> str:
    """The task of a data set: the one that claims it, else the one that takes the rest.

    Folders of classes may have any name, so no task could claim them all.

    Raises:
        DataError: it has the layout of no task.
    """
    checks: dict[str, Check] = {name: column(name, "check") for name, task in TASKS.items() if task.check}
    for name, one in checks.items():
        if one.claims(root):
            return name
    for name, one in checks.items():
        if one.takes_rest:
            return name
    raise DataError(f"{root} has the layout of no task; docs/training.md lists the layouts")


@_listed_in_problems()
def require_sound(data: Any) -> list[Problem]:
    """Refuse to train where results would be meaningless.

    Args:
        data: the data module of a task, before or after ``setup``; those of tasks without a check pass.

    Returns:
        The warnings.

    Raises:
        DataError: the check lists errors; the message has the first of each kind.
    """
    own = _check_for(data)
    if own is None:
        return []
    root: Path = data.root
    require_folder(root)
    theirs = _check_of(root)
    if theirs != own:
        if theirs.summary:
            theirs.summary(root)  # says what is wrong with a layout that nothing can read
        holds = f"holds {theirs.content}" if theirs.claims(root) else f"has no layout of {own.content}"
        raise DataError(
            f"{root} {holds} (docs/training.md lists the layouts); --config training/configs/"
            f"{theirs.config} learns from {theirs.content}"
            + (f"; {theirs.otherwise}" if theirs.otherwise else "")
        )
    options = {name: getattr(data, name) for name in parameters(own.problems)}
    problems = own.problems(root, **options)
    counts = Counter(problem.kind for problem in problems if problem.severity == "error")
    if counts:
        first = {problem.kind: problem for problem in reversed(problems)}
        lines = [
            f"{kind.title} ({n}): {first[kind].path}: {first[kind].message}" for kind, n in counts.items()
        ]
        command = " ".join(["python -m training check", shlex.quote(str(root)), *_on_command_line(options)])
        raise DataError(
            "\n  ".join((f"{root} would give meaningless results", *lines)) + f"\n{command} lists everything"
        )
    return problems


def _check_for(data: Any) -> Check | None:
    """The check of the task whose data module this is."""
    for name, task in TASKS.items():
        if task.check and isinstance(data, column(name, "data")):
            check: Check = column(name, "check")
            return check
    return None


def _on_command_line(options: Mapping[str, Any]) -> Iterator[str]:
    """The options as somebody would write them in a shell; none for what is empty."""
    for name, value in options.items():
        if isinstance(value, (list, tuple)):
            if value:
                yield f"--{name} {shlex.join(value)}"
        elif value is not None:
            yield f"--{name} {shlex.quote(str(value))}"


def run(root: Path, *, everything: bool = False, report: Path | None = None, **options: Any) -> None:
    """Check a data set and print what is wrong with it.

    Args:
        root: the data set.
        everything: print every path, not the first ten of each kind.
        report: JSON file that gets every problem; None writes none.
        options: of :func:`check`.

    Raises:
        DataError: as :func:`check`, or there are errors.
        OSError: the report cannot be written.
    """
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the table says it, with the path
    problems = check(root, **options)
    if report:
        with replacing(report) as unfinished:
            unfinished.write_text(to_json(problems), encoding="utf-8", errors="replace")
    console = Console()
    if summary := understood(root):
        console.print(Text(f"{root}: {summary}"), soft_wrap=True)
    for kind, of_kind in groupby(problems, key=lambda problem: problem.kind):
        _show(kind, list(of_kind), root, console, limit=None if everything else PATHS)
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        raise DataError(
            f"{counted(errors, 'error')} in {root}; fix what is named and check again, because fit refuses it"
        )
    warnings = f"no errors, {counted(len(problems), 'warning')}" if problems else "nothing wrong"
    console.print(Text(f"{root}: {warnings}; go on with python -m training fit"), soft_wrap=True)


def to_json(problems: Sequence[Problem]) -> str:
    """All problems: what kind it is, how bad that is, what to do, the path, and what is wrong there."""
    rows = [
        {
            "severity": one.severity,
            "kind": one.kind.title,
            "advice": one.kind.advice,
            "path": str(one.path),
            "message": one.message,
        }
        for one in problems
    ]
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def _show(
    kind: Kind, problems: Sequence[Problem], root: Path, console: Console, *, limit: int | None
) -> None:
    color = "red" if kind.severity == "error" else "yellow"
    title = Text.assemble(
        (f"{kind.severity}: ", f"bold {color}"), (f"{kind.title} ({len(problems)})", "bold")
    )
    console.print(title.append(f" – {kind.advice}"))
    table = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for problem in problems[:limit]:
        table.add_row(*(Text(_short(cell, root)) for cell in (problem.path, problem.message)))
    if len(problems) > len(problems[:limit]):
        table.add_row(f"and {len(problems) - len(problems[:limit])} more", "--all lists them")
    console.print(table)
    console.print()
