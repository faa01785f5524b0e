"""Quantities: what can be expected of a drive, and between which bounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Kind = Literal[
    "good",
    "bad",
    "dropped",
    "latency",
    "seen",
    "share",
    "flicker",
    "label_changes",
    "accuracy",
    "miou",
    "iou",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
COUNTS: tuple[Kind, ...] = ("good", "bad", "dropped", "seen", "label_changes")  # whole numbers from 0 on
FRAMES: tuple[Kind, ...] = ("good", "bad", "dropped")
OF_TRUTH: tuple[Kind, ...] = ("accuracy", "miou", "iou")  # need labels to compare with

Window = tuple[float, float]


@dataclass(frozen=True)
class Quantity:
    """One number of a drive.

    Attributes:
        kind: what it is.
        task: whose results it is about; empty for frames and latency.
        label: of a class.
        between_s: seconds since the drive's first frame; None for the whole drive.
        stage: of the latency, as ``run`` prints it.
        percent: percentile of the latency.
    """

    kind: Kind
    task: str = ""
    label: str = ""
    between_s: Window | None = None
    stage: str = ""
    percent: float = 0.0

    @property
    def name(self) -> str:
        """What it is, for people."""
        if self.kind == "latency":
            return f"latency of {self.stage}, p{self.percent:g}, ms"
        texts: dict[Kind, str] = {
            "good": "good frames",
            "bad": "bad frames",
            "dropped": "dropped frames",
            "seen": f"frames with {self.label}",
            "share": f"share of {self.label}",
            "label_changes": "label changes",
            "miou": "mIoU",
            "iou": f"IoU of {self.label}",
        }
        text = texts.get(self.kind, self.kind)
        text = f"{self.task}: {text}" if self.task else text
        return text if self.between_s is None else f"{text}, {self.between_s[0]:g} to {self.between_s[1]:g} s"

    def covers(self, time_s: float) -> bool:
        """Whether a frame counts by its time."""
        return self.between_s is None or self.between_s[0] <= time_s <= self.between_s[1]


@dataclass(frozen=True)
class Expectation:
    """Between which bounds a quantity is to be.

    Attributes:
        quantity: what is measured.
        least: the lowest value that is right; None for any.
        most: the highest one; None for any.
        line: where it is written in the file, from 1.
    """

    quantity: Quantity
    least: float | None
    most: float | None
    line: int

    @property
    def bounds(self) -> str:
        """The bounds, for people."""
        least = f"at least {self.least:g}" if self.least is not None else ""
        most = f"at most {self.most:g}" if self.most is not None else ""
        return " and ".join(filter(None, (least, most)))


@dataclass(frozen=True)
class Expectations:
    """What a file expects of a drive.

    Attributes:
        path: the file.
        all: in the order of the file.
        truth: topics of a bag whose messages are the truth, each with its line.
    """

    path: Path
    all: tuple[Expectation, ...]
    truth: tuple[tuple[str, int], ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that it is about."""
        return tuple(dict.fromkeys(e.quantity.task for e in self.all if e.quantity.task))


@dataclass(frozen=True)
class Verdict:
    """Whether an expectation holds.

    Attributes:
        expectation: which one.
        value: what was measured; None if it could not be.
        problem: why it does not hold; empty if it does.
    """

    expectation: Expectation
    value: float | None
    problem: str = ""


@dataclass(frozen=True)
class Drive:
    """One drive and what became of its expectations.

    Attributes:
        name: of the input, as it was given.
        expected: the file.
        verdicts: one for each expectation; empty if the drive could not be replayed.
        frames: good ones.
        seconds: how long the replay took.
        remarks: warnings that came up.
        error: why the drive could not be replayed to its end; empty if it was.
    """

    name: str
    expected: Expectations
    verdicts: tuple[Verdict, ...]
    frames: int = 0
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()
    error: str = ""

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """What does not hold."""
        return tuple(verdict for verdict in self.verdicts if verdict.problem)


def judge(expectation: Expectation, value: float | None, *, reason: str = "") -> Verdict:
    """Compare a measured value with its bounds; without a value the expectation does not hold.

    Args:
        expectation: what was expected.
        value: what was measured.
        reason: why there is no value.
    """
    name, bounds = expectation.quantity.name, expectation.bounds
    if value is None:
        return Verdict(expectation, None, f"{name} was not measured, because {reason}; expected: {bounds}")
    low = expectation.least is not None and value < expectation.least
    high = expectation.most is not None and value > expectation.most
    problem = f"{name}: {_precisely(expectation, value)}; expected: {bounds}" if low or high else ""
    return Verdict(expectation, value, problem)


def _precisely(expectation: Expectation, value: float) -> str:
    """A value with the digits that decide: not 0.99 where that is wanted and 0.98999 was measured."""
    text = number(value)
    return repr(value) if float(text) in (expectation.least, expectation.most) else text


def number(value: float) -> str:
    """A value in a few digits."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"
