"""Meters: measure what is expected of a drive, frame by frame, in bounded memory."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from perception.differences import NOTHING, UNKNOWN, between
from perception.errors import InputError
from perception.expectations.quantities import (
    OF_TRUTH,
    Expectation,
    Expectations,
    Kind,
    Quantity,
    Verdict,
    judge,
)
from perception.model import Followed, HasShares, LabelsPixels, NamesThings, Result
from perception.samples import Mean, Stages
from perception.spec import ModelSpec
from perception.steadiness import Steadiness

_log = logging.getLogger(__name__)

Pairs = Counter[tuple[str, str]]

_NEEDS: dict[type, tuple[Kind, ...]] = {
    HasShares: ("share",),
    NamesThings: ("seen", "label_changes", "accuracy"),
    LabelsPixels: ("flicker", "accuracy", "miou", "iou"),
}


def check_names(expected: Expectations, specs: Iterable[ModelSpec]) -> None:
    """See that the models have the tasks and classes that are expected.

    Raises:
        InputError: one has not; it says the file, the line and what the models have.
    """
    by_task = {spec.task: spec for spec in specs}
    for each in expected.all:
        quantity = each.quantity
        if not quantity.task:
            continue
        place = f"{expected.path}:{each.line}"
        if quantity.task not in by_task:
            raise InputError(
                f"{place}: {quantity.task} is expected, but left out; models run {_list(by_task)}"
            )
        labels = by_task[quantity.task].labels
        if quantity.label and quantity.label not in labels:
            raise InputError(
                f"{place}: the model for {quantity.task} has no class {quantity.label!r}; it has "
                f"{_list(labels)}"
            )


class Meters:
    """Measures a drive.

    Args:
        expected: what is expected of it.
    """

    def __init__(self, expected: Expectations) -> None:
        self._expected = expected
        self._good = self._bad = 0
        self._stages = Stages()
        self._steadiness: defaultdict[str, Steadiness] = defaultdict(Steadiness)
        self._means: defaultdict[Quantity, Mean] = defaultdict(Mean)
        self._pairs: defaultdict[str, Pairs] = defaultdict(Counter)
        self._is_checked = False

    def pause(self) -> None:
        """The next frame is no neighbour of the last one."""
        for steadiness in self._steadiness.values():
            steadiness.pause()

    def add_bad(self) -> None:
        """Count a frame that could not be used."""
        self._bad += 1
        self.pause()

    def add(
        self,
        time_s: float,
        results: Mapping[str, Result],
        truths: Sequence[Result],
        latency_ms: Mapping[str, float],
    ) -> None:
        """Take in the results of the next frame.

        Args:
            time_s: since the drive's first frame.
            results: by task.
            truths: what is true of the frame, as results; empty where nobody knows.
            latency_ms: by stage.

        Raises:
            InputError: something is expected of a task that it cannot give; found with the first frame.
        """
        self._good += 1
        self._stages.add(latency_ms)
        if not self._is_checked:
            self._check_kinds(results)
        for task, result in results.items():
            self._steadiness[task].add(result)
            for truth in truths:
                self._check_classes(task, truth, result)
                if (difference := between(truth, result)) is not None:
                    self._pairs[task].update(difference.pairs)
        shares = {
            task: result.fractions() for task, result in results.items() if isinstance(result, HasShares)
        }
        for each in self._expected.all:
            quantity = each.quantity
            if not quantity.covers(time_s):
                continue
            if quantity.kind == "share":
                self._means[quantity].add(shares[quantity.task][quantity.label])
            elif quantity.kind == "seen":
                self._means[quantity].add(float(_has(results[quantity.task], quantity.label)))

    def verdicts(self, *, dropped: int) -> tuple[Verdict, ...]:
        """What holds and what does not.

        Args:
            dropped: frames that are missing in the recording.
        """
        counts: dict[Kind, float] = {"good": self._good, "bad": self._bad, "dropped": dropped}
        verdicts = []
        for each in self._expected.all:
            value = counts.get(each.quantity.kind)
            if value is None:
                value = self._value(each.quantity)
            verdicts.append(judge(each, value, reason=self._reason(each) if value is None else ""))
        return tuple(verdicts)

    def _check_kinds(self, results: Mapping[str, Result]) -> None:
        self._is_checked = True
        for each in self._expected.all:
            quantity = each.quantity
            if not quantity.task:
                continue
            gives = [
                kind
                for protocol, kinds in _NEEDS.items()
                if isinstance(results[quantity.task], protocol)
                for kind in kinds
            ]
            if quantity.kind not in gives:
                raise InputError(
                    f"{self._expected.path}:{each.line}: {quantity.name}: {quantity.task} cannot give this; "
                    f"it gives {', '.join(dict.fromkeys(gives)) or 'nothing that can be expected'}"
                )

    def _check_classes(self, task: str, truth: Result, result: Result) -> None:
        """See that classes of the truth are known to the model, once for each task."""
        if not isinstance(truth, LabelsPixels) or not isinstance(result, LabelsPixels) or self._pairs[task]:
            return
        strange = [label for label in truth.labels if label not in result.labels]
        both = f"the truth has the classes {_list(truth.labels)}, the model for {task} {_list(result.labels)}"
        about = [e for e in self._expected.all if e.quantity.task == task and e.quantity.kind in OF_TRUTH]
        if about and len(strange) == len(truth.labels):
            raise InputError(f"{self._expected.path}:{about[0].line}: {both}; none has the same name")
        if about and strange:
            _log.warning("pixels of %s count as wrong, because %s", _list(strange), both)

    def _value(self, quantity: Quantity) -> float | None:
        if quantity.kind == "latency":
            return self._stages.percentile(quantity.stage, quantity.percent)
        if quantity.kind in OF_TRUTH:
            return _of_truth(quantity, self._pairs[quantity.task])
        if quantity.kind in ("flicker", "label_changes"):
            flicker = self._steadiness[quantity.task].flicker()
            if quantity.kind == "flicker":
                return flicker.pixels
            return float(flicker.label_changes or 0) if flicker.neighbours else None
        mean = self._means[quantity]
        if quantity.kind == "seen" and mean.value is not None:
            return float(round(mean.value * mean.count))
        return mean.value

    def _reason(self, each: Expectation) -> str:
        quantity = each.quantity
        if quantity.kind == "latency":
            return f"no frame had this stage; there are {_list(self._stages.percentiles())}"
        if quantity.kind in OF_TRUTH:
            if self._pairs[quantity.task]:
                return f"no frame has {quantity.label or 'a class'}, in truth or in the results"
            return "the drive has no labels to compare with"
        if quantity.kind in ("flicker", "label_changes"):
            return "no two frames follow each other"
        return "there is no good frame" + (" in this time" if quantity.between_s else "")


def _of_truth(quantity: Quantity, pairs: Pairs) -> float | None:
    """Accuracy, IoU of a class or their mean; what is not labelled in truth does not count."""
    if quantity.kind == "accuracy":
        named = Counter({key: n for key, n in pairs.items() if key[0] not in (NOTHING, UNKNOWN)})
        right = sum(number for (true, said), number in named.items() if true == said)
        return right / named.total() if named else None
    labelled = {key: number for key, number in pairs.items() if key[0] != NOTHING}
    if quantity.kind == "iou":
        return _iou(quantity.label, labelled)
    labels = dict.fromkeys(label for key in labelled for label in key if label != NOTHING)
    values = [value for label in labels if (value := _iou(label, labelled)) is not None]
    return sum(values) / len(values) if values else None


def _iou(label: str, pairs: Mapping[tuple[str, str], int]) -> float | None:
    union = sum(number for key, number in pairs.items() if label in key)
    return pairs.get((label, label), 0) / union if union else None


def _has(result: Result, label: str) -> bool:
    """Whether something in a result is known as a class, and if it is followed, confirmed."""
    things = result.sightings() if isinstance(result, NamesThings) else ()
    named = [thing for thing in things if thing and thing.label == label]
    return any(thing.is_confirmed if isinstance(thing, Followed) else True for thing in named)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
