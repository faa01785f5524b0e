"""Trial: what a task adds to the benchmark of corruptions: its pictures, its answers, its measures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from perception.frames import Frame
from perception.report.page import Report
from training.corrupt.moved import Moved

Condition = tuple[str, int]  # a corruption and its severity
CLEAN: Condition = ("clean", 0)


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and what is true of it.

    Attributes:
        frame: (H, W, 3) uint8 BGR.
        truth: whatever the task compares its answers with.
        name: of the picture's file.
    """

    frame: Frame
    truth: Any
    name: str


class Trial(ABC):
    """The entry of a task, opened for one model and one data set.

    Attributes:
        is_crop: its pictures show one thing each; else they are whole frames.
        at_once: pictures that the model is asked about together.
        measures: the name of each and how it is computed from answers; the first one counts most.
        items: what there is to measure on.
        remarks: on the data set and what the model has learnt from.
    """

    is_crop: ClassVar[bool] = False
    at_once: ClassVar[int] = 1
    measures: Mapping[str, Callable[[Sequence[Any]], float]]
    items: Sequence[Any]
    remarks: tuple[str, ...]

    @abstractmethod
    def read(self, item: Any) -> Scene:
        """Read a picture and its truth."""

    @abstractmethod
    def ask(self, scenes: Sequence[Scene]) -> list[Any]:
        """The model's answers, compared with the truth, one a picture; small, because all are kept.

        They consist of what ``training.lossless`` takes.
        """

    @abstractmethod
    def drawn(self, scene: Scene) -> Frame:
        """The picture with the model's answer, for a page."""

    def follow(self, truth: Any, moved: Moved) -> Any:
        """The truth of a picture whose pixels moved."""
        return truth

    def example(self, items: Sequence[Any]) -> Any:
        """The picture that corruptions are shown on."""
        return items[len(items) // 2]

    def details(self, answers: Mapping[Condition, Sequence[Any]]) -> dict[str, Any]:
        """Tables that only this task has, as corruptions.json holds them."""
        return {}

    def add_sections(self, report: Report, details: Mapping[str, Any]) -> None:
        """Draw them."""
        return
