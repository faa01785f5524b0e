"""What a sweep tries: a short YAML file of settings of ``fit``, and where each of them may lie."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import optuna
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from training.datasets.images import DataError
from training.datasets.text import read_text

SAMPLERS = ("tpe", "random")
DIRECTIONS = ("maximize", "minimize")
RANGE = ("low", "high", "log", "step")


@dataclass(frozen=True)
class Choice:
    """One of some values, which may be anything that YAML can say.

    Attributes:
        texts: the values as JSON, because a study keeps texts and numbers only.
    """

    texts: tuple[str, ...]

    def pick(self, trial: optuna.Trial, name: str) -> Any:
        """The value for a trial."""
        return json.loads(trial.suggest_categorical(name, self.texts))

    def ends(self) -> tuple[Any, ...]:
        """All values."""
        return tuple(map(json.loads, self.texts))


@dataclass(frozen=True)
class Range:
    """A number from low to high, both included; whole numbers if both are.

    Attributes:
        low: the least.
        high: the greatest.
        log: whether 0.001 to 0.01 is as wide as 0.01 to 0.1.
        step: between two values; None lets them lie anywhere.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def pick(self, trial: optuna.Trial, name: str) -> float:
        """The value for a trial."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log, step=int(self.step or 1))
        return trial.suggest_float(name, self.low, self.high, log=self.log, step=self.step)

    def ends(self) -> tuple[float, float]:
        """The least and the greatest value."""
        return self.low, self.high


@dataclass(frozen=True)
class Prune:
    """When trials are compared and the worst of them stopped (Hyperband, Li et al. 2018).

    Attributes:
        after: share of a training after which the first trials are compared.
        keep: one of so many goes on, and is compared again after so many times as long.
    """

    after: float = 1 / 27
    keep: int = 3


@dataclass(frozen=True)
class Plan:
    """A sweep.

    Attributes:
        name: of the study: the file's without suffix, unless the command line gives another.
        config: of ``fit``, where every trial starts from.
        search: name of a setting → where it may lie.
        metric: what validation logs, and what counts.
        direction: one of DIRECTIONS.
        trials: how many, those that are stopped early or fail included.
        sampler: one of SAMPLERS.
        seed: of the sampler.
        prune: None trains each trial to its end.
        options: settings that all trials have in place of the config's.
    """

    name: str
    config: Path
    search: Mapping[str, Choice | Range]
    metric: str
    direction: Literal["maximize", "minimize"] = "maximize"
    trials: int = 40
    sampler: str = "tpe"
    seed: int = 0
    prune: Prune | None = Prune()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parts(self) -> int:
        """Into how many parts a training is counted, so that nobody needs its number of epochs or steps."""
        return round(1 / (self.prune or Prune()).after)

    def pick(self, trial: optuna.Trial) -> dict[str, Any]:
        """The settings for a trial."""
        return {name: where.pick(trial, name) for name, where in self.search.items()}

    def corners(self) -> Iterator[dict[str, Any]]:
        """Settings in which each end of each range, and each choice, comes once at least."""
        ends = {name: where.ends() for name, where in self.search.items()}
        for turn in range(max(map(len, ends.values()))):
            yield {name: values[turn % len(values)] for name, values in ends.items()}


def as_arguments(settings: Mapping[str, Any]) -> list[str]:
    """Settings as ``fit`` takes them on its command line."""
    return [
        f"--{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in settings.items()
    ]


def read_plan(path: Path) -> Plan:
    """Read a file such as ``training/configs/sweeps/signs.yaml``.

    Raises:
        DataError: it is not one; the message names the entry.
        OSError: it cannot be read.
    """
    try:
        content = YAML(typ="safe", pure=True).load(read_text(path))
    except YAMLError as error:
        raise DataError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} is no sweep: it has no entries config, metric and search")
    known = {"config", "search", "metric", "direction", "trials", "sampler", "seed", "prune", "options"}
    if other := sorted(map(str, content.keys() - known)):
        raise DataError(f"{path}: there is no entry {other[0]!r}; there are {', '.join(sorted(known))}")
    if missing := sorted({"config", "search", "metric"} - content.keys()):
        raise DataError(f"{path}: the entry {missing[0]!r} is missing")
    search, options = content.pop("search"), content.pop("options", None) or {}
    if not isinstance(search, dict) or not search or not isinstance(options, dict):
        raise DataError(f"{path}: search and options are tables of settings, as 'model.lr: …'")
    for name, wanted in (("direction", DIRECTIONS), ("sampler", SAMPLERS)):
        if content.get(name, wanted[0]) not in wanted:
            raise DataError(f"{path}: {name} is {content[name]!r}; choose one of {', '.join(wanted)}")
    for name, least in (("trials", 1), ("seed", 0)):
        number = content.get(name, least)
        if type(number) is not int or number < least:
            raise DataError(f"{path}: {name} is {number!r}; expected a whole number from {least} on")
    config = Path(str(content.pop("config")))
    if not config.is_file():
        raise DataError(f"{path}: there is no config {config}; its path is seen from the current folder")
    return Plan(
        path.stem,
        config,
        {str(name): _where(path, str(name), where) for name, where in search.items()},
        prune=_prune(path, content.pop("prune", {})),
        options=options,
        **content,
    )


def _where(path: Path, name: str, where: Any) -> Choice | Range:
    if isinstance(where, list) and len(where) > 1:
        return Choice(tuple(json.dumps(value) for value in where))
    if isinstance(where, dict) and {"low", "high"} <= where.keys() <= set(RANGE):
        chosen = Range(**cast("dict[str, Any]", where))
        numbers = [chosen.low, chosen.high, chosen.step or 1]
        if all(type(number) in (int, float) for number in numbers) and chosen.low < chosen.high:
            if chosen.log and (chosen.low <= 0 or chosen.step):
                raise DataError(
                    f"{path}: search.{name} has log: true, so low is above 0 and there is no step"
                )
            return chosen
    raise DataError(
        f"{path}: search.{name} is {where!r}; expected values to choose from, as [64, 128], or "
        "{low: 0.001, high: 0.01, log: true}"
    )


def _prune(path: Path, given: Any) -> Prune | None:
    if given is False or given is None:
        return None
    wanted = {"after": Prune.after, "keep": Prune.keep}
    entries = wanted | given if isinstance(given, dict) and given.keys() <= wanted.keys() else {}
    after, keep = entries.get("after"), entries.get("keep")
    if type(after) is not float or not 0 < after < 1 or type(keep) is not int or keep < 2:
        raise DataError(
            f"{path}: prune is {given!r}; expected false, or {{after: 0.04, keep: 3}}: a share of a "
            "training, and of how many trials one goes on"
        )
    return Prune(after, keep)
