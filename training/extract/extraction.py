"""What a task adds to picking frames: how unsure its model is, and what is written beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perception.frames import Frame
from perception.model import Model


def _nothing(model: Model, folder: Path) -> None:
    """No file for all frames."""


@dataclass(frozen=True)
class Extraction:
    """The entry of a task.

    Attributes:
        unsure: 0…1, how little a model's result says about its frame.
        write: writes what a person would otherwise draw: gets the result, the frame, the folder and the
            frame's name without suffix.
        prepare: writes what all frames share, once; gets the model and the folder.
        has_look: the model takes whole frames of one size, so its features describe a frame.
    """

    unsure: Callable[[Any], float]
    write: Callable[[Any, Frame, Path, str], None]
    prepare: Callable[[Model, Path], None] = _nothing
    has_look: bool = False


@dataclass(frozen=True)
class Labeller:
    """A model, and what its task does with its results."""

    model: Model
    task: Extraction
