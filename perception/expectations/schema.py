"""Schema: reads expectations from YAML; an error says the file, the line and what is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from perception.errors import InputError
from perception.expectations.quantities import COUNTS, FRAMES, Expectation, Expectations, Kind, Quantity
from perception.tasks import shipped

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0}
_LISTS: dict[str, Kind] = {"seen": "seen", "shares": "share", "iou": "iou"}
_SINGLES: tuple[Kind, ...] = ("flicker", "label_changes", "accuracy", "miou")
_TIMED: tuple[Kind, ...] = ("seen", "share")
_BOUNDS = ("min", "max")


def read(path: Path) -> Expectations:
    """Read a file of expectations.

    Raises:
        InputError: it cannot be read, is not YAML, or something in it is not known or has a wrong value.
    """
    try:
        content = YAML().load(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise InputError(f"{where}: not YAML: {error.problem or error.context}") from error
    except (YAMLError, ValueError) as error:  # not UTF-8, or a date that does not exist
        reason = next(iter(str(error).splitlines()), "")
        raise InputError(f"{path}: not YAML: {reason}") from error
    root = _Place(path, "", 1, content)
    if content is None:
        raise root.wrong(f"nothing is expected; allowed are {', '.join(_sections())}")
    expected: list[Expectation] = []
    truth: list[tuple[str, int]] = []
    for name, place in root.entries(_sections()):
        if name == "frames":
            for kind, bounds in place.entries(FRAMES):
                expected.append(_bounded(Quantity(_kind(kind, FRAMES)), bounds))
        elif name == "latency_ms":
            expected += _latency(place)
        elif name == "truth":
            truth += [(item.text("a topic"), item.line) for item in place.items()]
        else:
            expected += _task(name, place)
    if not expected:
        raise root.wrong(f"nothing is expected; allowed are {', '.join(_sections())}")
    return Expectations(path, tuple(expected), tuple(truth))


def _sections() -> tuple[str, ...]:
    return ("frames", "latency_ms", "truth", *shipped())


def _kind(name: str, kinds: Sequence[Kind]) -> Kind:
    return next(kind for kind in kinds if kind == name)


def _latency(place: _Place) -> Iterator[Expectation]:
    for stage, percentiles in place.entries():
        entries = list(percentiles.entries(tuple(PERCENTILES)))
        if not entries:
            raise percentiles.wrong(f"give at least one of {', '.join(PERCENTILES)}")
        for percentile, most in entries:
            quantity = Quantity("latency", stage=stage, percent=PERCENTILES[percentile])
            yield Expectation(quantity, None, most.number(), most.line)


def _task(task: str, place: _Place) -> Iterator[Expectation]:
    for name, content in place.entries((*_LISTS, *_SINGLES)):
        if name not in _LISTS:
            yield _bounded(Quantity(_kind(name, _SINGLES), task), content)
            continue
        for item in content.items():
            yield _listed(_LISTS[name], task, item)


def _listed(kind: Kind, task: str, item: _Place) -> Expectation:
    fields = dict(item.entries(("label", *(("between",) if kind in _TIMED else ()), *_BOUNDS)))
    if "label" not in fields:
        raise item.wrong("label is missing; it names the class")
    between = None
    if "between" in fields:
        times = fields["between"].items()
        if len(times) != 2 or times[0].number() >= times[1].number():
            raise fields["between"].wrong("must be two times in seconds, [from, to]")
        between = times[0].number(), times[1].number()
    quantity = Quantity(kind, task, fields["label"].text("the name of a class"), between)
    if kind == "seen" and not fields.keys() & set(_BOUNDS):
        return Expectation(quantity, 1.0, None, item.line)
    return _bounded(quantity, item, ignored=("label", "between"))


def _bounded(quantity: Quantity, place: _Place, *, ignored: Sequence[str] = ()) -> Expectation:
    fields = dict(place.entries((*_BOUNDS, *ignored)))
    top = None if quantity.kind in COUNTS else 1.0
    is_whole = quantity.kind in COUNTS
    least, most = (
        fields[name].number(top=top, is_whole=is_whole) if name in fields else None for name in _BOUNDS
    )
    if least is None and most is None:
        raise place.wrong("give min, max or both")
    if least is not None and most is not None and least > most:
        raise place.wrong(f"min is {least:g} and max is {most:g}; no value is between them")
    return Expectation(quantity, least, most, place.line)


@dataclass(frozen=True)
class _Place:
    """A value of the file and where it is."""

    path: Path
    where: str
    line: int
    value: Any

    def wrong(self, problem: str) -> InputError:
        where = f" {self.where}:" if self.where else ""
        return InputError(f"{self.path}:{self.line}:{where} {problem}")

    def entries(self, allowed: Sequence[str] = ()) -> Iterator[tuple[str, _Place]]:
        """Names and values of a mapping; nothing else may be in it, if something is listed."""
        if not isinstance(self.value, Mapping):
            form = f"with {', '.join(allowed)}" if allowed else "of names"
            raise self.wrong(f"{_shown(self.value)} is no mapping {form}")
        for key, value in self.value.items():
            line = self.value.lc.key(key)[0] + 1  # type: ignore[attr-defined]  # ruamel's own mapping
            name = str(key)
            place = _Place(self.path, f"{self.where}.{name}".lstrip("."), line, value)
            if allowed and name not in allowed:
                where = f"{self.where}: " if self.where else ""
                problem = f"{self.path}:{line}: {where}{name!r} is not known; allowed: {', '.join(allowed)}"
                raise InputError(problem)
            yield name, place

    def items(self) -> list[_Place]:
        if not isinstance(self.value, list):
            raise self.wrong(f"{_shown(self.value)} is no list")
        lines = [self.value.lc.item(index)[0] + 1 for index in range(len(self.value))]  # type: ignore[attr-defined]
        return [
            _Place(self.path, f"{self.where}[{index}]", line, value)
            for index, (line, value) in enumerate(zip(lines, self.value, strict=True))
        ]

    def text(self, what: str) -> str:
        if not isinstance(self.value, str) or not self.value:
            raise self.wrong(f"{_shown(self.value)} is not {what}; write it in quotes")
        return str(self.value)

    def number(self, *, top: float | None = None, is_whole: bool = False) -> float:
        value = self.value
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if top is not None and not (is_number and 0 <= value <= top):
            raise self.wrong(f"{_shown(value)} is no share, from 0 to {top:g}")
        if is_whole and not (is_number and 0 <= value == int(value)):
            raise self.wrong(f"{_shown(value)} is no whole number from 0 on")
        if not (is_number and 0 <= value < float("inf")):
            raise self.wrong(f"{_shown(value)} is no number from 0 on")
        return float(value)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list) else repr(value)
