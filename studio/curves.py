"""Curves: what trainings logged, as charts and as columns of a table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from perception.report import charts
from studio import runs
from training.run import Run

SHOWN = ("train_loss", "val_")  # beginnings of the names of what says how good a net is

Points = Sequence[tuple[float, float]]


def measures(trainings: Sequence[Run]) -> list[str]:
    """Names of the measures that these trainings have, those of validation first; rates are none."""
    names = dict.fromkeys(name for one in trainings for name in one.metrics if name.startswith(SHOWN))
    return sorted(names, key=lambda name: not name.startswith("val_"))


def of_runs(folders: Sequence[Path]) -> list[tuple[str, str]]:
    """(name, SVG) of each curve that one of the trainings logged.

    Args:
        folders: of the runs.
    """
    return drawn({runs.name(folder): runs.curves(folder) for folder in folders})


def drawn(logged: Mapping[str, Mapping[str, Points]]) -> list[tuple[str, str]]:
    """(name, SVG) of each curve.

    Args:
        logged: points by name, by training.
    """
    names = dict.fromkeys(name for lines in logged.values() for name in lines if name.startswith(SHOWN))
    curves = {
        name: {run: lines[name] for run, lines in logged.items() if len(dict(lines.get(name, ()))) > 1}
        for name in names
    }  # one step is no line
    return [(name, _plain(lines)) for name, lines in curves.items() if lines]


def _plain(lines: Mapping[str, Points]) -> str:
    """A chart without its own style, which the page's policy forbids; the style sheet has it."""
    return re.sub(r' style="[^"]*"', "", charts.curve(lines, x_label="step"))
