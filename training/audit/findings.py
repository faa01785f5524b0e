"""Findings: all that an audit says of a data set, as frozen data, JSON and a list of what to leave out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training.audit.alike import Drive, Outlier, Pair, drives, outliers, pairs
from training.audit.auditing import Auditor, Item, Seen, Suspect

SMALL_CLASS = 0.1  # of the largest class
MOST = 0.2  # of the pictures; where more labels are contradicted, that says more of what judges
FAR_OFF = 200  # pictures like no other that are listed


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        root: of the data set.
        data_set: its name.
        model: name of the model file.
        judged_by: what the labels were compared with; empty if with nothing.
        items: all pictures of the data set.
        numbers: of those that were looked at.
        is_complete: whether it was not interrupted.
        remarks: what a reader must know.
        suspects: all labels that were judged, the worst first.
        pairs: pictures that show the same, leaks first.
        drives: drives, or signs, on both sides of the split.
        outliers: pictures like no other, the farthest first.
        classes: of each class, how many different signs, or pictures, learn and validate.
    """

    root: Path
    data_set: str
    model: str
    judged_by: str
    items: tuple[Item, ...]
    numbers: tuple[int, ...]
    is_complete: bool
    remarks: tuple[str, ...]
    suspects: tuple[Suspect, ...]
    pairs: tuple[Pair, ...]
    drives: tuple[Drive, ...]
    outliers: tuple[Outlier, ...]
    classes: Mapping[str, tuple[int, int]]

    @property
    def seen(self) -> int:
        """How many pictures were looked at."""
        return len(self.numbers)

    @property
    def likely(self) -> tuple[Suspect, ...]:
        """The labels that are likely wrong, the worst first."""
        return tuple(one for one in self.suspects if one.is_likely)

    @property
    def leaks(self) -> tuple[Pair, ...]:
        """Pictures that validate and that training knows."""
        return tuple(pair for pair in self.pairs if pair.is_leak)

    @property
    def twice(self) -> tuple[Pair, ...]:
        """Pictures that are there twice on one side of the split."""
        return tuple(pair for pair in self.pairs if not pair.is_leak)

    @property
    def small(self) -> tuple[str, ...]:
        """Classes that are far smaller than the largest, the smallest first."""
        sizes = {name: sum(counts) for name, counts in self.classes.items()}
        largest = max(sizes.values(), default=0)
        return tuple(
            name
            for name in sorted(sizes, key=lambda name: sizes[name])
            if sizes[name] < SMALL_CLASS * largest
        )

    def name(self, number: int) -> str:
        """Path of an item, as seen from the data set."""
        path = self.items[number].path
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()

    def to_json(self) -> dict[str, Any]:
        """All that was found, for programs."""
        return {
            "data_set": self.data_set,
            "model": self.model,
            "judged_by": self.judged_by,
            "pictures": len(self.items),
            "seen": self.seen,
            "unseen": [self.name(number) for number in self._unseen()],
            "complete": self.is_complete,
            "remarks": self.remarks,
            "labels": [self._label(one) for one in self.suspects],
            "pairs": [
                {
                    "file": self.name(pair.second),
                    "as": self.name(pair.first),
                    "apart": round(pair.apart, 4),
                    "leak": pair.is_leak,
                }
                for pair in self.pairs
            ],
            "drives": [{"drive": one.name, "train": one.train, "val": one.val} for one in self.drives],
            "outliers": [
                {"file": self.name(one.number), "score": round(one.score, 4)}
                for one in self.outliers[:FAR_OFF]
            ],
            "classes": {name: {"train": t, "val": v} for name, (t, v) in self.classes.items()},
        }

    def _unseen(self) -> list[int]:
        return sorted(set(range(len(self.items))) - set(self.numbers))

    def _label(self, one: Suspect) -> dict[str, Any]:
        box = {} if one.box is None else {"box": [round(value, 1) for value in one.box]}
        return {
            "file": self.name(one.number),
            "kind": one.kind,
            "score": float(f"{one.score:.4g}"),
            "likely": one.is_likely,
            "says": one.says,
            **box,
        }

    def left_out(self) -> Iterator[tuple[str, str]]:
        """Pictures to leave out until somebody has looked at them, and why: each once, the surest first."""
        reasons: dict[int, str] = {}
        for pair in self.pairs:
            if pair.is_leak:
                group = self.items[pair.second].group
                why = f"validates as {self.name(pair.first)}"
                for number, item in enumerate(self.items):
                    if item.group == group and item.part == self.items[pair.second].part:
                        reasons.setdefault(number, why)
            elif pair.apart == 0.0:
                reasons.setdefault(pair.second, f"the same as {self.name(pair.first)}")
        for one in self.likely:
            reasons.setdefault(one.number, one.says)
        yield from ((self.name(number), why) for number, why in reasons.items())

    def list_of_left_out(self) -> str:
        """The list that ``fit --data.exclude`` takes."""
        lines = [
            f"# {self.data_set}: pictures that training should leave out until somebody has looked at them.",
            "# Take out the lines of those that are right. report.html shows them.",
        ]
        for name, why in self.left_out():
            lines += [f"# {why}", f"./{name}" if name.startswith("#") else name]
        return "\n".join(lines) + "\n"


def measure(auditor: Auditor, seen: Seen, root: Path, model: Path, *, is_complete: bool) -> Audit:
    """Judge what one pass over the pictures gave."""
    suspects, remarks = tuple(auditor.suspects(seen)), auditor.remarks
    contradicted = len({one.number for one in suspects if one.is_likely}) / len(seen.numbers)
    if contradicted > MOST:
        suspects = tuple(replace(one, is_likely=False) for one in suspects)
        remarks += (
            f"Labels of {contradicted:.0%} of the pictures are contradicted. So many errors are rather "
            "those of what judges. None is called likely; give another --model, or more pictures.",
        )
    return Audit(
        root=root,
        data_set=auditor.data_set,
        model=model.name,
        judged_by=auditor.judged_by,
        items=auditor.items,
        numbers=seen.numbers,
        is_complete=is_complete,
        remarks=remarks,
        suspects=suspects,
        pairs=pairs(auditor.items, seen),
        drives=drives(auditor.items, seen),
        outliers=outliers(auditor.items, seen),
        classes=balance(auditor, seen),
    )


def balance(auditor: Auditor, seen: Seen) -> dict[str, tuple[int, int]]:
    """Of each class, how many groups that show it learn, and how many validate; the largest first."""
    groups: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for number, answer in zip(seen.numbers, seen.answers):
        item = auditor.items[number]
        for name in auditor.labels(number, answer):
            groups[name][item.part == "val"].add(item.group)
    counts = {name: (len(train), len(val)) for name, (train, val) in groups.items()}
    return dict(sorted(counts.items(), key=lambda entry: -sum(entry[1])))


def kinds(suspects: Sequence[Suspect]) -> Mapping[str, int]:
    """How many there are of each kind, in the order in which they come first."""
    return Counter(one.kind for one in suspects)
