"""Measure a model under every corruption, as frozen data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from rich.progress import track

from training.corrupt.corruptions import CORRUPTIONS, OF_FRAMES, SEVERITIES, corrupt
from training.corrupt.trial import CLEAN, Condition, Scene, Trial
from training.evaluate.evaluation import without_nan
from training.pieces import Pieces

Row = list[float | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Endurance:
    """What a model still does when its pictures are corrupted.

    Attributes:
        pictures: how many were measured on.
        wanted: how many should have been; more, if it was interrupted.
        clean: each measure without corruption; None where it cannot be computed.
        tables: of each measure, a row for each corruption with one value a severity.
        details: tables that only the task has.
        remarks: lines for a reader.
    """

    pictures: int
    wanted: int
    clean: Mapping[str, float | None]
    tables: Mapping[str, Mapping[str, Row]]
    details: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def measure(self) -> str:
        """The one that counts most."""
        return next(iter(self.tables))

    def mean(self, measure: str) -> float | None:
        """Of all corruptions and severities at which it can be computed."""
        values = [value for row in self.tables[measure].values() for value in row if value is not None]
        return float(np.mean(values)) if values else None

    def figures(self) -> dict[str, float | None]:
        """Each measure, clean and as the mean over all corruptions."""
        corrupted = {f"corrupted_{name}": self.mean(name) for name in self.tables}
        return {**self.clean, **corrupted}


def measure(trial: Trial, items: Sequence[Any], pieces: Pieces | None = None) -> Endurance:
    """Ask a model about all pictures, clean and corrupted.

    The same pictures have the same noise in every run. Ctrl-C ends it early: then what is given is about
    the pictures that were done until then.

    Args:
        trial: of the task.
        items: the pictures.
        pieces: where the answers about pictures that are asked about together are kept; None keeps nothing.

    Raises:
        KeyboardInterrupt: before the first pictures were done.
        DataError: a picture cannot be read.
    """
    answers: dict[Condition, list[Any]] = {}
    pieces = pieces or Pieces()
    done = 0
    try:
        for start in track(range(0, len(items), trial.at_once), "Corrupting"):
            together = items[start : start + trial.at_once]
            found = pieces.once(str(start), partial(_asked, trial, together, start))
            for condition, own in found.items():
                answers.setdefault(condition, []).extend(own)
            done += len(together)
    except KeyboardInterrupt:
        if not done:
            raise
    return Endurance(
        pictures=done,
        wanted=len(items),
        clean={name: _value(compute(answers[CLEAN])) for name, compute in trial.measures.items()},
        tables={
            name: {
                kind: [_value(compute(answers[kind, severity])) for severity in SEVERITIES]
                for kind in names(trial)
            }
            for name, compute in trial.measures.items()
        },
        details=trial.details(answers),
        remarks=trial.remarks,
    )


def _asked(trial: Trial, items: Sequence[Any], start: int) -> dict[Condition, list[Any]]:
    """The answers about some pictures, by condition."""
    scenes = [trial.read(item) for item in items]
    return {condition: trial.ask(given) for condition, given in conditions(trial, scenes, start)}


def conditions(
    trial: Trial, scenes: Sequence[Scene], start: int = 0
) -> Iterator[tuple[Condition, list[Scene]]]:
    """The scenes clean, and then under each corruption at each severity.

    Args:
        trial: of the task.
        scenes: some pictures.
        start: number of the first of them in the data set; decides the noise.
    """
    yield CLEAN, list(scenes)
    for kind, name in enumerate(CORRUPTIONS):
        if name not in names(trial):
            continue
        for severity in SEVERITIES:
            rng = np.random.default_rng((start // trial.at_once, kind, severity))
            yield (name, severity), [corrupted(trial, one, name, severity, rng) for one in scenes]


def corrupted(trial: Trial, scene: Scene, name: str, severity: int, rng: np.random.Generator) -> Scene:
    """A scene under one corruption, its truth with it."""
    given = corrupt(name, scene.frame, severity=severity, rng=rng, is_crop=trial.is_crop)
    return Scene(given.frame, trial.follow(scene.truth, given.moved), scene.name)


def names(trial: Trial) -> tuple[str, ...]:
    """The corruptions that its pictures can have."""
    return tuple(CORRUPTIONS) if trial.is_crop else OF_FRAMES


def _value(number: float) -> float | None:
    return without_nan(np.array([number]))[0]
